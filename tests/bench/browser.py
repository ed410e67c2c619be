"""A browser's HTTP over one kept connection: cookies, CSRF, times as the client sees them."""

from __future__ import annotations

import http.client
import time
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore

from console.access.models import Role, User

TOKEN = "b" * 32  # any text of this length is a CSRF secret


def session_of(name: str = "bench") -> str:
    """The cookie header of a signed-in admin (and superuser, for Django's own admin)."""
    user, _ = User.objects.get_or_create(
        username=name, defaults={"role": Role.ADMIN, "is_superuser": True, "is_staff": True}
    )
    store = SessionStore()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store.create()
    return f"{settings.SESSION_COOKIE_NAME}={store.session_key}"


class Browser:
    """One connection to a server on loopback, signed in by a cookie."""

    def __init__(self, port: int, cookie: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._cookie = cookie

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body."""
        self._connection.request("GET", path, headers={"Cookie": self._cookie})
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def post(self, path: str, form: dict[str, str]) -> tuple[int, bytes]:
        """Status and body of a form that was sent, CSRF token and all."""
        headers = {
            "Cookie": f"{self._cookie}; {settings.CSRF_COOKIE_NAME}={TOKEN}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        body = urlencode({**form, "csrfmiddlewaretoken": TOKEN})
        self._connection.request("POST", path, body=body, headers=headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def milliseconds(self, path: str, times: int) -> list[float]:
        """How long each of so many GETs took, from the first byte sent to the last received."""
        taken = []
        self._connection.close()  # the server may have hung up while others were measured
        self.get(path)
        for _ in range(times):
            begun = time.perf_counter()
            status, body = self.get(path)
            taken.append((time.perf_counter() - begun) * 1000)
            if status != 200 or not body:
                raise AssertionError(f"{path}: {status} {body[:300]!r}")
        return taken

    def close(self) -> None:
        """Hang up."""
        self._connection.close()
