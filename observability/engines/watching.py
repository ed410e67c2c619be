"""What both readers of Kubernetes objects share: their cursor, their clock, their pages."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from console.clients.kubernetes.client import KubernetesClient
from console.clients.kubernetes.watch import Page, Want, pages
from observability.engines.contracts import (
    OPEN,
    ChangePage,
    EventKind,
    FailureKind,
    GapSeen,
    RunRef,
    RunSeen,
    Status,
)
from observability.engines.unstructured import (
    LAST,
    Object,
    event,
    mapping,
    moment,
    namespace_of,
    sequence,
    text,
)
from tenants.contracts import PlacementRef

MOST_RUNS: Final = 100
MOST_BYTES: Final = 8 * 2**20
"""Of documents in one page of changes; one that is larger goes alone."""
DUE_EVERY: Final = timedelta(seconds=60)
VANISHED: Final = "It vanished while nobody was looking: how it ended is not known."


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
    heard, due = moment(cursor.get("heard_at")), moment(cursor.get("due_at"))
    if not all(versions.values()) or heard is None or due is None:
        return None
    extra = tuple(one for one in sequence(cursor.get("extra")) if isinstance(one, str))
    more = mapping(cursor.get("more"))
    return Position(versions, text(cursor.get("places"), 64), heard, due, extra, more)


def places_of(placements: Sequence[PlacementRef]) -> frozenset[str]:
    """The namespaces of tenants."""
    return frozenset(one.location for one in placements if one.location)


def digest_of(places: Iterable[str], *more: str) -> str:
    """Stands for the namespaces (and options): another one means that there is more to read."""
    return hashlib.sha256("\n".join([*sorted(places), "", *more]).encode()).hexdigest()[:32]


def packed(runs: Iterable[RunSeen]) -> Iterator[tuple[RunSeen, ...]]:
    """Runs in pages that are bounded in number and bytes."""
    page: list[RunSeen] = []
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
    runs: Iterable[RunSeen], before: Mapping[str, Any], after: Position
) -> Iterator[ChangePage]:
    """Pages of runs; only the last one moves the cursor."""
    held: tuple[RunSeen, ...] = ()
    for page in packed(runs):
        if held:
            yield ChangePage(held, before)
        held = page
    yield ChangePage(held, after.cursor())


def gap_since(position: Position | None, now: datetime) -> tuple[GapSeen, ...]:
    """The time about which the cluster can no longer tell what happened."""
    if position is None:
        return ()
    cause = "The cluster no longer knows what changed in between; what is there was read again."
    return (GapSeen(min(position.heard_at, now), now, cause),)


def vanished_run(ref: RunRef, now: datetime) -> RunSeen:
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
    return RunSeen(
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


class Column:
    """One kind's list, read page by page and taken namespace by namespace.

    The API server lists in the order of its keys, `NAMESPACE/NAME`.
    """

    def __init__(self, client: KubernetesClient, want: Want, size: int = 500) -> None:
        self._pages = pages(client, want, size=size)
        self._page: Page = next(self._pages)
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
        found: list[Object] = []
        while (head := self.head()) is not None:
            key = f"{namespace_of(head)}/"
            if key > f"{namespace}/":
                break
            self._next += 1
            if key == f"{namespace}/":
                found.append(head)
        return found
