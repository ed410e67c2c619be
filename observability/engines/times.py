"""Times that cannot be: before their object was there, after it ended, or still to come. Pure.

An object that was restored from a backup keeps the times of its status, and whoever may write a
status may write any time into it. When the API server took the object in, it says itself. When a
container began is by the clock of its node, which may differ from those of the control plane.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from observability.engines.contracts import STATUS_TIMES, EventKind, RunEvent, RunSnapshot
from observability.engines.unstructured import event

TOLERANCE: Final = timedelta(seconds=60)
"""By which clocks may differ without a word."""
OLDER: Final = "Times of the status are older than the object"
FUTURE: Final = "Times of the status are in the future"
CLOCKS: Final = "Clocks disagree about when it began"
"""Of the three the only one that leaves known how long it took."""


def plausible(run: RunSnapshot, now: datetime, *, by_node: bool = False) -> RunSnapshot:
    """The run with nothing that began or ended before it was created or will only do so, and that
    began no later than it ended.

    A note says where that makes a difference, and so does the attribute STATUS_TIMES where it is
    not known how long such a run took. What happened keeps its time, except where that is still to
    come. A `now` that is not after the creation stands for none: then nothing is in the future.
    `by_node`: when it began is by the clock of a node, which alone makes no status old.
    """
    latest = now if now > run.created_at else datetime.max.replace(tzinfo=UTC) - TOLERANCE
    problem = _problem(run, latest, by_node=by_node)
    attributes = run.attributes
    events = tuple(_not_in_future(event, latest) for event in run.events)
    if problem == CLOCKS:
        events = (*events, _clocks_note(run))
    elif problem:
        events = (*events, _note(problem, run))
        attributes = {STATUS_TIMES: problem, **attributes}
    closed_at = _within(run.closed_at, run.created_at, latest)
    return replace(
        run,
        began_at=_within(run.began_at, run.created_at, closed_at or latest),
        closed_at=closed_at,
        attributes=attributes,
        events=events,
    )


def _problem(run: RunSnapshot, latest: datetime, *, by_node: bool) -> str:
    earliest, began, closed = run.created_at - TOLERANCE, run.began_at, run.closed_at
    is_early = began is not None and began < earliest
    if (closed is not None and closed < earliest) or (is_early and not by_node):
        return OLDER
    if closed is not None and closed > latest + TOLERANCE:
        return FUTURE
    is_late = began is not None and began > (closed or latest) + TOLERANCE
    return CLOCKS if is_early or is_late else ""


def _within(at: datetime | None, earliest: datetime, latest: datetime) -> datetime | None:
    return None if at is None else min(max(at, earliest), latest)


def _not_in_future(event: RunEvent, latest: datetime) -> RunEvent:
    if event.at <= latest + TOLERANCE:
        return event
    return replace(event, at=latest, detail={**event.detail, "stated_at": event.at.isoformat()})


def _note(problem: str, run: RunSnapshot) -> RunEvent:
    times = ", ".join(_text(at) for at in (run.began_at, run.closed_at) if at is not None)
    message = f"The object was created at {_text(run.created_at)} UTC; its status"
    message += f" gives {times} UTC."
    if problem == OLDER:
        message += " It was restored from a backup, its status was written by somebody else, or the"
        message += " clocks of its cluster disagree."
    return event(run.created_at, EventKind.NOTE, problem, "status_times", order=3, message=message)


def _clocks_note(run: RunSnapshot) -> RunEvent:
    began = "" if run.began_at is None else _text(run.began_at)
    ended = f"ended at {_text(run.closed_at)} UTC" if run.closed_at else "had not ended by then"
    message = f"By what its cluster says it was created at {_text(run.created_at)} UTC, began at"
    message += f" {began} UTC and {ended}. The clock of a node or of a controller is wrong: when it"
    message += " began is not known."
    return event(run.created_at, EventKind.NOTE, CLOCKS, "clocks", order=3, message=message)


def _text(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"
