"""A source read as ingest reads it, into memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from observability.engines.contracts import (
    OPEN,
    ChangePage,
    KnownRun,
    RunEvent,
    RunRef,
    RunSnapshot,
    Status,
    TrailGap,
)
from observability.engines.ports import EngineSource
from tenants.contracts import PlacementRef, TargetRef, Unreadable
from tests.waiting import PATIENCE

Place = tuple[str, str]


@dataclass
class Store:
    """What ingest would have stored: the last look at each run, all events, all documents."""

    runs: dict[Place, RunSnapshot] = field(default_factory=dict)
    events: dict[tuple[Place, int, str], RunEvent] = field(default_factory=dict)
    documents: dict[Place, bytes] = field(default_factory=dict)
    gaps: list[TrailGap] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    cursor: Mapping[str, Any] = field(default_factory=dict)
    known: dict[Place, KnownRun] = field(default_factory=dict)

    def open_runs(self) -> Iterator[RunRef]:
        """See ports.KnownRuns."""
        return iter([self._ref(run) for run in self.runs.values() if run.status in OPEN])

    def due_runs(self, now: datetime) -> Iterator[RunRef]:
        """See ports.KnownRuns."""
        due = [
            run
            for run in self.runs.values()
            if run.cleanup_at and run.cleanup_at < now and not run.cleaned_at
        ]
        return iter([self._ref(run) for run in due])

    def revisions(self, ids: Sequence[Place]) -> Mapping[Place, str]:
        """See ports.KnownRuns."""
        return {place: self.runs[place].revision for place in ids if place in self.runs}

    def types(self, ids: Sequence[Place]) -> Mapping[Place, str]:
        """See ports.KnownRuns."""
        return {place: self.runs[place].type for place in ids if place in self.runs}

    def details(self, ids: Sequence[Place]) -> Mapping[Place, KnownRun]:
        """See ports.KnownRuns."""
        return {place: self.known[place] for place in ids if place in self.known}

    def _know(self, run: RunSnapshot) -> None:
        """What the row of a run says after one more look, as ingest merges it."""
        place = (run.external_id, run.run_id)
        before = self.known.get(place, KnownRun())
        cleared = run.is_well or run.status in {Status.SUCCEEDED, Status.CONTINUED}
        is_known = cleared or bool(run.failure)
        self.known[place] = KnownRun(
            attempts=max(before.attempts, run.attempts or 0),
            failure=run.failure if is_known else before.failure,
            failure_kind=run.failure_kind.value if is_known else before.failure_kind,
            attributes={**before.attributes, **run.attributes},
        )

    def _ref(self, run: RunSnapshot) -> RunRef:
        return RunRef(
            id=1,
            external_id=run.external_id,
            run_id=run.run_id,
            location=run.location,
            status=run.status,
            revision=run.revision,
            created_at=run.created_at,
        )

    def keep(self, page: ChangePage) -> None:
        """Store a page."""
        for run in page.runs:
            place = (run.external_id, run.run_id)
            self.runs[place] = run
            self._know(run)
            if run.document is not None:
                self.documents[place] = run.document
            for event in run.events:
                self.events[(place, event.seq, event.key)] = event
        self.gaps += page.gaps
        self.unreadable += page.unreadable
        self.cursor = page.cursor

    def named(self, name: str) -> list[RunSnapshot]:
        """The runs of a name, in the order in which they were first seen."""
        return [run for (known, _), run in self.runs.items() if known == name]

    def events_of(self, name: str) -> list[RunEvent]:
        """The events of a name's runs, in order."""
        events = [event for (place, _, _), event in self.events.items() if place[0] == name]
        return sorted(events, key=lambda event: event.seq)

    def keys_of(self, name: str) -> list[str]:
        """The kinds of the events of a name's runs, in order."""
        return [event.kind.value for event in self.events_of(name)]


@dataclass
class Reader:
    """A source on one target, for the tenants in some namespaces."""

    source: EngineSource
    target: TargetRef
    namespaces: Sequence[str]
    store: Store = field(default_factory=Store)

    def placements(self) -> list[PlacementRef]:
        """One tenant per namespace."""
        return [
            PlacementRef(number, space, self.target.slug, self.target.kind, space)
            for number, space in enumerate(self.namespaces)
        ]

    def read(self, wait: float = 0.0, now: datetime | None = None) -> Store:
        """Everything there is now."""
        for page in self.source.changes(
            target=self.target,
            placements=self.placements(),
            cursor=self.store.cursor,
            known=self.store,
            now=now or datetime.now(UTC),
            wait=wait,
        ):
            self.store.keep(page)
        return self.store

    def until(self, check: Callable[[Store], object]) -> Store:
        """Read until a test of what was read holds."""
        deadline = time.monotonic() + PATIENCE
        while not check(self.read()):
            assert time.monotonic() < deadline, f"it did not happen in time: {self.store.runs}"
        return self.store
