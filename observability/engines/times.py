"""Times that cannot be: before their object was there, or still to come. Pure.

An object that was restored from a backup keeps the times of its status, and whoever may write a
status may write any time into it. When the API server took the object in, it says itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from observability.engines.contracts import STATUS_TIMES, EventKind, RunEvent, RunSnapshot
from observability.engines.unstructured import event

TOLERANCE: Final = timedelta(seconds=60)
"""By which clocks may differ without a word."""
OLDER: Final = "Times of the status are older than the object"
FUTURE: Final = "Times of the status are in the future"


def plausible(run: RunSnapshot, now: datetime) -> RunSnapshot:
    """The run with nothing that began or ended before it was created or will only do so.

    A note says where that makes a difference, and so does the attribute STATUS_TIMES: how long such
    a run took is not known. What happened keeps its time, except where that is still to come. A
    `now` that is not after the creation stands for none: then nothing is in the future.
    """
    latest = now if now > run.created_at else datetime.max.replace(tzinfo=UTC) - TOLERANCE
    stated = [at for at in (run.began_at, run.closed_at) if at is not None]
    problem = _problem(stated, run.created_at, latest)
    events = tuple(_not_in_future(event, latest) for event in run.events)
    if problem:
        events = (*events, _note(problem, run, stated))
    return replace(
        run,
        began_at=_within(run.began_at, run.created_at, latest),
        closed_at=_within(run.closed_at, run.created_at, latest),
        attributes={STATUS_TIMES: problem, **run.attributes} if problem else run.attributes,
        events=events,
    )


def _problem(stated: Iterable[datetime], earliest: datetime, latest: datetime) -> str:
    if any(at < earliest - TOLERANCE for at in stated):
        return OLDER
    return FUTURE if any(at > latest + TOLERANCE for at in stated) else ""


def _within(at: datetime | None, earliest: datetime, latest: datetime) -> datetime | None:
    return None if at is None else min(max(at, earliest), latest)


def _not_in_future(event: RunEvent, latest: datetime) -> RunEvent:
    if event.at <= latest + TOLERANCE:
        return event
    return replace(event, at=latest, detail={**event.detail, "stated_at": event.at.isoformat()})


def _note(problem: str, run: RunSnapshot, stated: list[datetime]) -> RunEvent:
    times = ", ".join(f"{at:%Y-%m-%d %H:%M:%S}" for at in stated)
    message = f"The object was created at {run.created_at:%Y-%m-%d %H:%M:%S} UTC; its status"
    message += f" gives {times} UTC."
    if problem == OLDER:
        message += " It was restored from a backup, or its status was written by somebody else."
    return event(run.created_at, EventKind.NOTE, problem, "status_times", order=3, message=message)
