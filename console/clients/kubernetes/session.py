"""One target's connection: configuration and auth by the official SDK, traffic by raw aiohttp.

The SDK knows every way to sign in (client certificates, tokens, exec plugins, GKE, in-cluster) but
its own HTTP client is half as fast as a bare keep-alive session; so each does what it is good at.
"""

from __future__ import annotations

import asyncio
import os
import random
import weakref
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import aiohttp
from yarl import URL

from console.backoff import backoff
from console.clients.bridge import close_soon, closes_at_stop, offload
from console.clients.contracts import RequestCounter
from console.clients.credentials import Reference
from console.clients.kubernetes.client_config import (
    Loaded,
    Options,
    headers_of,
    load,
)
from console.clients.kubernetes.errors import NoAnswer, from_answer, from_exception
from console.errors import Conflict, ExternalError, Throttled, Unreachable

TOKEN_CHECK_SECONDS: Final = 30.0  # how often a refreshable token is looked at
STAMP_CHECK_SECONDS: Final = 0.5  # how often the credential's file is looked at
ATTEMPTS: Final = 6
ATTEMPTS_WITHOUT_ANSWER: Final = 3
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 5.0


@dataclass(slots=True, weakref_slot=True, eq=False)
class _ProcessSession:
    """What belongs to one process and one version of the credential."""

    http: aiohttp.ClientSession
    streams: aiohttp.ClientSession
    target: Loaded
    stamp: str
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    checked_at: float = -TOKEN_CHECK_SECONDS
    stamped_at: float = -STAMP_CHECK_SECONDS
    pid: int = field(default_factory=os.getpid)

    def __post_init__(self) -> None:
        """Be closed when the loop stops, also if a newer one has taken its place by then."""
        closes_at_stop(self)

    async def close(self) -> None:
        """Close its connections; what a fork inherits stays untouched."""
        if self.pid == os.getpid():
            await self.http.close()
            await self.streams.close()

    def fresh(self, now: float) -> bool:
        """Whether neither the credential nor the token needs a look."""
        return (
            now < self.stamped_at + STAMP_CHECK_SECONDS
            and now < self.checked_at + TOKEN_CHECK_SECONDS
        )


class Session:
    """HTTP to one API server: authenticated, counted, retried, always within a deadline.

    Everything here runs on the bridge's loop; deadlines are in the loop's time.
    """

    def __init__(self, credential: Reference, options: Options) -> None:
        self._credential = credential
        self._options = options
        # Per process: what a fork inherits stays untouched, also by finalizers.
        self._live: dict[int, _ProcessSession] = {}
        self._connect_locks: dict[int, asyncio.Lock] = {}
        self._not_before = 0.0
        self.counter = RequestCounter()
        closes_at_stop(self)
        # A client that is dropped without close() leaves no connection behind either. At the end of
        # the process the bridge closes what is open, while the loop still runs.
        dropped = weakref.finalize(self, _close_dropped, self._live)
        dropped.atexit = False  # type: ignore[misc]  # a property, which typeshed takes for a slot

    async def send(
        self,
        method: str,
        path: str,
        *,
        what: str,
        deadline: float,
        query: str = "",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """One request; the body of its successful answer.

        Repeated until `deadline`: 429 and 5xx (obeying Retry-After), "object has been modified",
        broken connections (few times), 401 once after the credential has been read again.
        """
        attempt = 0
        renewed = False
        while True:
            attempt += 1
            problem = await self._attempt(method, path, what, deadline, query, body, headers)
            if isinstance(problem, bytes):
                return problem
            if problem.code == "unauthenticated" and not renewed:
                renewed = True
                await self._drop_live()
                continue
            pause = self._pause(problem, attempt, deadline)
            if pause is None:
                raise problem
            self.counter.retries += 1
            await asyncio.sleep(pause)

    async def close(self) -> None:
        """Close this process's connections; the next request opens new ones."""
        live = self._live.pop(os.getpid(), None)
        self._connect_locks.pop(os.getpid(), None)  # the next loop needs a lock of its own
        if live is not None:
            await live.close()

    @asynccontextmanager
    async def stream(
        self, path: str, *, what: str, query: str = ""
    ) -> AsyncIterator[aiohttp.StreamReader]:
        """The body of an answer that goes on for as long as the server has something to say.

        Its connection is not one of those that `connections` bounds: a watch that idles must not
        keep a write waiting. Raises the same errors as `send`, for a broken stream too; nothing is
        repeated, but a credential that was refused is read again for the next call.
        """
        try:
            async with asyncio.timeout(self._options.request_timeout) as timeout:
                live = await self._ready()
                self._count("GET")
                async with live.streams.get(
                    URL(f"{live.target.base}{path}{'?' if query else ''}{query}", encoded=True),
                    headers=live.headers,
                    proxy=live.target.proxy,
                    server_hostname=live.target.server_name,
                    allow_redirects=False,
                ) as answer:
                    if answer.status >= 300:
                        content = await answer.read()
                        problem = from_answer(what, answer.status, content, answer.headers)
                        if problem.code == "unauthenticated":
                            await self._drop_live()
                        raise problem
                    timeout.reschedule(None)
                    yield answer.content
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as problem:
            raise from_exception(what, problem) from None

    async def _attempt(
        self,
        method: str,
        path: str,
        what: str,
        deadline: float,
        query: str,
        body: bytes | None,
        headers: Mapping[str, str] | None,
    ) -> bytes | ExternalError:
        loop = asyncio.get_running_loop()
        if self._not_before > loop.time():
            if self._not_before >= deadline:
                return Throttled(
                    f"{what}: told to wait", retry_after=self._not_before - loop.time()
                )
            await asyncio.sleep(self._not_before - loop.time())
        left = deadline - loop.time()
        if left <= 0:
            return NoAnswer(f"{what}: no time left")
        try:
            async with asyncio.timeout(min(left, self._options.request_timeout)):
                live = await self._ready()
                self._count(method)
                async with live.http.request(
                    method,
                    URL(f"{live.target.base}{path}{'?' if query else ''}{query}", encoded=True),
                    data=body,
                    headers={**live.headers, **headers} if headers else live.headers,
                    proxy=live.target.proxy,
                    server_hostname=live.target.server_name,
                    allow_redirects=False,
                ) as answer:
                    content = await answer.read()
                    if answer.status < 300:
                        return content
                    return from_answer(what, answer.status, content, answer.headers)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as problem:
            return from_exception(what, problem)

    def _count(self, method: str) -> None:
        if method == "GET":
            self.counter.reads += 1
        else:
            self.counter.writes += 1

    def _pause(self, problem: ExternalError, attempt: int, deadline: float) -> float | None:
        """Seconds until the next attempt, or None when there should be none."""
        most = ATTEMPTS_WITHOUT_ANSWER if isinstance(problem, NoAnswer) else ATTEMPTS
        if not problem.retryable or attempt >= most:
            return None
        if not isinstance(problem, Unreachable | Throttled | Conflict):
            return None
        now = asyncio.get_running_loop().time()
        spread = random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, no secret
        pause = backoff(attempt, first=FIRST_PAUSE, longest=LONGEST_PAUSE, spread=spread)
        if problem.retry_after is not None:
            pause += problem.retry_after
            if isinstance(problem, Throttled):
                # The whole target is busy, so everybody waits, not only this request.
                self._not_before = max(self._not_before, now + problem.retry_after)
        return pause if now + pause < deadline else None

    # -- configuration and auth --------------------------------------------------------------

    async def _ready(self) -> _ProcessSession:
        pid = os.getpid()
        lock = self._connect_locks.setdefault(pid, asyncio.Lock())
        now = asyncio.get_running_loop().time()
        live = self._live.get(pid)
        if live is not None and live.fresh(now):
            return live
        async with lock:
            live = self._live.get(pid)
            if live is not None and live.fresh(now):
                return live
            stamp = self._credential.stamp()
            if live is None or live.stamp != stamp:
                await self._drop_live()
                live = await self._open(stamp)
            if live.checked_at + TOKEN_CHECK_SECONDS <= now:
                configuration = live.target.configuration
                live.headers = await offload(lambda: headers_of(configuration))
                live.checked_at = now
            live.stamped_at = now
            self._live[pid] = live
            return live

    async def _open(self, stamp: str) -> _ProcessSession:
        target = await offload(lambda: load(self._credential, self._options))
        http = _http(target, limit=self._options.connections)
        return _ProcessSession(http, _http(target, limit=0), target, stamp)

    async def _drop_live(self) -> None:
        """Forget the current credential; requests under way may finish."""
        live = self._live.pop(os.getpid(), None)
        if live is not None:
            loop = asyncio.get_running_loop()
            loop.call_later(self._options.request_timeout, lambda: loop.create_task(live.close()))


def _close_dropped(live_by_process: dict[int, _ProcessSession]) -> None:
    """Close what a collected session had open in this process, on the loop that it lives on."""
    live = live_by_process.pop(os.getpid(), None)
    if live is not None:
        close_soon(live.close)


def _http(target: Loaded, *, limit: int) -> aiohttp.ClientSession:
    """A session of at most `limit` connections (0: as many as it takes)."""
    connector = aiohttp.TCPConnector(
        limit=limit,
        keepalive_timeout=60,
        ssl=target.tls if target.tls is not None else True,
    )
    return aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=None),  # asyncio.timeout bounds every request
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("User-Agent",),
    )
