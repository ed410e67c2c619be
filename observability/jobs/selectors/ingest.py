"""How far each target has been read: for pages and for metrics, in a constant number of queries."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Count, QuerySet

from console.loops.contracts import INGEST, LoopStatus
from observability.engines.registry import source_for
from observability.jobs.models import ArchiveState, IngestGap, IngestState, JobRun
from tenants.models import Target

RECENT: Final = timedelta(days=1)
"""Gaps that ended within this time are shown."""
MOST_GAPS: Final = 20
TURN: Final = 15.0
"""Seconds in which a target is read again, whatever is new there."""
LATE: Final = 60.0
"""Seconds behind after which people should know."""


@dataclass(frozen=True, slots=True)
class IngestStatus:
    """How far one target has been read. `lag` is in seconds, None when nothing was ever read."""

    target: Target
    state: IngestState | None
    lag: float | None
    gaps: Sequence[IngestGap] = ()
    silent: bool = False
    """Nothing was read and nothing failed for a while: does anybody read at all?"""

    @property
    def error(self) -> str:
        """Why it is not read just now, empty when it is."""
        return self.state.error if self.state is not None else ""

    @property
    def late(self) -> bool:
        """Whether what is shown may be old: behind, failing, or never read."""
        return self.lag is None or self.lag > LATE or bool(self.error)

    @property
    def caught_up(self) -> bool:
        """Whether everything that the engine had was read, and somebody still reads: it was so
        once is no news when the process that reads has ended."""
        return self.state is not None and self.state.caught_up and not self.late


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is still to be done for one target: histories, documents, and runs that go on."""

    open_runs: int = 0
    histories: int = 0
    documents: int = 0


def ingest_statuses(now: datetime) -> list[IngestStatus]:
    """Every enabled target that runs jobs, by slug: two queries."""
    rows = Target.objects.filter(enabled=True).select_related("ingest").order_by("slug")
    targets = [target for target in rows if source_for(target.kind) is not None]
    gaps = _gaps([target.pk for target in targets], now)
    return [_status_of(target, gaps.get(target.pk, ()), now) for target in targets]


def ingest_loops(_now: datetime) -> list[LoopStatus]:
    """Each target's stream. One that cannot be read just now does not stand still: it is tried
    again, and says why."""
    rows = Target.objects.filter(enabled=True).select_related("ingest").order_by("slug")
    pairs = [
        (target, getattr(target, "ingest", None))
        for target in rows
        if source_for(target.kind) is not None
    ]
    return [
        LoopStatus(
            INGEST,
            every=TURN,
            last=state.read_at if state else None,
            expected=target.updated_at,
            target=target.slug,
            patience=math.inf if state and state.error else 0.0,
        )
        for target, state in pairs
    ]


def ingest_status(target: Target, *, now: datetime) -> IngestStatus | None:
    """One target's; None for a kind that runs no jobs."""
    if source_for(target.kind) is None:
        return None
    return _status_of(target, _gaps([target.pk], now).get(target.pk, ()), now)


def backlogs(target: Target | None = None) -> dict[int, Backlog]:
    """What is left to do by target id, of one target or all: three queries over partial indexes."""
    rows = JobRun.objects.all() if target is None else JobRun.objects.filter(target=target)
    runs = _counted(rows.filter(closed_at__isnull=True))
    histories = _counted(rows.filter(history_due=True))
    documents = _counted(rows.filter(archive=ArchiveState.DUE))
    return {
        pk: Backlog(runs.get(pk, 0), histories.get(pk, 0), documents.get(pk, 0))
        for pk in {*runs, *histories, *documents}
    }


def _counted(rows: QuerySet[JobRun]) -> dict[int, int]:
    return dict(rows.values_list("target_id").annotate(number=Count("pk")).order_by())


def _status_of(target: Target, gaps: Sequence[IngestGap], now: datetime) -> IngestStatus:
    state = getattr(target, "ingest", None)
    lag = state.lag_seconds(now=now) if state is not None else None
    read_at = state.read_at if state is not None and not state.error else None
    silent = read_at is not None and (now - read_at).total_seconds() > LATE
    return IngestStatus(target=target, state=state, lag=lag, gaps=gaps, silent=silent)


def _gaps(target_ids: Sequence[int], now: datetime) -> dict[int, list[IngestGap]]:
    gaps: dict[int, list[IngestGap]] = defaultdict(list)
    rows = IngestGap.objects.filter(target__in=target_ids, ends_at__gte=now - RECENT)
    for gap in rows.order_by("-ends_at")[: MOST_GAPS * 10]:
        if len(gaps[gap.target_id]) < MOST_GAPS:
            gaps[gap.target_id].append(gap)
    return gaps
