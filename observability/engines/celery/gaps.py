"""What has to be said of runs after events were lost: something of theirs may be missing. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from console.chunks import chunks
from observability.engines.celery.events import microseconds
from observability.engines.contracts import (
    EventKind,
    RunEvent,
    RunRef,
    RunSnapshot,
    TrailGap,
)

MOST: Final = 500
"""Runs in one page."""


def pages(runs: Iterable[RunSnapshot]) -> Iterator[tuple[RunSnapshot, ...]]:
    """Runs in pages of bounded size."""
    return map(tuple, chunks(runs, MOST))


def gap_notes(open_runs: Iterable[RunRef], gap: TrailGap) -> Iterator[RunSnapshot]:
    """The runs that were open in a gap, each with an event that says so."""
    us = microseconds(gap.starts_at)
    event = RunEvent(
        key=f"gap:{us}",
        seq=us,
        at=gap.starts_at,
        kind=EventKind.GAP,
        title=f"Events were not read until {gap.ends_at:%Y-%m-%d %H:%M:%S} UTC",
        message=gap.cause[:2000],
    )
    for run in open_runs:
        if run.created_at <= gap.ends_at:
            yield _again(run, (event,))


def _again(run: RunRef, events: tuple[RunEvent, ...]) -> RunSnapshot:
    return RunSnapshot(
        external_id=run.external_id,
        run_id=run.run_id,
        location=run.location,
        type="",
        status=run.status,
        created_at=run.created_at,
        revision=run.revision,
        events=events,
    )
