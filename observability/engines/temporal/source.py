"""Reads the runs of a Temporal namespace."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from console.clients.temporal.fairness import PROBE_TYPE
from console.clients.temporal.history_reader import HistoryReader
from console.clients.temporal.records import RunDescription, RunHistory, VisibilityRow
from observability.engines.contracts import (
    OPEN,
    TEMPORAL_HISTORY,
    ChangePage,
    Engine,
    History,
    RunRef,
    RunSnapshot,
    TrailGap,
)
from observability.engines.ports import KnownRuns
from observability.engines.temporal import runs
from observability.engines.temporal.activities import Schedules, pending_events
from observability.engines.temporal.cursor import OVERLAP, Cursor, read
from observability.engines.temporal.history import reduce_history
from observability.engines.temporal.visibility import visibility_pages, with_histories
from tenants.adapters.temporal import client_for, namespace
from tenants.contracts import PlacementRef, TargetRef

MOST_DESCRIBED: Final = 100
"""Open runs that are described in one round; the next round goes on with the others."""
RESTS: Final = 4.0
"""After looking at open runs, no other look for this many times as long as that one took."""
SHORTEST_RETENTION: Final = timedelta(hours=1)
"""Whoever was away for less has missed nothing."""
PAUSE: Final = 1.0
"""Seconds between two rounds: three queries of visibility each, of ten a second."""
_OURS: Final = f"WorkflowType != '{PROBE_TYPE}'"
"""Headroom's own probes are nobody's jobs."""
_OPEN: Final = f"{_OURS} AND CloseTime IS NULL"
_CLOSED: Final = f"{_OURS} AND CloseTime IS NOT NULL"


class TemporalSource:
    """The runs of a target's namespace. Meets observability.engines.ports.EngineSource."""

    engine = Engine.TEMPORAL

    def __init__(self) -> None:
        self._schedules = Schedules()
        self._rests: dict[int, float] = {}

    def changes(
        self,
        *,
        target: TargetRef,
        placements: Sequence[PlacementRef],  # noqa: ARG002  # attribution is ingest's
        cursor: Mapping[str, Any],
        known: KnownRuns,
        now: datetime,
        wait: float,
    ) -> Iterator[ChangePage]:
        """See ports.EngineSource. Open runs come by the time they started, then what closed, oldest
        first, then those that we know to be open are looked at in turn."""
        client = client_for(target)
        namespace_pass = _NamespacePass(
            HistoryReader(client), namespace(target), known, read(cursor)
        )
        began = quiet_since = time.monotonic()
        if namespace_pass.away(now) > SHORTEST_RETENTION:
            yield from namespace_pass.missed(now, client.retention())
        while True:
            snapshots = 0
            at = now + timedelta(seconds=time.monotonic() - began)
            for page in namespace_pass.round(at):
                snapshots += len(page.runs)
                yield page
            changed = self._open_runs_page(target, namespace_pass, at)
            snapshots += len(changed.runs)
            yield changed
            if snapshots:
                quiet_since = time.monotonic()
            left = quiet_since + wait - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(PAUSE, left))

    def _open_runs_page(
        self, target: TargetRef, namespace_pass: _NamespacePass, at: datetime
    ) -> ChangePage:
        """The last page of a round. With very many open runs not each round looks at some."""
        begun = time.monotonic()
        if begun < self._rests.get(target.id, 0.0):
            return namespace_pass.page((), caught_up=True)
        page = namespace_pass.page(tuple(namespace_pass.open_runs(at)), caught_up=True)
        ended = time.monotonic()
        self._rests[target.id] = ended + RESTS * (ended - begun)
        return page

    def history(self, *, target: TargetRef, run: RunRef, after: int) -> History:
        """See ports.EngineSource. Of an open run that was read before only the end is read, and
        there is no document; of one that closed everything is read, once."""
        reader = HistoryReader(client_for(target))
        if run.status not in OPEN:
            return _closed(run, reader.history(run.external_id, run.run_id), after)
        description = reader.describe(run.external_id, run.run_id)
        if after and description.row.closed_at is None:
            recorded = reader.history_after(
                run.external_id,
                run.run_id,
                after,
                activities=self._schedules.missing(run.run_id, description),
            )
            if not recorded.closed:
                return self._open(target, description, recorded, after)
        recorded = reader.history(run.external_id, run.run_id)
        return self._open(target, description, recorded, after)

    def _open(
        self, target: TargetRef, description: RunDescription, recorded: RunHistory, after: int
    ) -> History:
        where = namespace(target)
        state = reduce_history(recorded.events, after)
        run = runs.refined(runs.snapshot_of(description, where), state)
        run = runs.waiting(run, description, state)
        events = list(state.events)
        if not recorded.closed:
            self._schedules.learn(description.row.run_id, recorded)
            events += pending_events(description, self._schedules, run.created_at)
        return History(
            events=tuple(sorted(events, key=lambda event: (event.seq, event.key))),
            document=recorded.document or b"",
            media=TEMPORAL_HISTORY,
            run=run,
            complete=recorded.closed,
        )


def _closed(ref: RunRef, recorded: RunHistory, after: int) -> History:
    state = reduce_history(recorded.events, after)
    return History(
        events=tuple(sorted(state.events, key=lambda event: (event.seq, event.key))),
        document=recorded.document or b"",
        media=TEMPORAL_HISTORY,
        run=runs.from_history(ref, state),
        complete=recorded.closed,
    )


class _NamespacePass:
    """One reading of a namespace, from a cursor on."""

    def __init__(self, reader: HistoryReader, where: str, known: KnownRuns, cursor: Cursor) -> None:
        self._reader = reader
        self._where = where
        self._known = known
        self._cursor = cursor

    def away(self, now: datetime) -> timedelta:
        """For how long nobody has looked; nothing when nobody was ever up to date."""
        return now - self._cursor.closed if self._cursor.current else timedelta()

    def missed(self, now: datetime, retention: int | None) -> Iterator[ChangePage]:
        """The gap between the last namespace_pass and what the namespace still keeps."""
        kept = now - timedelta(seconds=retention) if retention is not None else self._cursor.closed
        if kept > self._cursor.closed:
            # Said once: from here on it is catching up.
            self._cursor = replace(self._cursor, current=False)
            gap = TrailGap(
                self._cursor.closed,
                kept,
                "Nothing was read for longer than Temporal keeps closed runs",
            )
            yield replace(self.page(()), gaps=(gap,))

    def round(self, at: datetime) -> Iterator[ChangePage]:
        """Everything that visibility has and we do not, in pages."""
        yield from self._windows("started", _OPEN, "StartTime", at)
        yield from self._windows("closed", _CLOSED, "CloseTime", at)

    def _windows(self, name: str, query: str, column: str, at: datetime) -> Iterator[ChangePage]:
        begin = getattr(self._cursor, name)
        for rows_page in visibility_pages(self._reader, query, column, begin, max(at, begin)):
            for snapshots in with_histories(self._reader, self._new(rows_page.rows), self._where):
                yield self.page(snapshots)
            if rows_page.ends_at is not None:
                # The end of the last window is read again next time.
                to = min(rows_page.ends_at, at - OVERLAP)
                before, self._cursor = self._cursor, self._cursor.advanced(name, to)
                if before != self._cursor and to < at - OVERLAP:
                    yield self.page(())

    def _new(self, rows: Sequence[VisibilityRow]) -> list[VisibilityRow]:
        """The rows whose revision we do not have; of open ones visibility knows none."""
        ids = [(row.workflow_id, row.run_id) for row in rows]
        revisions = self._known.revisions(ids)
        return [
            row for row, name in zip(rows, ids, strict=True) if _is_new(row, revisions.get(name))
        ]

    def open_runs(self, now: datetime) -> Iterator[RunSnapshot]:
        """Those that we know to be open and that changed, of the next few in turn."""
        turn = self._cursor.turn
        # What an earlier setting of the namespace left behind says nothing about this one.
        ours = (ref for ref in self._known.open_runs() if ref.location == self._where)
        later = (ref for ref in ours if ref.id > turn)
        refs = heapq.nsmallest(MOST_DESCRIBED, later, key=lambda ref: ref.id)
        # After the last one it is the first one's turn again.
        self._cursor = replace(self._cursor, turn=refs[-1].id if len(refs) == MOST_DESCRIBED else 0)
        descriptions = self._reader.describe_all([(ref.external_id, ref.run_id) for ref in refs])
        for ref, description in zip(refs, descriptions, strict=True):
            if description is None:
                yield runs.vanished(ref, now)
                continue
            run = runs.snapshot_of(description, self._where)
            if run.revision != ref.revision:
                yield run

    def page(self, snapshots: tuple[RunSnapshot, ...], *, caught_up: bool = False) -> ChangePage:
        """Runs with the place to go on from."""
        if caught_up:
            self._cursor = replace(self._cursor, current=True)
        return ChangePage(
            runs=snapshots,
            cursor=self._cursor.stored(),
            through=self._cursor.through(),
            caught_up=caught_up,
        )


def _is_new(row: VisibilityRow, revision: str | None) -> bool:
    return revision is None or (row.closed_at is not None and not runs.covers(revision, row))
