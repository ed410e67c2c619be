"""What a test of the Celery source hears: events made by hand, and rows that nobody has."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from console.clients.celery.event_values import event_of
from console.clients.celery.records import CeleryEvent
from observability.engines.celery.source import CelerySource
from observability.engines.contracts import (
    SITUATION,
    ChangePage,
    KnownRun,
    RunRef,
    RunSnapshot,
    Status,
)
from observability.ingest.rules.masking import Masker
from observability.ingest.rules.merge import RunState, merged, state_of
from tenants.contracts import TargetRef
from tests.waiting import PATIENCE

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
T0 = 1_795_000_000.0


class Rows:
    """ports.KnownRuns, in memory."""

    def __init__(self) -> None:
        self.runs: dict[str, RunState] = {}
        self.events: dict[str, dict[tuple[int, str], Any]] = {}
        self._masker = Masker(())

    def store(self, runs: Sequence[RunSnapshot]) -> None:
        """As ingest would."""
        for snapshot in runs:
            state = state_of(snapshot, masker=self._masker)
            old = self.runs.get(snapshot.external_id)
            self.runs[snapshot.external_id] = state if old is None else merged(old, state)
            rows = self.events.setdefault(snapshot.external_id, {})
            for event in snapshot.events:
                rows.setdefault((event.seq, event.key), event)

    def status(self, uuid: str) -> str:
        """Of one run."""
        return str(self.runs[uuid].latest["state"][0])

    def value(self, uuid: str, name: str) -> Any:
        """One field of one run."""
        return self.runs[uuid].latest.get(name)

    def kinds(self, uuid: str) -> list[str]:
        """The kinds of its events, in order."""
        return [str(event.kind) for _, event in sorted(self.events[uuid].items())]

    def open_runs(self) -> Iterator[RunRef]:
        """Those without an end."""
        for uuid, run in list(self.runs.items()):
            status, closed_at = run.latest["state"]
            if closed_at is None:
                yield RunRef(
                    1, uuid, "", run.latest["location"], Status(status), run.revision,
                    run.created_at, run.latest.get("worker", ""),
                    run.latest.get(f"attributes.{SITUATION}", ""),
                )  # fmt: skip

    def due_runs(self, now: datetime) -> Iterator[RunRef]:
        """Nothing removes itself in Celery."""
        del now
        yield from ()

    def revisions(self, ids: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
        """Of the runs that are there."""
        return {name: self.runs[name[0]].revision for name in ids if name[0] in self.runs}

    def types(self, ids: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
        """Of the runs that are there."""
        return {name: self.value(name[0], "type") or "" for name in ids if name[0] in self.runs}

    def details(self, ids: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], KnownRun]:
        """Nothing of Celery asks for them."""
        return {}


class Listener:
    """Reads a target the way ingest does and stores what it hears."""

    def __init__(self, url: str, number: int) -> None:
        self.target = TargetRef(number, f"app-{number}", "celery", url, "", {"app": "sample"})
        self.source = CelerySource()
        self.rows = Rows()
        self.cursor: dict[str, object] = {}
        self.pages: list[ChangePage] = []

    def read(self, enough: Callable[[], object]) -> None:
        """Pages until it is enough."""
        deadline = time.monotonic() + PATIENCE
        pages = self.source.changes(
            target=self.target, placements=(), cursor=self.cursor, known=self.rows, now=NOW,
            wait=PATIENCE,
        )  # fmt: skip
        with closing(pages) as reading:  # type: ignore[type-var]  # a generator, told as an iterator
            for page in reading:
                self.rows.store(page.runs)
                self.cursor = dict(page.cursor)
                self.pages.append(page)
                if enough():
                    return
                assert time.monotonic() < deadline, "it was not heard in time"

    def ended(self, *uuids: str) -> Callable[[], bool]:
        """Whether these are there and closed."""
        return lambda: all(
            uuid in self.rows.runs and self.rows.runs[uuid].latest["state"][1] is not None
            for uuid in uuids
        )


def event(
    kind: str, after: float, uuid: str = "u1", host: str = "w1@test", **fields: Any
) -> CeleryEvent:
    """An event as it comes over the wire, `after` seconds after T0."""
    raw = {"type": kind, "timestamp": T0 + after, "hostname": host, "uuid": uuid, **fields}
    problems: list[str] = []
    celery_event = event_of(raw, round((T0 + after) * 1e6), problems)
    assert not problems
    assert celery_event is not None
    return celery_event


def sent(after: float, uuid: str = "u1", retries: int = 0, **fields: Any) -> CeleryEvent:
    """`task-sent` of the sample's import."""
    details = {
        "name": "imports.fetch", "args": "('erp',)", "kwargs": "{}", "queue": "acme-tasks",
        "root_id": uuid, "parent_id": None, "retries": retries, **fields,
    }  # fmt: skip
    return event("task-sent", after, uuid, "gen1@web", **details)


def received(
    after: float, uuid: str = "u1", retries: int = 0, host: str = "w1@test", **fields: Any
) -> CeleryEvent:
    """`task-received` of the sample's import."""
    details = {
        "name": "imports.fetch", "args": "('erp',)", "kwargs": "{}", "root_id": uuid,
        "parent_id": None, "retries": retries, "eta": None, "expires": None, **fields,
    }  # fmt: skip
    return event("task-received", after, uuid, host, **details)
