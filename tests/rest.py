"""A REST client for tests: a person with a role, a token, JSON in and out."""

from __future__ import annotations

from typing import Any

from django.test import Client

from console.access.models import ApiToken, User


class Rest:
    """Requests of one person. `get` and the like give Django's response; `.json()` as usual."""

    def __init__(self, role: str, name: str = "") -> None:
        self.user = User.objects.create_user(name or f"rest-{role or 'nobody'}", role=role)
        token = ApiToken.issue(user=self.user, name="test")
        self.client = Client(headers={"Authorization": f"Bearer {token}"})

    def get(self, path: str, **query: Any) -> Any:
        """GET below /api/v1/."""
        return self.client.get(f"/api/v1/{path}", query)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Any other method; `If_Match="…"` becomes a header."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.generic(
            method,
            f"/api/v1/{path}",
            _json(body),
            content_type="application/json",
            headers=named,
        )

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        """POST."""
        return self.send("POST", path, body if body is not None else {}, **headers)

    def patch(self, path: str, body: Any, **headers: str) -> Any:
        """PATCH."""
        return self.send("PATCH", path, body, **headers)

    def delete(self, path: str, **headers: str) -> Any:
        """DELETE."""
        return self.send("DELETE", path, **headers)


def _json(body: Any) -> bytes:
    import json

    return b"" if body is None else json.dumps(body).encode()
