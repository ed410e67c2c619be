"""The Argo server's HTTP API: archived workflows, and nodes that are not in the objects.

Sync methods over the clients' loop; errors are our own (console.errors). Nothing is kept open
between calls: there are few, after a gap and for large runs.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any, Final
from urllib.parse import quote, urlencode

import aiohttp
import orjson
from yarl import URL

from console import lenient_json
from console.clients import bridge
from console.clients.credentials import parse_secret
from console.clients.kubernetes.client_config import ca_file as allowed_ca_file
from console.clients.kubernetes.errors import from_answer, from_exception
from console.clients.loopback import is_loopback
from console.errors import Refused, Unreachable
from console.unstructured import mapping, mappings, text

MOST_BYTES: Final = 128 * 2**20
Object = dict[str, Any]


class ArgoServer:
    """One server, by URL. `token` is a credential reference (see console.clients.credentials) of a
    Kubernetes bearer token; `timeout` bounds each call, in seconds."""

    def __init__(
        self,
        url: str,
        *,
        token: str = "",
        ca_file: str = "",
        insecure_skip_tls_verify: bool = False,
        timeout: float = 15.0,
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise Refused("the Argo server's address must begin with http:// or https://")
        if token and not carries_a_token(url):
            raise Refused(
                "the Argo server's token is sent over plain http to this machine only; use https",
                code="credential",
            )
        self._url = url.rstrip("/")
        self._token = parse_secret(token) if token else None
        self._ca_file, self._insecure = ca_file, insecure_skip_tls_verify
        self._timeout = timeout

    def __repr__(self) -> str:
        return f"ArgoServer({self._url!r})"

    def version(self) -> str:
        """The server's version, such as `v4.1.2`."""
        return text(self._get("/api/v1/version", "read the version").get("version"), 100)

    def archived(
        self, namespace: str, *, started_after: datetime | None = None, page: int = 50
    ) -> Iterator[list[Object]]:
        """Archived workflows of a namespace, latest first, in pages, without their nodes. The
        server's `continue` is an offset: what is archived meanwhile may be given twice."""
        fields = [f"metadata.namespace={namespace}"]
        if started_after is not None:
            fields.append(f"spec.startedAt>{started_after.strftime('%Y-%m-%dT%H:%M:%SZ')}")
        params = {"listOptions.fieldSelector": ",".join(fields), "listOptions.limit": str(page)}
        while True:
            path = f"/api/v1/archived-workflows?{urlencode(params)}"
            answer = self._get(path, "list archived workflows")
            workflows = mappings(answer.get("items"))
            if workflows:
                yield workflows
            token = text(mapping(answer.get("metadata")).get("continue"), 100)
            if not token or not workflows:
                return
            if token == params.get("listOptions.continue"):
                raise Unreachable("list archived workflows: the list does not go on")
            params["listOptions.continue"] = token

    def archived_workflow(self, uid: str) -> Object:
        """An archived workflow, nodes and all. Raises NotFound."""
        path = f"/api/v1/archived-workflows/{quote(uid, safe='')}"
        return self._get(path, "read an archived workflow")

    def workflow(self, namespace: str, name: str, *, uid: str = "") -> Object:
        """A workflow, nodes and all, live or else archived. Raises NotFound."""
        place = f"{quote(namespace, safe='')}/{quote(name, safe='')}"
        query = f"?{urlencode({'uid': uid})}" if uid else ""
        return self._get(f"/api/v1/workflows/{place}{query}", "read a workflow")

    def act(self, namespace: str, name: str, action: str, body: Object) -> Object:
        """Has the server do something to a workflow: `retry`, `resubmit`, `resume` …; the workflow
        as it is then. Sent once."""
        place = f"{quote(namespace, safe='')}/{quote(name, safe='')}"
        what = f"{action} Workflow {namespace}/{name} through the Argo server"
        return self._ask("PUT", f"/api/v1/workflows/{place}/{action}", what, orjson.dumps(body))

    def _get(self, path: str, what: str) -> Object:
        return self._ask("GET", path, what)

    def _ask(self, method: str, path: str, what: str, data: bytes | None = None) -> Object:
        body = bridge.run(partial(self._fetch, method, path, what, data), self._timeout)
        try:
            answer = lenient_json.loads(body)
        except ValueError:
            raise Unreachable(f"{what}: the answer is not JSON") from None
        if not isinstance(answer, dict):
            raise Unreachable(f"{what}: the answer is not an object")
        return answer

    async def _fetch(self, method: str, path: str, what: str, data: bytes | None) -> bytes:
        try:
            headers, tls = await bridge.offload(self._access)
            async with (
                asyncio.timeout(self._timeout),
                aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http,
                http.request(
                    method,
                    URL(f"{self._url}{path}", encoded=True),
                    data=data,
                    headers=headers,
                    ssl=tls if tls is not None else True,
                    allow_redirects=False,
                ) as answer,
            ):
                content = await self._read(answer, what)
                if answer.status >= 300:
                    raise from_answer(what, answer.status, content, answer.headers, of_grpc=True)
                return content
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as problem:
            raise from_exception(what, problem) from None

    async def _read(self, answer: aiohttp.ClientResponse, what: str) -> bytes:
        content = bytearray()
        async for chunk in answer.content.iter_any():
            content += chunk
            if len(content) > MOST_BYTES:
                raise Refused(f"{what}: more than {MOST_BYTES >> 20} MiB", code="too_large")
        return bytes(content)

    def _access(self) -> tuple[dict[str, str], ssl.SSLContext | None]:
        """Headers and TLS, from files that may have changed."""
        headers = {"Accept": "application/json", "User-Agent": "headroom"}
        if self._token is not None:
            token = self._token.read().token()
            bearer = token if token.lower().startswith("bearer ") else f"Bearer {token}"
            headers["Authorization"] = bearer
        return headers, self._tls()

    def _tls(self) -> ssl.SSLContext | None:
        if not self._url.startswith("https"):
            return None
        try:
            context = ssl.create_default_context(cafile=allowed_ca_file(self._ca_file))
        except (ssl.SSLError, OSError) as problem:
            reason = getattr(problem, "strerror", None) or type(problem).__name__
            message = f"the Argo server's CA file cannot be used: {reason}"
            raise Refused(message, code="credential") from None
        if self._insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def carries_a_token(url: str) -> bool:
    """Whether a token may be sent to this URL: encrypted, or to this machine."""
    try:
        address = URL(url)
    except ValueError:
        return False
    return address.scheme == "https" or is_loopback(address.host)
