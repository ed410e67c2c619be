"""The emulator: a small Kubernetes API over plain HTTP on loopback, in a thread of its own."""

import asyncio
import contextlib
import secrets
import threading
from collections import Counter
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson
import yaml
from aiohttp import web

from deploy.emulators.kubernetes.access import MASTERS, Access, User
from deploy.emulators.kubernetes.cluster import Cluster
from deploy.emulators.kubernetes.discovery import (
    AGGREGATED,
    AGGREGATED_TYPE,
    DOCUMENTS,
    PUBLIC,
)
from deploy.emulators.kubernetes.errors import ApiError
from deploy.emulators.kubernetes.faults import Faults
from deploy.emulators.kubernetes.kinds import Obj
from deploy.emulators.kubernetes.routes import (
    Call,
    Router,
    parse_path,
    verb_of,
)
from deploy.emulators.kubernetes.tokens import read_tokens, write_private, write_tokens
from deploy.emulators.kubernetes.watches import Watch
from deploy.ports import any_free

DEFAULT_NODES = {"local": {"cpu": "32", "memory": "128Gi", "pods": "250", "nvidia.com/gpu": "8"}}
_LONGEST_WATCH_SECONDS = 1800.0
_START_SECONDS = 20.0
_HOST = "127.0.0.1"
_WITH_TOKEN = "/with-token/"  # noqa: S105 - a path, not a secret


class Emulator:
    """A Kubernetes API for demos and tests; use it as a context manager or start and stop it.

    `port` 0 takes a free one and keeps it over `stop` and `start`. With `data_dir`, objects and
    tokens outlive the process. `nodes` is name → allocatable, where simulated pods run.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        data_dir: Path | str | None = None,
        nodes: dict[str, dict[str, str]] | None = None,
    ) -> None:
        self.port = port
        self._data = Path(data_dir) if data_dir else None
        self._cluster = Cluster(self._data, DEFAULT_NODES if nodes is None else nodes)
        self._access = Access(self._cluster.store, read_tokens(self._data))
        self._router = Router(self._cluster.resources, self._access)
        self._faults = Faults()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._ended: asyncio.Event | None = None
        self._failure: Exception | None = None
        if not self._access.tokens:
            self.add_user("admin", groups=(MASTERS,))

    # Life

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        sort: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Serve; returns when requests are answered. Raises OSError if the port is taken."""
        if self._thread:
            return
        ready = threading.Event()
        self._failure = None
        self._thread = threading.Thread(
            target=self._run, args=(ready,), name="kubernetes-emulator", daemon=True
        )
        self._thread.start()
        is_ready = ready.wait(_START_SECONDS)
        failure: Exception | None = self._failure
        if failure or not is_ready:
            self._thread = None
            raise failure or TimeoutError("the emulator did not start")

    def stop(self) -> None:
        """Close every connection and the port; the objects stay for the next start."""
        if self._thread and self._loop and self._ended:
            self._loop.call_soon_threadsafe(self._ended.set)
            self._thread.join(_START_SECONDS)
        self._thread = None

    def _run(self, ready: threading.Event) -> None:
        try:
            asyncio.run(self._serve(ready))
        except Exception as error:  # noqa: BLE001 - told to the thread that called start()
            self._failure = error
            ready.set()

    async def _serve(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        runner = web.ServerRunner(web.Server(self._handle), shutdown_timeout=0.1)
        await runner.setup()
        try:
            self.port = self.port or any_free()
            await web.TCPSite(runner, _HOST, self.port).start()
            self._cluster.wake(self._loop)
            saving = asyncio.create_task(self._cluster.store.keep_saving())
            ready.set()
            await self._ended.wait()
            saving.cancel()
            await asyncio.gather(saving, return_exceptions=True)
        finally:
            self._cluster.sleep()
            await runner.cleanup()

    # Access

    @property
    def url(self) -> str:
        """Where the API is."""
        return f"http://{_HOST}:{self.port}"

    def add_user(self, name: str, *, groups: tuple[str, ...] = (), token: str = "") -> str:
        """Let a user in; return the bearer token."""
        token = token or secrets.token_hex(16)
        self._access.tokens[token] = User(name, groups)
        write_tokens(self._data, self._access.tokens)
        return token

    def token(self, name: str = "admin") -> str:
        """Return a user's bearer token; raises KeyError for an unknown user."""
        for token, user in self._access.tokens.items():
            if user.name == name:
                return token
        raise KeyError(name)

    def kubeconfig(self, path: Path | str, *, user: str = "admin") -> Path:
        """Write a kubeconfig for a user, readable by its owner only; return its path.

        kubectl sends no bearer token without TLS: its context `kubectl` has it in the address
        (`kubectl --context kubectl get pods`).
        """
        token = self.token(user)
        servers = {"local": self.url, "kubectl": f"{self.url}{_WITH_TOKEN}{token}"}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": name, "cluster": {"server": url}} for name, url in servers.items()
            ],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [
                {"name": name, "context": {"cluster": name, "user": user}} for name in servers
            ],
            "current-context": "local",
        }
        write_private(Path(path), yaml.safe_dump(config, sort_keys=False))
        return Path(path)

    # Troubles

    @property
    def requests(self) -> Counter[tuple[str, str]]:
        """How many requests came, by (verb, resource): `("patch", "resourcequotas")`."""
        return self._faults.requests

    def fail(
        self,
        *,
        next: int = 1,
        status: int = 500,
        retry_after: float | None = None,
        verb: str = "",
        resource: str = "",
    ) -> None:
        """Refuse the next requests (of a verb, on a resource); 0 ends it."""
        self._faults.fail(next, (status, retry_after, verb, resource))

    def hang(self, seconds: float) -> None:
        """Let every request wait that long before it is looked at; 0 ends it."""
        self._faults.hang_seconds = seconds

    def latency(self, milliseconds: float) -> None:
        """Answer every request that much later; 0 ends it."""
        self._faults.latency_seconds = milliseconds / 1000

    def compact(self) -> None:
        """Forget the history: older watches and continue tokens get 410."""
        self.call(self._cluster.store.compact)

    def call(self, function: Any, *args: Any) -> Any:
        """Run a function on the emulator's loop (the only place to touch objects) and return."""

        async def run() -> Any:
            return function(*args)

        return self._on_loop(run())

    def _on_loop(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        if self._loop is None or not self._thread:
            raise RuntimeError("the emulator is not running")
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_START_SECONDS)

    # HTTP

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._answer(request)
        except ApiError as error:
            return _respond(error.code, error.status(), error.headers)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        path, authorization = request.path, request.headers.get("Authorization", "")
        if path.startswith(_WITH_TOKEN):
            token, _, path = path.removeprefix(_WITH_TOKEN).partition("/")
            path, authorization = f"/{path}", f"Bearer {token}"
        path = path.rstrip("/") or "/"
        user = self._access.user(authorization)
        if path in PUBLIC and path != "/version":
            return web.Response(text="ok")
        if path in DOCUMENTS:
            if path not in PUBLIC:
                self._access.check_path(user, path)
            wants = request.headers.get("Accept", "")
            if path in AGGREGATED and "v=v2;as=APIGroupDiscoveryList" in wants:
                discovery = _respond(200, AGGREGATED[path])
                discovery.headers["Content-Type"] = AGGREGATED_TYPE
                return discovery
            return _respond(200, DOCUMENTS[path])
        body = await request.read()
        review = self._router.review(path, user, body) if request.method == "POST" else None
        if review is not None:
            return _respond(201, review)
        call = _parse(request, path, body)
        await self._faults.strike(call.verb, call.resource)
        self._router.check(user, call)
        if call.verb == "watch":
            return await self._watch(request, call)
        status, answer = self._router.answer(call)
        return _respond(status, answer)

    async def _watch(self, request: web.BaseRequest, call: Call) -> web.StreamResponse:
        target, query = call.target, call.query
        selects = self._router.selects(call) or (lambda _: True)
        watch = Watch(self._cluster.store, target.kind, target.namespace, selects)
        stream = web.StreamResponse(headers={"Content-Type": "application/json"})
        try:
            first = watch.start(
                query.get("resourceVersion", ""), mark_end=query.get("sendInitialEvents") == "true"
            )
            await stream.prepare(request)
            for line in first:
                await stream.write(line)
            seconds = float(query.get("timeoutSeconds") or _LONGEST_WATCH_SECONDS)
            bookmarks = query.get("allowWatchBookmarks") in ("true", "1")
            with contextlib.suppress(ConnectionError):
                async for line in watch.lines(seconds, bookmarks=bookmarks):
                    await stream.write(line)
                await stream.write_eof()
        finally:
            watch.close()
        return stream


def _parse(request: web.BaseRequest, path: str, body: bytes) -> Call:
    target = parse_path(path)
    query = dict(request.query)
    agent = request.headers.get("User-Agent", "").split("/")[0][:128] or "unknown"
    verb = verb_of(request.method, target, query)
    return Call(
        verb,
        replace(
            target,
            verb=verb,
            manager=query.get("fieldManager") or agent,
            dry_run=query.get("dryRun") == "All",
        ),
        query,
        request.headers.get("Content-Type", "").split(";")[0].strip(),
        request.headers.get("Accept", ""),
        body,
    )


def _respond(status: int, body: Obj, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        status=status,
        body=orjson.dumps(body),
        content_type="application/json",
        headers=headers,
    )
