"""What both readers of Kubernetes objects share: list, then watch; their cursor, clock, pages."""

from __future__ import annotations

import hashlib
import time
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, ClassVar, Final

from console.clients.kubernetes.client import KubernetesClient
from console.clients.kubernetes.kinds import Selection
from console.clients.kubernetes.watch import Expired, ListPage, pages
from console.errors import Unreachable
from console.shapes import Shape
from console.unstructured import mapping, moment, sequence
from observability.engines.contracts import (
    OPEN,
    ChangePage,
    EventKind,
    FailureKind,
    RunRef,
    RunSnapshot,
    Status,
    TrailGap,
)
from observability.engines.deletion import GRACE
from observability.engines.ports import KnownRuns
from observability.engines.set_aside import SetAside
from observability.engines.unstructured import LAST, Object, event, namespace_of, text
from tenants.contracts import PlacementRef

MOST_RUNS: Final = 100
MOST_BYTES: Final = 8 * 2**20
"""Of documents in one page of changes; one that is larger goes alone."""
DUE_EVERY: Final = timedelta(seconds=60)
MOST_DUE: Final = 200
"""Runs whose clean-up is looked after at once; the others a minute later."""
LISTINGS: Final = 3
"""How often a list that expires half-way is begun."""
VANISHED: Final = "It was deleted while it was not being read: how it ended is not known."


class Clock:
    """The time, for a call that was told it once and then takes a while."""

    def __init__(self, now: datetime) -> None:
        self._now, self._began = now, time.monotonic()

    def now(self) -> datetime:
        """The time now."""
        return self._now + timedelta(seconds=time.monotonic() - self._began)


@dataclass(frozen=True, slots=True)
class Position:
    """Where reading goes on: resource versions by kind, what they were read for, and when.

    `extra` are namespaces without a placement in which runs of ours are still open. `more` is what
    a source keeps besides.
    """

    versions: Mapping[str, str]
    places: str
    heard_at: datetime
    due_at: datetime
    extra: tuple[str, ...] = ()
    more: Mapping[str, Any] | None = None

    def cursor(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "versions": dict(self.versions),
            "places": self.places,
            "heard_at": self.heard_at.isoformat(),
            "due_at": self.due_at.isoformat(),
            "extra": list(self.extra),
            "more": dict(self.more or {}),
        }

    def at(self, versions: Mapping[str, str], now: datetime) -> Position:
        """The position after these versions."""
        return replace(self, versions={**self.versions, **versions}, heard_at=now)


def position_of(cursor: Mapping[str, Any], kinds: Iterable[str]) -> Position | None:
    """The position behind a cursor; None when it cannot be gone on from."""
    versions = {kind: text(mapping(cursor.get("versions")).get(kind), 40) for kind in kinds}
    heard_at, due = moment(cursor.get("heard_at")), moment(cursor.get("due_at"))
    if not all(versions.values()) or heard_at is None or due is None:
        return None
    extra = tuple(name for name in sequence(cursor.get("extra")) if isinstance(name, str))
    more = mapping(cursor.get("more"))
    return Position(versions, text(cursor.get("places"), 64), heard_at, due, extra, more)


def places_of(placements: Sequence[PlacementRef]) -> frozenset[str]:
    """The namespaces of tenants."""
    return frozenset(placement.location for placement in placements if placement.location)


def digest_of(places: Iterable[str], *more: str) -> str:
    """Stands for the namespaces (and options): another one means that there is more to read."""
    return hashlib.sha256("\n".join([*sorted(places), "", *more]).encode()).hexdigest()[:32]


def packed(runs: Iterable[RunSnapshot]) -> Iterator[tuple[RunSnapshot, ...]]:
    """Runs in pages that are bounded in number and bytes."""
    page: list[RunSnapshot] = []
    size = 0
    for run in runs:
        weight = len(run.document or b"")
        if page and (len(page) >= MOST_RUNS or size + weight > MOST_BYTES):
            yield tuple(page)
            page, size = [], 0
        page.append(run)
        size += weight
    if page:
        yield tuple(page)


def change_pages(
    runs: Iterable[RunSnapshot], before: Mapping[str, Any], after: Position
) -> Iterator[ChangePage]:
    """Pages of runs; only the last one moves the cursor."""
    held: tuple[RunSnapshot, ...] = ()
    for page in packed(runs):
        if held:
            yield ChangePage(held, before)
        held = page
    yield ChangePage(held, after.cursor())


def gap_since(position: Position | None, now: datetime) -> tuple[TrailGap, ...]:
    """The time about which the cluster can no longer tell what happened."""
    if position is None:
        return ()
    cause = "The cluster no longer knows what changed in between; what is there was read again."
    return (TrailGap(min(position.heard_at, now), now, cause),)


def vanished_run(ref: RunRef, now: datetime) -> RunSnapshot:
    """A run that we know and that the engine no longer has, and nobody saw it go."""
    numbers, _, flags = ref.revision.partition(" ")
    is_open = ref.status in OPEN
    gone = event(
        now,
        EventKind.DELETED if is_open else EventKind.CLEANUP,
        "Vanished" if is_open else "Removed",
        "deleted" if is_open else "cleaned",
        seq=LAST,
        message=VANISHED if is_open else "It was gone at the next look.",
    )
    return RunSnapshot(
        external_id=ref.external_id,
        run_id=ref.run_id,
        location=ref.location,
        type="",
        status=Status.DELETED if is_open else ref.status,
        created_at=ref.created_at,
        revision=f"{numbers}.1 {flags}g",
        closed_at=now if is_open else None,
        failure=VANISHED if is_open else "",
        failure_kind=FailureKind.OTHER if is_open else FailureKind.NONE,
        cleaned_at=None if is_open else now,
        events=(gone,),
    )


Missing = dict[tuple[str, str], RunRef]
"""Runs that we know and that no list has shown yet, by external id and run id."""


class ListAndWatch(ABC):
    """One call of `changes`: lists at first, then a watch, and now and then what is due."""

    kinds: ClassVar[tuple[str, ...]]
    noun: ClassVar[str]
    """What is listed, for messages."""
    shape: ClassVar[Shape]
    """What is read of the first of the kinds, or of its document."""

    def __init__(
        self, placements: Sequence[PlacementRef], known: KnownRuns, now: datetime, *options: str
    ) -> None:
        """`options` are what else a cursor is good for: with others, all is read again."""
        self._known, self._clock = known, Clock(now)
        self._places = places_of(placements)
        self._digest = digest_of(self._places, *options)
        self._set_aside = SetAside(self.kinds[0], self.shape)

    def pages(self, cursor: Mapping[str, Any], wait: float) -> Iterator[ChangePage]:
        """Everything when nothing is known, then what changes until nothing has for `wait`
        seconds; each page with what could not be read on the way to it."""
        for page in self._pages(cursor, wait):
            unreadable = self._set_aside.take()
            yield replace(page, unreadable=unreadable) if unreadable else page

    def _pages(self, cursor: Mapping[str, Any], wait: float) -> Iterator[ChangePage]:
        position = position_of(cursor, self.kinds)
        if position is None or position.places != self._digest:
            position = yield from self._list_all(cursor, None)
        elif position.due_at <= self._clock.now():
            position = yield from self._due(position)
        self._position = position
        try:
            yield from self._watch(wait)
        except Expired:
            lost = self._position
            self._position = yield from self._list_all(lost.cursor(), lost)
            yield from self._watch(wait)

    @abstractmethod
    def _list(
        self, before: Mapping[str, Any], lost: Position | None
    ) -> Generator[ChangePage, None, Position]:
        """Everything that is there and every run of ours that is not; `lost` is where the cluster
        could not go on from."""

    @abstractmethod
    def _watch(self, wait: float) -> Iterator[ChangePage]:
        """What changes from the position on, which it moves, until nothing has for `wait`."""

    @abstractmethod
    def _due_run(self, ref: RunRef) -> RunSnapshot | None:
        """A run that should be gone, as it is; None when that was said before."""

    def _list_all(
        self, before: Mapping[str, Any], lost: Position | None
    ) -> Generator[ChangePage, None, Position]:
        """The lists; those that expire half-way are begun anew."""
        for _ in range(LISTINGS):
            try:
                return (yield from self._list(before, lost))
            except Expired:
                continue
        raise Unreachable(f"list {self.noun}: the list expired {LISTINGS} times")

    def _due(self, position: Position) -> Generator[ChangePage, None, Position]:
        """Looks after runs that should have removed themselves: a watch is silent about what does
        not happen."""
        now = self._clock.now()
        after = replace(position, due_at=now + DUE_EVERY)
        refs = islice(self._known.due_runs(now - GRACE), MOST_DUE)
        runs = (run for ref in refs if (run := self._due_run(ref)) is not None)
        yield from change_pages(runs, position.cursor(), after)
        return after

    def _missing(self) -> tuple[Missing, frozenset[str]]:
        """The runs that a list is to show, and the namespaces of open ones without a placement."""
        missing = {(ref.external_id, ref.run_id): ref for ref in self._known.open_runs()}
        extra = frozenset(ref.location for ref in missing.values()) - self._places
        due = self._known.due_runs(self._clock.now() - GRACE)
        missing |= {(ref.external_id, ref.run_id): ref for ref in due}
        return missing, extra

    def _gone(
        self, missing: Missing, before: Mapping[str, Any], after: Position, lost: Position | None
    ) -> Iterator[ChangePage]:
        """The runs that no list has shown, and the gap since `lost`: the end of the lists."""
        at = after.heard_at
        runs = (vanished_run(ref, self._clock.now()) for ref in missing.values())
        for page in change_pages(runs, before, after):
            yield replace(page, gaps=gap_since(lost, at), through=at)


class Column:
    """One kind's list, read page by page and taken namespace by namespace.

    The API server lists in the order of its keys, `NAMESPACE/NAME`.
    """

    def __init__(self, client: KubernetesClient, selection: Selection, size: int = 500) -> None:
        self._pages = pages(client, selection, size=size)
        self._page: ListPage = next(self._pages)
        self._next = 0
        self.version = self._page.version

    def head(self) -> Object | None:
        """The next object; None at the end."""
        while self._next >= len(self._page.objects):
            page = next(self._pages, None)
            if page is None:
                return None
            self._page, self._next = page, 0
        return self._page.objects[self._next]

    def __iter__(self) -> Iterator[Object]:
        while (head := self.head()) is not None:
            self._next += 1
            yield head

    def take(self, namespace: str) -> list[Object]:
        """The objects of a namespace; those of the namespaces before it are passed over."""
        objects: list[Object] = []
        while (head := self.head()) is not None:
            key = f"{namespace_of(head)}/"
            if key > f"{namespace}/":
                break
            self._next += 1
            if key == f"{namespace}/":
                objects.append(head)
        return objects
