"""Applying many manifests at once, in an order that the API server accepts.

Everything of one namespace waits for that Namespace object, and for nothing else. The requests run
on the bridge's loop; results are handed over to the thread that asked.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import queue
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import structlog

from console import deadline
from console.clients import bridge
from console.clients.contracts import AppliedObject
from console.clients.kubernetes.calls import Calls
from console.clients.kubernetes.errors import NoAnswer
from console.clients.kubernetes.kinds import ResourceName, resource_name_of
from console.errors import Conflict, ExternalError, Unexpected, Unreachable

log = structlog.get_logger(__name__)

Manifest = Mapping[str, Any]
GATHER_SECONDS: Final = 0.02
"""How long results may gather before they are handed over together."""
GONE_AFTER: Final = 3
"""After so many requests in a row that got no answer at all the target counts as gone."""


class ApplyMany:
    """Many manifests, one result each; `query` is calls.apply_query's.

    `on_result` runs in the calling thread (it may write to that thread's database connection)
    while the loop's thread goes on with the requests.
    """

    def __init__(
        self,
        calls: Calls,
        manifests: Sequence[Manifest],
        query: str,
        on_result: Callable[[AppliedObject], None] | None,
    ) -> None:
        self._calls = calls
        self._manifests = manifests
        self._query = query
        self._on_result = on_result
        self._results: list[AppliedObject | None] = [None] * len(manifests)
        self._arrived: queue.SimpleQueue[AppliedObject | None] = queue.SimpleQueue()
        self._ready: deque[tuple[int, ResourceName]] = deque()
        self._waiting: dict[str, list[tuple[int, ResourceName]]] = {}
        self._silent = 0
        self._free = 0
        self._deadline = 0.0
        self._group: asyncio.TaskGroup

    # -- in the thread that asked ------------------------------------------------------------

    def run(self, concurrency: int, timeout: float) -> list[AppliedObject]:
        """All results in the order of the manifests, within `timeout` seconds (about)."""
        timeout = deadline.bounded(timeout)
        end = time.monotonic() + timeout + bridge.GRACE
        future = bridge.submit(self._work_all(concurrency, timeout))
        try:
            self._hand_over(end)
            # Over by now, or hopeless; an error in here is ours and must not pass silently.
            future.result(max(0.0, end - time.monotonic()))
        except (TimeoutError, concurrent.futures.CancelledError):
            pass  # what has no result is reported below
        finally:
            future.cancel()
        return [
            result
            if result is not None
            else _failed(manifest, Unreachable(f"not applied within {timeout:g} s"))
            for manifest, result in zip(self._manifests, self._results, strict=True)
        ]

    def _hand_over(self, end: float) -> None:
        """Call `on_result` for what arrives, until the run has ended or the time is over."""
        left = len(self._manifests)
        while True:
            try:
                result = self._arrived.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                return
            if result is None:
                return
            if self._on_result is not None:
                self._on_result(result)
            left -= 1
            if left and self._arrived.empty():
                # Waking for each result takes the processor from the loop that sends requests.
                time.sleep(GATHER_SECONDS)

    # -- on the loop -------------------------------------------------------------------------

    async def _work_all(self, concurrency: int, seconds: float) -> None:
        self._deadline = asyncio.get_running_loop().time() + seconds
        self._free = concurrency
        try:
            self._sort()
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
                self._group = group
                self._recruit()
        finally:
            self._arrived.put(None)

    def _sort(self) -> None:
        """Tell what may start now from what needs its Namespace first."""
        later: list[tuple[int, ResourceName]] = []
        for index, manifest in enumerate(self._manifests):
            try:
                place = resource_name_of(manifest)
            except ExternalError as error:
                self._report(index, _failed(manifest, error))
                continue
            if place.kind.name == "Namespace":
                self._waiting.setdefault(place.name, [])
                self._ready.append((index, place))
            else:
                later.append((index, place))
        for index, place in later:
            if place.namespace in self._waiting:
                self._waiting[place.namespace].append((index, place))
            else:
                self._ready.append((index, place))

    def _recruit(self) -> None:
        """Start workers for what is ready, as many as are free."""
        for _ in range(min(self._free, len(self._ready))):
            self._free -= 1
            self._group.create_task(self._work())

    async def _work(self) -> None:
        while self._ready:
            index, place = self._ready.popleft()
            error = await self._apply(index, place)
            if place.kind.name == "Namespace":
                self._release(place.name, error)
                self._recruit()
        self._free += 1

    async def _apply(self, index: int, place: ResourceName) -> ExternalError | None:
        key = (place.kind.name, place.namespace, place.name)
        if self._silent >= GONE_AFTER:
            gone = NoAnswer(f"apply {place}: not tried, the target does not answer")
            self._report(index, AppliedObject(*key, error=gone))
            return gone
        manifest = self._manifests[index]
        try:
            stored = await self._calls.apply(place, manifest, self._query, self._deadline)
        except ExternalError as error:
            self._silent = self._silent + 1 if isinstance(error, NoAnswer) else 0
            self._report(index, AppliedObject(*key, error=error))
            return error
        except Exception as problem:
            # One manifest that we cannot send keeps no other from being sent.
            log.exception("apply.failed", object=str(place))
            self._report(index, AppliedObject(*key, error=Unexpected(problem)))
            return Unexpected(problem)
        self._silent = 0
        self._report(index, AppliedObject(*key, object=stored))
        return None

    def _release(self, namespace: str, error: ExternalError | None) -> None:
        """Let a Namespace's objects start, or report its failure for them.

        A Namespace that another manager contests exists: its objects can still be applied.
        """
        waiting = self._waiting.pop(namespace, [])
        if error is None or isinstance(error, Conflict):
            self._ready.extendleft(reversed(waiting))
            return
        for index, place in waiting:
            key = (place.kind.name, place.namespace, place.name)
            self._report(index, AppliedObject(*key, error=error))

    def _report(self, index: int, result: AppliedObject) -> None:
        self._results[index] = result
        if self._on_result is not None:  # waking the caller for nothing costs speed
            self._arrived.put(result)


def _failed(manifest: Manifest, error: ExternalError) -> AppliedObject:
    """The failed outcome of a manifest, by what it calls itself."""
    metadata = manifest.get("metadata") or {}
    return AppliedObject(
        str(manifest.get("kind", "")),
        str(metadata.get("namespace", "")),
        str(metadata.get("name", "")),
        error=error,
    )
