"""Heartbeats as progress."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import orjson

from console.clients.temporal.records import Heartbeat
from observability.engines.contracts import EventKind, EventSeen, Progress

_DONE: Final = ("done", "next", "completed", "processed", "current", "progress", "position")
_TOTAL: Final = ("total", "of", "count", "size")
_LONGEST: Final = 200


def progress(heartbeat: Heartbeat, at: datetime) -> Progress:
    """How far it is, when the details say so: {"next": 57, "total": 100}, or just a number."""
    first = heartbeat.details[0] if heartbeat.details else None
    second = heartbeat.details[1] if len(heartbeat.details) > 1 else None
    if isinstance(first, Mapping):
        done, total = _first_number(first, _DONE), _first_number(first, _TOTAL)
    else:
        done, total = _number(first), _number(second)
    return Progress(at=at, done=done, total=total, text=_text(heartbeat))


def _text(heartbeat: Heartbeat) -> str:
    shown = orjson.dumps(list(heartbeat.details)).decode()[1:-1]
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"


def _first_number(facts: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    found = (_number(facts[name]) for name in names if name in facts)
    return next((one for one in found if one is not None), None)


def _number(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return int(value) if abs(value) < 2**53 else None


def checkpoint(
    heartbeat: Heartbeat, at: datetime, *, scheduled: int, name: str, attempt: int
) -> EventSeen:
    """A heartbeat of one attempt. However often it is seen, it has the same key."""
    how_far = progress(heartbeat, at)
    return EventSeen(
        key=attempt_key(attempt, f"2-{heartbeat.digest}"),
        seq=scheduled,
        at=at,
        kind=EventKind.CHECKPOINT,
        title=f"Checkpoint of {name or 'an activity'}{_so_far(how_far)}"[:_LONGEST],
        step=f"activity-{scheduled}",
        step_name=name,
        attempt=attempt,
        message=how_far.text,
        detail={"details": list(heartbeat.details), "done": how_far.done, "total": how_far.total},
    )


def _so_far(how_far: Progress) -> str:
    if how_far.done is None:
        return ""
    return f": {how_far.done}" + (f" of {how_far.total}" if how_far.total is not None else "")


def attempt_key(attempt: int, what: str) -> str:
    """The key of something that the history tells late or not at all, and a look at the running
    activity tells early: both must come to the same. Sorts by attempt, after the history's own."""
    return f"a{attempt:06d}/{what}"
