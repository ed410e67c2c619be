"""A source that reads from a script, and whatever else the tests of ingest stand on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from console.errors import ExternalError, NotFound
from observability.engines import registry
from observability.engines.contracts import (
    JSON_DOCUMENT,
    ChangePage,
    Engine,
    EventKind,
    History,
    RunEvent,
    RunRef,
    RunSnapshot,
    Status,
)
from observability.engines.ports import EngineSource, KnownRuns
from observability.engines.registry import EngineAdapter
from tenants.contracts import PlacementRef, TargetRef, Unreadable
from tests.observability.jobs.factories import NOON, after

_ADAPTERS = dict(registry._ADAPTERS)


def look(
    name: str, status: Status = Status.RUNNING, revision: str = "1", **fields: Any
) -> RunSnapshot:
    """A look at a run; one that ended did so a minute after noon."""
    closed = status not in {Status.WAITING, Status.RUNNING, Status.PAUSED}
    values: dict[str, Any] = {
        "external_id": name,
        "run_id": f"{name}-1",
        "location": "default",
        "type": "InvoiceFlow",
        "status": status,
        "created_at": NOON,
        "closed_at": after(60) if closed else None,
        "revision": revision,
        "queue": "invoices",
    }
    return RunSnapshot(**(values | fields))


def event(seq: int, **fields: Any) -> RunEvent:
    """An event `seq` seconds after noon."""
    values: dict[str, Any] = {
        "key": f"e{seq}",
        "seq": seq,
        "at": after(seq),
        "kind": EventKind.NOTE,
        "title": f"Event {seq}",
    }
    return RunEvent(**(values | fields))


@dataclass
class ScriptedSource:
    """ports.EngineSource over a list of pages and histories by external id. `before` is called
    ahead of each step with its name, and may raise what a kill or an outage would."""

    pages: list[list[RunSnapshot]] = field(default_factory=list)
    histories: dict[str, History] = field(default_factory=dict)
    engine: Engine = Engine.TEMPORAL
    before: Callable[[str], None] = lambda _step: None
    fetched: list[tuple[str, int]] = field(default_factory=list)
    away: ExternalError | None = None
    unreadable: tuple[Unreadable, ...] = ()
    lock: threading.Lock = field(default_factory=threading.Lock)

    def changes(
        self,
        *,
        target: TargetRef,
        placements: Sequence[PlacementRef],
        cursor: Mapping[str, Any],
        known: KnownRuns,
        now: datetime,
        wait: float,
    ) -> Iterator[ChangePage]:
        """Pages from the cursor on."""
        if self.away is not None:
            raise self.away
        for number in range(int(cursor.get("page", 0)), len(self.pages)):
            self.before(f"page {number}")
            yield ChangePage(
                runs=tuple(self.pages[number]),
                cursor={"page": number + 1},
                through=NOON + timedelta(minutes=number),
                caught_up=number + 1 == len(self.pages),
                unreadable=self.unreadable,
            )

    def history(self, *, target: TargetRef, run: RunRef, after: int) -> History:
        """The scripted one, from `after` on."""
        self.before(f"history {run.external_id}")
        with self.lock:
            self.fetched.append((run.external_id, after))
        if self.away is not None:
            raise self.away
        history = self.histories.get(run.external_id)
        if history is None:
            raise NotFound(f"no history of {run.external_id}")
        return replace(
            history, events=tuple(event for event in history.events if event.seq > after)
        )


def history(events: int, document: bytes = b'{"events": []}', **fields: Any) -> History:
    """A complete history of so many events."""
    return History(
        events=tuple(event(seq) for seq in range(1, events + 1)),
        document=document,
        media=JSON_DOCUMENT,
        complete=True,
        **fields,
    )


def reading(sources: Mapping[str, EngineSource]) -> dict[str, EngineAdapter]:
    """The registry's adapters with these sources, and no others."""
    return {kind: replace(_ADAPTERS[kind], source=source) for kind, source in sources.items()}
