"""One reading of a namespace, from a cursor on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from console.clients.temporal.connection import UNDECODABLE
from console.clients.temporal.fairness import PROBE_TYPE
from console.clients.temporal.history_reader import HistoryReader
from console.clients.temporal.records import (
    ActivityDescription,
    RunDescription,
    Undecodable,
    VisibilityRow,
)
from console.clients.temporal.standalone import ActivityReader
from console.errors import Refused
from console.unstructured import moment_after
from observability.engines.contracts import ChangePage, RunRef, RunSnapshot, TrailGap
from observability.engines.ports import KnownRuns
from observability.engines.temporal import runs, standalone
from observability.engines.temporal.cursor import OVERLAP, Cursor
from observability.engines.temporal.poll_schedule import PollSchedule
from observability.engines.temporal.run_ids import PREFIX, is_standalone, own_run_id
from observability.engines.temporal.visibility import BlindSpot, Lister, visibility_pages
from observability.engines.temporal.with_histories import (
    KIND,
    RunPage,
    made,
    unread_declarations,
    with_histories,
)
from tenants.contracts import Unreadable

MOST_DESCRIBED: Final = 100
"""Open runs that are described in one round; the next round goes on with the others."""
MOST_BLIND_SPOTS: Final = 200
ACTIVITY: Final = "Standalone activity"
_OURS: Final = f"WorkflowType != '{PROBE_TYPE}' AND "
"""Headroom's own probes are nobody's jobs."""
_OPEN: Final = "CloseTime IS NULL"
_CLOSED: Final = "CloseTime IS NOT NULL"
_COLUMNS: Final = {"started": "StartTime", "closed": "CloseTime"}


class BlindSpots:
    """Where something was met that cannot be decoded, by part of the cursor: what is read again a
    moment later is read around it at once. Bounded; only saves time."""

    def __init__(self) -> None:
        self._by_part: dict[str, list[BlindSpot]] = {}

    def known(self, part: str) -> list[BlindSpot]:
        """Those of one part."""
        return self._by_part.get(part, [])

    def learn(self, part: str, blind_spot: BlindSpot) -> None:
        """Remember one."""
        self._by_part[part] = [*self.known(part), blind_spot][-MOST_BLIND_SPOTS:]


class NamespacePass:
    """One reading of a namespace."""

    def __init__(
        self,
        reader: HistoryReader,
        where: str,
        known: KnownRuns,
        cursor: Cursor,
        blind_spots: BlindSpots | None = None,
        polls: PollSchedule | None = None,
    ) -> None:
        self._reader = reader
        self._where = where
        self._known = known
        self._cursor = cursor
        self._blind_spots = blind_spots or BlindSpots()
        self._polls = polls or PollSchedule()
        self._unreadable: list[Unreadable] = []
        self._gaps: list[TrailGap] = []

    def away(self, now: datetime) -> timedelta:
        """For how long nobody has looked; nothing when nobody was ever up to date."""
        return now - self._cursor.closed if self._cursor.current else timedelta()

    def missed(self, now: datetime, retention: int | None) -> Iterator[ChangePage]:
        """The gap between the last pass and what the namespace still keeps."""
        kept = moment_after(now, -retention) if retention is not None else None
        if kept is not None and kept > self._cursor.closed:
            # Said once: from here on it is catching up.
            self._cursor = replace(self._cursor, current=False)
            cause = "Nothing was read for longer than Temporal keeps closed runs"
            self._gaps.append(TrailGap(self._cursor.closed, kept, cause))
            yield self.page(())

    def round(self, at: datetime) -> Iterator[ChangePage]:
        """Every workflow that visibility has and we do not, in pages."""
        for part, query in (("started", _OPEN), ("closed", _CLOSED)):
            yield from self._windows(part, self._reader, _OURS + query, at, self._runs)

    def activities(self, reader: ActivityReader, at: datetime) -> Iterator[ChangePage]:
        """The same for standalone activities."""
        for part, query in (("started", _OPEN), ("closed", _CLOSED)):
            yield from self._windows(f"activities_{part}", reader, query, at, self._activities)

    def _windows(
        self,
        part: str,
        reader: Lister,
        query: str,
        at: datetime,
        translate: Callable[[Sequence[VisibilityRow]], Iterator[RunPage]],
    ) -> Iterator[ChangePage]:
        begin, column = getattr(self._cursor, part), _COLUMNS[part.rpartition("_")[2]]
        known = self._blind_spots.known(part)
        for window in visibility_pages(reader, query, column, begin, max(at, begin), known):
            for blind_spot in window.blind_spots:
                self._note(part, blind_spot)
            for page in translate(window.rows):
                self._unreadable += page.unreadable
                yield self.page(page.runs)
            if window.ends_at is not None:
                # The end of the last window is read again next time.
                to = min(window.ends_at, at - OVERLAP)
                before, self._cursor = self._cursor, self._cursor.advanced(part, to)
                if before != self._cursor and to < at - OVERLAP:
                    yield self.page(())

    def _note(self, part: str, blind_spot: BlindSpot) -> None:
        if not blind_spot.is_one:
            # Not worth remembering: it is not read again.
            cause = f"Too much there could not be decoded: {blind_spot.problem}"[:300]
            self._gaps.append(TrailGap(blind_spot.begins_at, blind_spot.ends_at, cause))
            return
        self._blind_spots.learn(part, blind_spot)
        did = "closed" if part.endswith("closed") else "started"
        name = f"{did} {blind_spot.begins_at:%Y-%m-%d %H:%M:%S.%f} UTC"
        kind = ACTIVITY if part.startswith("activities") else KIND
        self._unreadable.append(Unreadable(kind, self._where, name, blind_spot.problem))

    def _runs(self, rows: Sequence[VisibilityRow]) -> Iterator[RunPage]:
        ids = [(row.workflow_id, row.run_id) for row in rows]
        return with_histories(self._reader, self._new(rows, ids), self._where)

    def _activities(self, rows: Sequence[VisibilityRow]) -> Iterator[RunPage]:
        ids = [(row.workflow_id, PREFIX + row.run_id) for row in rows]
        fresh = self._new(rows, ids)
        if fresh:
            listed = [
                made(partial(standalone.listed, row, self._where), ACTIVITY, *self._place(row))
                for row in fresh
            ]
            unreadable = [item for item in listed if isinstance(item, Unreadable)]
            for row in fresh:
                unreadable += unread_declarations(row, self._where, ACTIVITY)
            snapshots = tuple(item for item in listed if not isinstance(item, Unreadable))
            yield RunPage(snapshots, tuple(unreadable))

    def _place(self, row: VisibilityRow) -> tuple[str, str]:
        return row.queue or self._where, row.workflow_id

    def _new(
        self, rows: Sequence[VisibilityRow], ids: Sequence[tuple[str, str]]
    ) -> list[VisibilityRow]:
        """The rows whose revision we do not have; of open ones visibility knows none."""
        revisions = self._known.revisions(ids)
        return [
            row for row, name in zip(rows, ids, strict=True) if _is_new(row, revisions.get(name))
        ]

    def open_runs(
        self, now: datetime, activities: ActivityReader | None, *, all_of_them: bool = False
    ) -> Iterator[RunSnapshot]:
        """Those that we know to be open and that changed, of the next few that are due."""
        # What an earlier setting of the namespace left behind says nothing about this one.
        ours = (ref for ref in self._known.open_runs() if ref.location == self._where)
        refs = self._polls.due(ours, most=MOST_DESCRIBED, all_of_them=all_of_them)
        yield from self._open_workflows([ref for ref in refs if not is_standalone(ref.run_id)], now)
        alone = [ref for ref in refs if is_standalone(ref.run_id)]
        if activities is not None and alone:
            yield from self._open_activities(activities, alone, now)

    def _open_workflows(self, refs: Sequence[RunRef], now: datetime) -> Iterator[RunSnapshot]:
        known = [(ref, name) for ref in refs if (name := self._asked_as(ref)) is not None]
        descriptions = self._reader.describe_all([name for _, name in known])
        for (ref, _), description in zip(known, descriptions, strict=True):
            if isinstance(description, RunDescription):
                described = partial(runs.snapshot_of, description, self._where)
                run = self._changed(ref, self._made(described, KIND, ref))
                if run is not None:
                    yield run
            elif isinstance(description, Undecodable):
                self._set_aside(KIND, ref, description.problem)
            else:
                yield runs.vanished(ref, now)

    def _open_activities(
        self, reader: ActivityReader, refs: Sequence[RunRef], now: datetime
    ) -> Iterator[RunSnapshot]:
        names = [(ref.external_id, own_run_id(ref.run_id)) for ref in refs]
        for ref, description in zip(refs, reader.describe_all(names), strict=True):
            if isinstance(description, ActivityDescription):
                described = partial(standalone.described, description, self._where)
                run = self._changed(ref, self._made(described, ACTIVITY, ref))
                if run is not None:
                    yield replace(run, needs_history=True)
            elif isinstance(description, Undecodable):
                self._set_aside(ACTIVITY, ref, description.problem)
            else:
                yield runs.vanished(ref, now)

    def _asked_as(self, ref: RunRef) -> tuple[str, str] | None:
        """Its name on the server; None, and it is set aside, where that cannot be decoded."""
        try:
            return asked_as(self._reader, ref)
        except Refused as problem:
            if problem.code != UNDECODABLE:
                raise
            self._set_aside(KIND, ref, problem.message)
            return None

    def _made(
        self, translate: Callable[[], RunSnapshot], kind: str, ref: RunRef
    ) -> RunSnapshot | None:
        run = made(translate, kind, self._where, ref.external_id)
        if isinstance(run, Unreadable):
            self._unreadable.append(run)
            return None
        return run

    def _changed(self, ref: RunRef, run: RunSnapshot | None) -> RunSnapshot | None:
        """The run, unless it is as we have it."""
        self._polls.note(ref, ref.revision if run is None else run.revision)
        return run if run is not None and run.revision != ref.revision else None

    def _set_aside(self, kind: str, ref: RunRef, problem: str) -> None:
        self._polls.note(ref, ref.revision)
        self._unreadable.append(Unreadable(kind, self._where, ref.external_id, problem))

    def forbidden(self, why: str) -> ChangePage:
        """Says that there may be standalone activities that we are not allowed to see."""
        self._unreadable.append(Unreadable(ACTIVITY, self._where, "", why))
        return self.page(())

    def page(self, snapshots: tuple[RunSnapshot, ...], *, caught_up: bool = False) -> ChangePage:
        """Runs with the place to go on from, and what was set aside since the last page."""
        if caught_up:
            self._cursor = replace(self._cursor, current=True)
        unreadable, self._unreadable = tuple(self._unreadable), []
        gaps, self._gaps = tuple(self._gaps), []
        return ChangePage(
            runs=snapshots,
            cursor=self._cursor.stored(),
            through=self._cursor.through(),
            caught_up=caught_up,
            gaps=gaps,
            unreadable=unreadable,
        )


def _is_new(row: VisibilityRow, revision: str | None) -> bool:
    return revision is None or (row.closed_at is not None and not runs.covers(revision, row))


def asked_as(reader: HistoryReader, ref: RunRef) -> tuple[str, str]:
    """The names under which the server knows a run. An id that no database takes as it is (NUL, or
    longer than ours) stands in its row as another one: then visibility is asked."""
    odd = "\ufffd" in ref.external_id or len(ref.external_id.encode()) >= _LONGEST_ID
    if odd and _UUID.fullmatch(ref.run_id):
        page = reader.rows(f"RunId = '{ref.run_id}'", size=1)
        if page.rows:
            return page.rows[0].workflow_id, ref.run_id
    return ref.external_id, ref.run_id


_UUID: Final = re.compile(r"[0-9a-fA-F-]{36}")
_LONGEST_ID: Final = 1000
"""Bytes of an id; a longer one is cut, see jobs.rules.bounding."""
