"""A reader of sources without a database: what ingest would have after each page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from observability.engines.contracts import (
    OPEN,
    ChangePage,
    History,
    KnownRun,
    RunEvent,
    RunRef,
    RunSnapshot,
)
from observability.engines.temporal.source import TemporalSource
from observability.ingest.rules.attempt_rounds import in_rounds, round_of
from tenants.contracts import TargetRef
from tests.waiting import until

Name = tuple[str, str]
KEPT = (
    *("type", "tenant", "queue", "build", "worker", "fairness_key"),
    *("failure", "failure_kind", "attempts", "began_at"),
)
"""What a later look that does not say it takes nothing of, as when rows are merged."""


@dataclass
class Rows:
    """Meets ports.KnownRuns. `events` are the keys of each run's events with what they say."""

    runs: dict[Name, RunSnapshot] = field(default_factory=dict)
    ids: dict[Name, int] = field(default_factory=dict)
    events: dict[Name, dict[tuple[int, str], RunEvent]] = field(default_factory=dict)
    cursor: Mapping[str, Any] = field(default_factory=dict)
    caught_up: bool = False

    def open_runs(self) -> Iterator[RunRef]:
        return iter([self.ref(name) for name, run in self.runs.items() if run.status in OPEN])

    def due_runs(self, now: datetime) -> Iterator[RunRef]:
        return iter(())

    def revisions(self, ids: Sequence[Name]) -> Mapping[Name, str]:
        return {name: self.runs[name].revision for name in ids if name in self.runs}

    def types(self, ids: Sequence[Name]) -> Mapping[Name, str]:
        return {name: self.runs[name].type for name in ids if name in self.runs}

    def details(self, ids: Sequence[Name]) -> Mapping[Name, KnownRun]:
        return {}

    def ref(self, name: Name) -> RunRef:
        run = self.runs[name]
        return RunRef(
            id=self.ids[name],
            external_id=run.external_id,
            run_id=run.run_id,
            location=run.location,
            status=run.status,
            revision=run.revision,
            created_at=run.created_at,
        )

    def store(self, page: ChangePage) -> None:
        for run in page.runs:
            self.keep(run, run.events)
        self.cursor, self.caught_up = page.cursor, page.caught_up

    def keep(self, run: RunSnapshot, events: Sequence[RunEvent]) -> None:
        name = (run.external_id, run.run_id)
        before = self.runs.get(name)
        if before is not None:
            links = {**before.links, **run.links}
            kept_fields = {name: getattr(run, name) or getattr(before, name) for name in KEPT}
            run = replace(run, links=links, **kept_fields)
        self.runs[name] = run
        self.ids.setdefault(name, len(self.ids) + 1)
        kept = self.events.setdefault(name, {})
        newest: dict[int, int] = {}
        for seq, key in kept:
            newest[seq] = max(newest.get(seq, 0), round_of(key))
        stored = {key: event.at for key, event in kept.items()}
        for event in in_rounds(events, newest, stored):
            kept.setdefault((event.seq, event.key), event)

    def through(self, name: Name) -> int:
        """What ingest asks for next: the number of the last event it has."""
        return max((seq for seq, _ in self.events[name]), default=0)

    def of(self, external_id: str) -> list[RunSnapshot]:
        runs = [run for (name, _), run in self.runs.items() if name == external_id]
        return sorted(runs, key=lambda run: run.created_at)

    def story(self, run: RunSnapshot) -> list[RunEvent]:
        """A run's events in their order."""
        kept = self.events[run.external_id, run.run_id]
        return [kept[key] for key in sorted(kept)]


@dataclass
class Reading:
    """A source, a target, and what was read of it."""

    source: TemporalSource
    target: TargetRef
    rows: Rows = field(default_factory=Rows)

    def pages(self, wait: float = 0) -> Iterator[ChangePage]:
        return self.source.changes(
            target=self.target,
            placements=(),
            cursor=self.rows.cursor,
            known=self.rows,
            now=datetime.now(UTC),
            wait=wait,
        )

    def catch_up(self) -> None:
        """One round, with every history that it asks for."""
        for page in self.pages():
            self.rows.store(page)
            for run in page.runs:
                if run.needs_history:
                    self.fetch((run.external_id, run.run_id))

    def fetch(self, name: Name, *, after: int | None = None) -> History:
        start = self.rows.through(name) if after is None else after
        history = self.source.history(target=self.target, run=self.rows.ref(name), after=start)
        if history.run is not None:
            self.rows.keep(history.run, history.events)
        return history

    def until(self, good: Callable[[], bool]) -> None:
        """Catches up until something is there."""

        def caught_up() -> bool:
            self.catch_up()
            return good()

        until(caught_up, "it never came")
