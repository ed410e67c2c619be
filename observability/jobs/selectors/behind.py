"""How far behind the engines the rows may be, in words for the explorer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from observability.jobs.models import IngestGap, IngestState

LATE: Final = 60.0
"""Seconds; less is not worth a word."""
_GAPS: Final = timedelta(hours=24)
_MOST: Final = 5


@dataclass(frozen=True, slots=True)
class Behind:
    """One target that is read late or not at all. `seconds` None: nothing was ever read."""

    target: str
    seconds: float | None
    through: datetime | None
    error: str


@dataclass(frozen=True, slots=True)
class Gap:
    """A time in which events of a target may have been missed."""

    target: str
    starts_at: datetime
    ends_at: datetime
    cause: str


@dataclass(frozen=True, slots=True)
class Reading:
    """`is_read` False: no target is read at all, so there is nothing to look for."""

    behind: tuple[Behind, ...]
    gaps: tuple[Gap, ...]
    is_read: bool


def reading(*, now: datetime) -> Reading:
    """What to say about the freshness of every list of runs: two queries."""
    states = list(
        IngestState.objects.filter(target__enabled=True).select_related("target").order_by("pk")
    )
    behind = []
    for state in states:
        lag = state.lag_seconds(now=now)
        if state.error or lag is None or lag > LATE:
            through = state.read_at if state.caught_up and state.read_at else state.through
            behind.append(Behind(state.target.slug, lag, through, state.error))
    gaps = IngestGap.objects.filter(ends_at__gte=now - _GAPS).select_related("target")
    return Reading(
        behind=tuple(behind),
        gaps=tuple(
            Gap(gap.target.slug, gap.starts_at, gap.ends_at, gap.cause)
            for gap in gaps.order_by("-ends_at")[:_MOST]
        ),
        is_read=bool(states),
    )
