"""How every loop is, from rows: the scheduled ones here, those of targets from the apps above."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from django.conf import settings
from django.utils.module_loading import import_string

from console.loops.contracts import BEAT, INGEST, WRITE_SECONDS, LoopStatus
from console.loops.models import Interruption, LoopTick
from console.loops.rules import InterruptionNote, interruption_notes

Source = Callable[[datetime], Sequence[LoopStatus]]


def loop_statuses(now: datetime) -> tuple[LoopStatus, ...]:
    """Every loop that should run, by the sources of LOOP_SOURCES: one or two queries each."""
    sources = [cast("Source", import_string(path)) for path in settings.LOOP_SOURCES]
    return tuple(status for source in sources for status in source(now))


def scheduled_loops(_now: datetime) -> tuple[LoopStatus, ...]:
    """The processes that leave a tick of their own, and what the scheduler wakes."""
    periods = {BEAT: WRITE_SECONDS, INGEST: WRITE_SECONDS} | {
        name: seconds_of(entry["schedule"]) for name, entry in settings.CELERY_BEAT_SCHEDULE.items()
    }
    rows = {row.name: row for row in LoopTick.objects.filter(name__in=periods)}
    return tuple(_status(name, every, rows.get(name)) for name, every in periods.items())


def _status(name: str, every: float, row: LoopTick | None) -> LoopStatus:
    return LoopStatus(
        name=name,
        every=every,
        last=row.at if row else None,
        expected=row.known_at if row else None,
    )


def interruptions(now: datetime) -> tuple[InterruptionNote, ...]:
    """What was interrupted not long ago; one query."""
    return interruption_notes(dict(Interruption.objects.values_list("name", "at")), now)


def seconds_of(schedule: Any) -> float:
    """The period of an entry of CELERY_BEAT_SCHEDULE in seconds."""
    return schedule.total_seconds() if isinstance(schedule, timedelta) else float(schedule)
