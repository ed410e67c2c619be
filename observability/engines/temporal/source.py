"""Reads the runs of a Temporal namespace."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from console.clients.temporal.history_reader import HistoryReader
from console.clients.temporal.records import RunDescription, RunHistory
from console.clients.temporal.standalone import ActivityReader
from console.errors import Refused
from observability.engines.contracts import (
    OPEN,
    TEMPORAL_HISTORY,
    ChangePage,
    Engine,
    History,
    RunRef,
)
from observability.engines.ports import KnownRuns
from observability.engines.temporal import runs, standalone
from observability.engines.temporal.activities import Schedules, pending_events
from observability.engines.temporal.cursor import read
from observability.engines.temporal.history import reduce_history
from observability.engines.temporal.namespace_pass import BlindSpots, NamespacePass, asked_as
from observability.engines.temporal.pace import Pace
from observability.engines.temporal.poll_schedule import PollSchedule
from observability.engines.temporal.run_ids import is_standalone, own_run_id
from tenants.adapters.temporal import client_for, namespace
from tenants.contracts import PlacementRef, TargetRef

RESTS: Final = 4.0
"""After looking at open runs, no other look for this many times as long as that one took."""
SHORTEST_RETENTION: Final = timedelta(hours=1)
"""Whoever was away for less has missed nothing."""
ACTIVITIES_PAUSE: Final = 5.0
"""Seconds between two looks for standalone activities where there were none the last time."""
IDLE_ACTIVITIES_PAUSE: Final = 15.0
"""The same where nothing else has happened for a while either."""
UNSUPPORTED_PAUSE: Final = 600.0
"""Seconds until a server that knows none, or does not let us see them, is asked again."""


_FORBIDDEN: Final = "forbidden"
_NOT_THERE: Final = frozenset({_FORBIDDEN, "unauthenticated", "not_supported"})


class TemporalSource:
    """The runs of a target's namespace. Meets observability.engines.ports.EngineSource."""

    engine = Engine.TEMPORAL

    def __init__(self) -> None:
        self._schedules = Schedules()
        self._rests: dict[int, float] = {}
        self._blind_spots: defaultdict[int, BlindSpots] = defaultdict(BlindSpots)
        self._polls: defaultdict[int, PollSchedule] = defaultdict(PollSchedule)
        self._activities_at: dict[int, float] = {}
        self._pace = Pace()

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
        first, then those that we know to be open and that are due, all of them where nothing is
        waited for."""
        client = client_for(target)
        namespace_pass = NamespacePass(
            HistoryReader(client),
            namespace(target),
            known,
            read(cursor),
            self._blind_spots[target.id],
            self._polls[target.id],
        )
        began = quiet_since = time.monotonic()
        self._pace.wait(target.id, wait)
        if namespace_pass.away(now) > SHORTEST_RETENTION:
            yield from namespace_pass.missed(now, client.retention())
        while True:
            snapshots = 0
            at = now + timedelta(seconds=time.monotonic() - began)
            for page in namespace_pass.round(at):
                snapshots += len(page.runs)
                yield page
            for page in self._activity_pages(target, namespace_pass, at):
                snapshots += len(page.runs)
                yield page
            changed = self._open_runs_page(target, namespace_pass, at, all_of_them=wait <= 0)
            snapshots += len(changed.runs)
            yield changed
            if snapshots:
                quiet_since = time.monotonic()
            self._pace.note(target.id, moved=snapshots > 0)
            left = quiet_since + wait - time.monotonic()
            if left <= 0:
                return
            self._pace.wait(target.id, left)

    def _activity_pages(
        self, target: TargetRef, namespace_pass: NamespacePass, at: datetime
    ) -> Iterator[ChangePage]:
        """Standalone activities; a server that has none of them is not asked each round."""
        begun = time.monotonic()
        if begun < self._activities_at.get(target.id, 0.0):
            return
        snapshots = 0
        try:
            for page in namespace_pass.activities(ActivityReader(client_for(target)), at):
                snapshots += len(page.runs)
                yield page
        except Refused as problem:
            if problem.code not in _NOT_THERE:
                raise
            self._activities_at[target.id] = begun + UNSUPPORTED_PAUSE
            if problem.code == _FORBIDDEN:
                yield namespace_pass.forbidden(problem.message)
            return
        pause = IDLE_ACTIVITIES_PAUSE if self._pace.is_idle(target.id) else ACTIVITIES_PAUSE
        self._activities_at[target.id] = begun + (0.0 if snapshots else pause)

    def _open_runs_page(
        self, target: TargetRef, namespace_pass: NamespacePass, at: datetime, *, all_of_them: bool
    ) -> ChangePage:
        """The last page of a round. With very many open runs not each round looks at some."""
        begun = time.monotonic()
        if begun < self._rests.get(target.id, 0.0):
            return namespace_pass.page((), caught_up=True)
        activities = ActivityReader(client_for(target))
        snapshots = namespace_pass.open_runs(at, activities, all_of_them=all_of_them)
        page = namespace_pass.page(tuple(snapshots), caught_up=True)
        ended = time.monotonic()
        self._rests[target.id] = ended + RESTS * (ended - begun)
        return page

    def history(self, *, target: TargetRef, run: RunRef, after: int) -> History:
        """See ports.EngineSource. Of an open run that was read before only the end is read, and
        there is no document; of one that closed everything is read, once."""
        if is_standalone(run.run_id):
            activities = ActivityReader(client_for(target))
            own = activities.describe(run.external_id, own_run_id(run.run_id))
            return standalone.history_of(own, namespace(target))
        reader = HistoryReader(client_for(target))
        workflow_id, run_id = asked_as(reader, run)
        if run.status not in OPEN:
            return _closed(run, reader.history(workflow_id, run_id), after)
        description = reader.describe(workflow_id, run_id)
        if after and description.row.closed_at is None:
            recorded = reader.history_after(
                workflow_id,
                run_id,
                after,
                activities=self._schedules.missing(run.run_id, description),
            )
            if not recorded.closed:
                return self._open(target, description, recorded, after)
        recorded = reader.history(workflow_id, run_id)
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
