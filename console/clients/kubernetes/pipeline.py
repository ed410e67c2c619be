"""Applying many manifests at once, in an order that the API server accepts.

Chains: everything of one namespace waits for that Namespace object, and for nothing else.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from console.clients.contracts import Applied
from console.clients.kubernetes.kinds import Place, place_of
from console.clients.kubernetes.problems import NoAnswer
from console.errors import Conflict, ExternalError

Manifest = Mapping[str, Any]
ApplyOne = Callable[[Place, Manifest], Awaitable[Mapping[str, Any]]]
# After so many requests in a row that got no answer at all the target counts as gone.
GONE_AFTER = 3


class Pipeline:
    """One run over `manifests`; `report` is called once per manifest, in the order of finishing."""

    def __init__(
        self,
        manifests: Sequence[Manifest],
        apply_one: ApplyOne,
        report: Callable[[int, Applied], None],
    ) -> None:
        self._apply_one = apply_one
        self._report = report
        self._manifests = manifests
        self._ready: deque[tuple[int, Place]] = deque()
        self._waiting: dict[str, list[tuple[int, Place]]] = {}
        self._silent = 0
        self._free = 0
        self._group: asyncio.TaskGroup
        self._sort()

    async def run(self, concurrency: int) -> None:
        """Work until every manifest is reported."""
        self._free = concurrency
        async with asyncio.TaskGroup() as group:
            self._group = group
            self._recruit()

    def _recruit(self) -> None:
        """Start workers for what is ready, as many as are free."""
        for _ in range(min(self._free, len(self._ready))):
            self._free -= 1
            self._group.create_task(self._work())

    def _sort(self) -> None:
        """Tell what may start now from what needs its Namespace first."""
        later: list[tuple[int, Place]] = []
        for index, manifest in enumerate(self._manifests):
            try:
                place = place_of(manifest)
            except ExternalError as error:
                self._report(index, named(manifest, error))
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

    async def _work(self) -> None:
        while self._ready:
            index, place = self._ready.popleft()
            error = await self._one(index, place)
            if place.kind.name == "Namespace":
                self._release(place.name, error)
                self._recruit()
        self._free += 1

    async def _one(self, index: int, place: Place) -> ExternalError | None:
        key = (place.kind.name, place.namespace, place.name)
        if self._silent >= GONE_AFTER:
            gone = NoAnswer(f"apply {place}: not tried, the target does not answer")
            self._report(index, Applied(*key, error=gone))
            return gone
        try:
            stored = await self._apply_one(place, self._manifests[index])
        except ExternalError as error:
            self._silent = self._silent + 1 if isinstance(error, NoAnswer) else 0
            self._report(index, Applied(*key, error=error))
            return error
        self._silent = 0
        self._report(index, Applied(*key, object=stored))
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
            self._report(index, Applied(*key, error=error))


def named(manifest: Manifest, error: ExternalError) -> Applied:
    """The failed outcome of a manifest, by what it calls itself."""
    metadata = manifest.get("metadata") or {}
    return Applied(
        str(manifest.get("kind", "")),
        str(metadata.get("namespace", "")),
        str(metadata.get("name", "")),
        error=error,
    )
