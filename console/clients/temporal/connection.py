"""One Temporal frontend: a lazy, pid-keyed connection, typed errors, bounded retries."""

from __future__ import annotations

import asyncio
import os
import random
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, TypeVar

from google.protobuf.message import DecodeError, Message
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.service import (
    ConnectConfig,
    RetryConfig,
    RPCError,
    RPCStatusCode,
    ServiceClient,
    TLSConfig,
)

from console.backoff import backoff
from console.clients.bridge import closes_at_stop, offload
from console.clients.contracts import RequestCounter
from console.clients.credentials import Secret, parse_secret
from console.clients.foreign_words import foreign_words
from console.clients.loopback import is_loopback
from console.errors import Conflict, ExternalError, NotFound, Refused, Throttled, Unreachable

T = TypeVar("T")
Select = Callable[[ServiceClient], Callable[..., Awaitable[T]]]

_ADDRESS: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[\w.-]+)(:\d+)?", re.ASCII)
STAMP_CHECK_SECONDS: Final = 0.5
ATTEMPTS: Final = 20  # the server's own limits free a call every 0.05 to 0.1 s
ATTEMPTS_WITHOUT_ANSWER: Final = 3
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 2.0

# One runtime (a thread pool in Rust) per process. Explicit, because a child of a fork may not use
# the default one, and without logging, because that goes to stdout.
_runtimes: dict[int, Runtime] = {}


class _RuntimeCloser:
    """Drops the runtime, and with it its threads, when the bridge stops."""

    async def close(self) -> None:
        """Drop this process's runtime; the last connection that lets go of it ends it."""
        _runtimes.pop(os.getpid(), None)


_closer = _RuntimeCloser()
closes_at_stop(_closer)

_WAIT = {RPCStatusCode.RESOURCE_EXHAUSTED}
TOO_LARGE: Final = "too_large"
UNDECODABLE: Final = "undecodable"
"""Codes of a Refused: an answer that no client may hold, and one that no client can decode."""
_OVERSIZED = {RPCStatusCode.RESOURCE_EXHAUSTED, RPCStatusCode.OUT_OF_RANGE}
_TOO_LARGE = re.compile(r"size limit|length too large|larger than max", re.IGNORECASE)
_UNDECODABLE = "failed to decode Protobuf message"
_AWAY = {
    RPCStatusCode.UNAVAILABLE,
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.CANCELLED,
    RPCStatusCode.INTERNAL,
    RPCStatusCode.UNKNOWN,
    RPCStatusCode.DATA_LOSS,
}
_REFUSED = {
    RPCStatusCode.INVALID_ARGUMENT: "invalid",
    RPCStatusCode.PERMISSION_DENIED: "forbidden",
    RPCStatusCode.UNAUTHENTICATED: "unauthenticated",
    RPCStatusCode.UNIMPLEMENTED: "not_supported",
}


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach and enter a server; everything secret is a credential reference.

    `tls` None means: TLS when any credential is given (an API key never travels in the clear by
    accident), plain otherwise.
    """

    address: str
    tls: bool | None = None
    api_key: str = ""
    client_cert: str = ""
    client_key: str = ""
    server_ca: str = ""
    server_name: str = ""

    def references(self) -> tuple[str, ...]:
        """The credential references in use."""
        every = (self.api_key, self.client_cert, self.client_key, self.server_ca)
        return tuple(reference for reference in every if reference)

    def stamp(self) -> tuple[str, ...]:
        """Changes when one of the credentials may have changed."""
        return tuple(parse_secret(reference).stamp() for reference in self.references())


@dataclass(slots=True)
class _ProcessClient:
    client: ServiceClient
    stamp: tuple[str, ...]
    stamped_at: float
    api_key: Secret | None = field(default=None, repr=False)


class Connection:
    """Calls to one server. Everything here runs on the bridge's loop."""

    def __init__(self, access: Access) -> None:
        self._access = access
        for reference in access.references():
            parse_secret(reference)  # a malformed one should fail here, not at the first call
        if access.api_key and access.tls is False and not is_loopback(_host(access.address)):
            raise Refused(
                "an API key is sent without TLS to this machine only; leave out tls: false",
                code="credential",
            )
        # Per process; what a fork inherits is kept but never used (the SDK forbids it).
        self._live: dict[int, _ProcessClient] = {}
        self._connect_locks: dict[int, asyncio.Lock] = {}
        self.counter = RequestCounter()
        closes_at_stop(self)

    async def call(
        self,
        select: Select[T],
        request: Message,
        *,
        what: str,
        deadline: float,
        write: bool = False,
        attempts: int = ATTEMPTS,
    ) -> T:
        """One RPC, repeated while the server is busy or away and `deadline` allows it.

        `select` picks the method: `lambda c: c.workflow_service.describe_namespace`.
        """
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self._attempt(select, request, what, deadline, write=write)
            except ExternalError as problem:
                pause = _pause(problem, attempt, attempts, deadline)
                if pause is None:
                    raise
            self.counter.retries += 1
            await asyncio.sleep(pause)

    async def close(self) -> None:
        """Drop this process's connection; the next call opens another."""
        self._live.pop(os.getpid(), None)
        self._connect_locks.pop(os.getpid(), None)  # the next loop needs a lock of its own

    async def _attempt(
        self, select: Select[T], request: Message, what: str, deadline: float, *, write: bool
    ) -> T:
        loop = asyncio.get_running_loop()
        left = deadline - loop.time()
        if left <= 0:
            raise Unreachable(f"{what}: no time left")
        if write:
            self.counter.writes += 1
        else:
            self.counter.reads += 1
        live: _ProcessClient | None = None
        try:
            # The RPC has its own timeout as well, so that the server hears of it; ours is final.
            async with asyncio.timeout(left):
                live = await self._ready()
                return await select(live.client)(
                    request, retry=False, timeout=timedelta(seconds=left)
                )
        except RPCError as problem:
            raise _typed(what, problem, live.api_key if live else None) from None
        except DecodeError as problem:
            raise _undecodable(what, str(problem)) from None
        except TimeoutError:
            raise Unreachable(f"{what}: no answer in time") from None
        except (RuntimeError, OSError, ValueError) as problem:
            # The SDK raises a bare RuntimeError when it cannot connect.
            raise Unreachable(f"{what}: {_reason(problem)}") from None

    async def _ready(self) -> _ProcessClient:
        pid = os.getpid()
        loop = asyncio.get_running_loop()
        live = self._live.get(pid)
        if live is not None and loop.time() < live.stamped_at + STAMP_CHECK_SECONDS:
            return live
        async with self._connect_locks.setdefault(pid, asyncio.Lock()):
            stamp = self._access.stamp()
            live = self._live.get(pid)
            if live is None or live.stamp != stamp:
                live = await self._open(stamp)
            live.stamped_at = loop.time()
            self._live[pid] = live
            return live

    async def _open(self, stamp: tuple[str, ...]) -> _ProcessClient:
        api_key, tls = await offload(lambda: _material(self._access))
        if os.getpid() not in _runtimes:
            _runtimes[os.getpid()] = Runtime(telemetry=TelemetryConfig(logging=None))
        client = await ServiceClient.connect(
            ConnectConfig(
                target_host=self._access.address,
                api_key=api_key.value if api_key else None,
                tls=tls,
                retry_config=RetryConfig(max_retries=0),
                lazy=True,
                identity=f"headroom@{os.getpid()}",
                runtime=_runtimes[os.getpid()],
            )
        )
        return _ProcessClient(client, stamp, 0.0, api_key)


def _material(access: Access) -> tuple[Secret | None, TLSConfig | bool]:
    """Read the credentials. Blocking."""
    api_key = parse_secret(access.api_key).read() if access.api_key else None
    use_tls = bool(access.references()) if access.tls is None else access.tls
    if api_key:
        api_key.token()
    if not use_tls:
        return api_key, False
    return api_key, TLSConfig(
        server_root_ca_cert=_bytes(access.server_ca),
        client_cert=_bytes(access.client_cert),
        client_private_key=_bytes(access.client_key),
        domain=access.server_name or None,
    )


def _bytes(reference: str) -> bytes | None:
    return parse_secret(reference).read().value.encode() if reference else None


def _host(address: str) -> str:
    """HOST of HOST:PORT; of an IPv6 address what stands in its brackets. Empty for what is read in
    more than one way: the SDK's reader is not ours."""
    match = _ADDRESS.fullmatch(address)
    return match["host"].strip("[]") if match else ""


def _typed(what: str, problem: RPCError, secret: Secret | None) -> ExternalError:
    words = problem.message if secret is None else secret.scrub(problem.message)
    message = f"{what}: {foreign_words(words)}"
    status = problem.status
    if unreadable := _unreadable(what, problem, message):
        return unreadable
    if status in _WAIT:
        return Throttled(message)
    if status in _AWAY:
        return Unreachable(message)
    if status is RPCStatusCode.NOT_FOUND:
        return NotFound(message)
    if status is RPCStatusCode.ALREADY_EXISTS:
        return Conflict(message)
    if status is RPCStatusCode.ABORTED:
        return Conflict(message, retryable=True)
    return Refused(message, code=_REFUSED.get(status, "refused"))


def _unreadable(what: str, problem: RPCError, message: str) -> Refused | None:
    """An answer that came and that we cannot take."""
    if problem.status in _OVERSIZED and _TOO_LARGE.search(problem.message):
        return Refused(message, code=TOO_LARGE)
    _, marker, why = problem.message.partition(_UNDECODABLE)
    if problem.status is RPCStatusCode.INTERNAL and marker:
        return _undecodable(what, why)
    return None


def _undecodable(what: str, why: str) -> Refused:
    """The server passes on what no client can decode: fields of a wrong type, a chain of causes
    deeper than a parser goes. Somebody wrote it; asking again will not mend it."""
    # The innermost field comes first, and what is wrong with it last.
    where, _, fault = why.strip(" :").rpartition(": ")
    problem = f"{where[:120]}: {fault[:120]}" if where else fault[:240]
    return Refused(f"{what}: the answer cannot be decoded ({problem})", code=UNDECODABLE)


def _reason(problem: Exception) -> str:
    """The first line of what the SDK says, without the Rust debug output after it."""
    lines = str(problem).splitlines()
    return foreign_words(lines[0], 200) if lines else type(problem).__name__


def _pause(problem: ExternalError, attempt: int, attempts: int, deadline: float) -> float | None:
    most = min(attempts, ATTEMPTS_WITHOUT_ANSWER) if isinstance(problem, Unreachable) else attempts
    if not problem.retryable or attempt >= most:
        return None
    spread = random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, no secret
    pause = backoff(attempt, first=FIRST_PAUSE, longest=LONGEST_PAUSE, spread=spread)
    return pause if asyncio.get_running_loop().time() + pause < deadline else None
