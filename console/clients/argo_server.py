"""The Argo server's REST API, for what a plain Kubernetes client cannot do to a Workflow.

Sync, bounded time, the errors of console.errors. Each call opens its own connection: people act
seldom.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import aiohttp
import orjson

from console.clients import bridge
from console.clients.credentials import parse
from console.errors import Conflict, ExternalError, NotFound, Refused, Throttled, Unreachable

LONGEST_MESSAGE = 500


class ArgoServer:
    """One server, by its base URL; `token` is a credential reference (a Kubernetes token)."""

    def __init__(
        self, url: str, *, token: str = "", verify: bool = True, timeout: float = 10.0
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise Refused(f"argo_server {url!r} is no http or https URL", code="invalid")
        self._url = url.rstrip("/")
        self._token = token
        self._verify = verify
        self._timeout = timeout

    def put(
        self, namespace: str, name: str, action: str, body: Mapping[str, Any]
    ) -> dict[str, Any]:
        """PUT on a workflow's action (retry, resubmit, resume …); the Workflow as it is then."""
        path = f"/api/v1/workflows/{quote(namespace, safe='')}/{quote(name, safe='')}/{action}"
        what = f"{action} Workflow {namespace}/{name} through the Argo server"

        async def go() -> dict[str, Any]:
            return await self._send("PUT", path, what, body)

        return bridge.run(go, self._timeout)

    def version(self) -> str:
        """The server's version, such as `v4.1.2`; empty when it does not say."""

        async def go() -> dict[str, Any]:
            return await self._send("GET", "/api/v1/version", "ask the Argo server its version", {})

        return str(bridge.run(go, self._timeout).get("version", ""))

    async def _send(
        self, method: str, path: str, what: str, body: Mapping[str, Any]
    ) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"}
        if self._token:
            secret = await bridge.offload(lambda: parse(self._token).read())
            headers["Authorization"] = f"Bearer {secret.value.removeprefix('Bearer ')}"
        limit = aiohttp.ClientTimeout(total=self._timeout)
        try:
            async with (
                aiohttp.ClientSession(timeout=limit) as session,
                session.request(
                    method,
                    f"{self._url}{path}",
                    data=None if method == "GET" else orjson.dumps(body),
                    headers=headers,
                    ssl=self._verify,
                    allow_redirects=False,
                ) as answer,
            ):
                return _parsed(what, answer.status, await answer.read())
        except (aiohttp.ClientError, TimeoutError, OSError) as problem:
            raise Unreachable(f"{what}: {type(problem).__name__}") from None


def _parsed(what: str, status: int, body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = None
    if status < 300 and isinstance(value, dict):
        return value
    said = str(value.get("message", "")) if isinstance(value, dict) else ""
    raise _error(status, f"{what}: {(said or f'HTTP {status}')[:LONGEST_MESSAGE]}")


def _error(status: int, message: str) -> ExternalError:
    if status == 404:
        return NotFound(message)
    if status == 409:
        return Conflict(message)
    if status == 429:
        return Throttled(message)
    if status >= 500 or status < 400:
        return Unreachable(message)
    return Refused(message, code={401: "unauthenticated", 403: "forbidden"}.get(status, "invalid"))
