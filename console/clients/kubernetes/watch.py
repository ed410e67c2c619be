"""Reading what changes in a cluster: pages of a list, and watches that go on from them.

Both are sync iterators that work through a KubernetesClient's session. They hold little: one page
at a time, and of the watches what has come but was not taken yet, up to a bound that then holds
back the server. Stopping to iterate (or closing the generator) ends the connections.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import structlog

from console import lenient_json
from console.clients import bridge
from console.clients.kubernetes.buffer import Buffer
from console.clients.kubernetes.calls import LONGEST_TOKEN, Calls, Object, Objects
from console.clients.kubernetes.client import KubernetesClient
from console.clients.kubernetes.errors import from_answer
from console.clients.kubernetes.kinds import Selection, kind_of
from console.errors import ExternalError, Refused, Unreachable
from console.unstructured import mapping, mappings, text, whole

log = structlog.get_logger(__name__)

UNREADABLE: Final = "UNREADABLE"
_VERBS: Final = frozenset({"ADDED", "MODIFIED", "DELETED", "BOOKMARK"})
LONGEST_VERSION: Final = 64
LONGEST_LINE: Final = 64 * 2**20
"""Bytes of one change; etcd keeps no object near this size."""
SETTLING: Final = 0.4
"""Seconds without news after which a watch has told what was there when it began."""
LATE: Final = 0.1
"""Seconds. A silence that we noticed later than this says nothing."""
PULSE: Final = 2.0
"""Seconds between signs of life while nothing happens."""
OURS: Final = 30.0
"""Seconds that our own loop may take for what waits for nobody; at most, on a machine that stands
still."""


class Expired(Refused):
    """The server no longer has the changes since a version: list again."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="expired")


@dataclass(frozen=True, slots=True)
class ListPage:
    """Part of a list. `version` is the same on every page: a watch from it misses nothing."""

    objects: Objects
    version: str


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One line of a watch: `verb` is ADDED, MODIFIED, DELETED or BOOKMARK (only a version), or
    UNREADABLE for a line that says something else; its object is empty then."""

    selection: Selection
    verb: str
    object: Object
    version: str


def pages(
    client: KubernetesClient, selection: Selection, *, size: int = 500, timeout: float = 60.0
) -> Iterator[ListPage]:
    """A list, page by page, one request each (`timeout` seconds). Raises Expired when the server
    forgot the rest of it half-way: begin again."""
    calls = Calls(client.session)
    token = ""
    while True:
        query = selection.query(limit=str(size), **{"continue": token})

        async def one(deadline: float, query: str = query) -> Object:
            return await calls.send(
                "GET", selection.path(), f"list {selection}", deadline, query=query
            )

        try:
            answer = client.run(one, timeout)
        except Refused as refused:
            if refused.code == "expired":
                raise Expired(refused.message) from None
            raise
        metadata = mapping(answer.get("metadata"))
        items = mappings(answer.get("items"))
        name, version = kind_of(selection.kind).name, kind_of(selection.kind).api_version
        for item in items:  # a list leaves these out of its items
            item.setdefault("kind", name)
            item.setdefault("apiVersion", version)
        before, token = token, text(metadata.get("continue"), LONGEST_TOKEN)
        yield ListPage(items, text(metadata.get("resourceVersion"), LONGEST_VERSION))
        if not token:
            return
        if token == before:
            raise Unreachable(f"list {selection}: the list does not go on")


def watch(
    client: KubernetesClient,
    versions: Mapping[Selection, str],
    *,
    quiet: float,
    seconds: float = 300.0,
    gather: float = 0.0,
    room: int = 1000,
) -> Generator[list[WatchEvent], None, None]:
    """What changed since `versions`, in batches of what came together, side by side for all.

    After the first of a batch others may come for `gather` seconds. An empty batch says that
    everything until now has been told; while nothing happens there is one every PULSE seconds.

    Ends when nothing came for `quiet` seconds (never before what was there at the start has been
    told) or after `seconds`. Raises Expired when a version is too old; a stream that breaks raises
    its error after what came before it has been given.
    """
    buffer = Buffer(room)
    watches = _Watches(client, versions, buffer, seconds)
    future = bridge.submit(watches.run())
    end = time.monotonic() + seconds
    last_event_at, wait = time.monotonic(), SETTLING
    try:
        while (now := time.monotonic()) < end:
            wait = min(wait, end - now)
            lines, over = _take(buffer, wait, gather)
            if lines:
                last_event_at, wait = time.monotonic(), SETTLING
                yield [_parsed(selection, line) for selection, line in lines]
            elif over:
                _settle(future)
                return
            elif pause := watches.unsettled(late=time.monotonic() - now - wait):
                wait = pause
            else:
                yield []
                left = last_event_at + quiet - time.monotonic()
                if left <= 0:
                    return
                wait = min(PULSE, left)
    finally:
        future.cancel()


def _take(buffer: Buffer, wait: float, gather: float) -> tuple[list[tuple[Selection, bytes]], bool]:
    """What comes within `wait` seconds, and a little later, and whether that was the last."""
    lines, over = bridge.run(partial(buffer.take, wait), wait + OURS)
    if lines and gather and not over:
        time.sleep(gather)
        more, over = bridge.run(partial(buffer.take, 0.0), OURS)
        lines += more
    return lines, over


def _settle(future: concurrent.futures.Future[None]) -> None:
    """Raise what ended the watches, if it was not the server's time."""
    try:
        future.result(OURS)
    except concurrent.futures.CancelledError:
        raise Unreachable("the watch was cancelled because the process is stopping") from None


class _Watches:
    """One connection per kind, until all have ended or one has failed."""

    def __init__(
        self,
        client: KubernetesClient,
        versions: Mapping[Selection, str],
        buffer: Buffer,
        seconds: float,
    ) -> None:
        self._client = client
        self._versions = versions
        self._buffer = buffer
        self._seconds = max(1, round(seconds))
        self._opened = 0
        self._settled_at = 0.0

    def unsettled(self, *, late: float) -> float:
        """Seconds in which silence does not say yet that all has been told. Who is slow to open a
        watch is slow to fill it; after a wait that ended `late` we may just not have listened."""
        if self._opened < len(self._versions) or late > LATE:
            return SETTLING
        return max(0.0, self._settled_at - time.monotonic())

    async def run(self) -> None:
        """Read all of them into the buffer."""
        tasks = [
            asyncio.create_task(self._one(selection, version))
            for selection, version in self._versions.items()
        ]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await self._buffer.finish()

    async def _one(self, selection: Selection, version: str) -> None:
        what, begun = f"watch {selection}", time.monotonic()
        query = selection.query(
            watch="true",
            resourceVersion=version,
            allowWatchBookmarks="true",
            timeoutSeconds=str(self._seconds),
        )
        stream = self._client.session.stream(selection.path(), what=what, query=query)
        try:
            async with stream as body:
                now = time.monotonic()
                self._settled_at = max(self._settled_at, now + max(SETTLING, 2 * (now - begun)))
                self._opened += 1
                rest = bytearray()
                async for chunk in body.iter_any():
                    rest += chunk
                    if b"\n" in chunk:
                        await self._hand_over(selection, rest)
                    if len(rest) > LONGEST_LINE:
                        raise Refused(f"{what}: one change is too large", code="too_large")
        except Refused as refused:
            if refused.code == "expired":
                raise Expired(refused.message) from None
            raise

    async def _hand_over(self, selection: Selection, rest: bytearray) -> None:
        """Move the whole lines of `rest` to the buffer."""
        *lines, last = bytes(rest).split(b"\n")
        rest[:] = last
        for line in lines:
            if line:
                await self._buffer.put(selection, line)


def _parsed(selection: Selection, line: bytes) -> WatchEvent:
    """A change from its line; raises what an ERROR line says."""
    try:
        event = mapping(lenient_json.loads(line))
    except ValueError:
        raise Unreachable(f"watch {selection}: a line is not JSON") from None
    verb, object_ = text(event.get("type"), 20), event.get("object")
    if verb == "ERROR":
        raise _problem(f"watch {selection}", object_)
    if verb not in _VERBS or not isinstance(object_, dict):
        log.warning("watch.unreadable", selection=str(selection), verb=verb)
        return WatchEvent(selection, UNREADABLE, {}, "")
    metadata = mapping(object_.get("metadata"))
    version = text(metadata.get("resourceVersion"), LONGEST_VERSION)
    return WatchEvent(selection, verb, object_, version)


def _problem(what: str, status: Any) -> ExternalError:
    code = whole(mapping(status).get("code")) or 500
    problem = from_answer(what, code, lenient_json.dumps(status), {})
    return Expired(problem.message) if problem.code == "expired" else problem
