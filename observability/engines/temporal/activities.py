"""Activities: heartbeats as progress, their attempts, and what pending ones tell before the history
does."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import orjson

from console.clients.temporal.records import (
    Failure,
    Heartbeat,
    PendingActivity,
    RunDescription,
    RunHistory,
)
from console.unstructured import number
from observability.engines.contracts import AttemptRound, EventKind, Progress, RunEvent
from observability.engines.temporal.failures import decisive, facts_of, root_message

_DONE: Final = ("done", "next", "completed", "processed", "current", "progress", "position")
_TOTAL: Final = ("total", "of", "count", "size")
_LONGEST_TEXT: Final = 200
_MOST_SCHEDULES: Final = 20_000
AT_WORK: Final = frozenset({"started", "cancel_requested", "pause_requested"})
"""The states in which a worker has it."""


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
    return shown if len(shown) <= _LONGEST_TEXT else shown[: _LONGEST_TEXT - 1] + "…"


def _first_number(facts: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    known = (_number(facts[name]) for name in names if name in facts)
    return next((count for count in known if count is not None), None)


def _number(value: Any) -> int | None:
    known = number(value)
    return int(known) if known is not None and abs(known) < 2**53 else None


def checkpoint(
    heartbeat: Heartbeat, at: datetime, *, scheduled: int, name: str, attempt: int
) -> RunEvent:
    """A heartbeat of one attempt. However often it is seen, it has the same key."""
    how_far = progress(heartbeat, at)
    return RunEvent(
        key=attempt_key(attempt, f"2-{heartbeat.digest}"),
        seq=scheduled,
        at=at,
        kind=EventKind.CHECKPOINT,
        title=f"Checkpoint of {name or 'an activity'}{_so_far(how_far)}"[:_LONGEST_TEXT],
        step=f"activity-{scheduled}",
        step_name=name,
        attempt=attempt,
        message=how_far.text,
        detail={"details": list(heartbeat.details), "done": how_far.done, "total": how_far.total},
        attempt_round=AttemptRound.NEWEST,
    )


def _so_far(how_far: Progress) -> str:
    if how_far.done is None:
        return ""
    return f": {how_far.done}" + (f" of {how_far.total}" if how_far.total is not None else "")


def attempt_key(attempt: int, what: str) -> str:
    """The key of something that the history tells late or not at all, and a look at the running
    activity tells early: both must come to the same. Sorts by attempt, after the history's own.
    Neither says whether a reset came before: that is known by when the attempts were."""
    return f"a{attempt:06d}/{what}"


def attempt_started(
    at: datetime, *, scheduled: int, name: str, attempt: int, worker: str, build: str
) -> RunEvent:
    """An attempt began on a worker."""
    return RunEvent(
        key=attempt_key(attempt, "1-started"),
        seq=scheduled,
        at=at,
        kind=EventKind.ATTEMPT_STARTED,
        title=f"Attempt {attempt} of {name or 'an activity'} started"[:200],
        step=f"activity-{scheduled}",
        step_name=name,
        attempt=attempt,
        actor=worker,
        detail={"build": build} if build else {},
        attempt_round=AttemptRound.BY_TIME,
    )


def attempt_failed(
    failure: Failure,
    at: datetime,
    *,
    scheduled: int,
    name: str,
    attempt: int,
    attempt_round: AttemptRound = AttemptRound.NEWEST,
) -> Iterator[RunEvent]:
    """An attempt failed and another one follows; the last heartbeat of one that timed out."""
    outer = decisive(failure)
    timed_out = outer is not None and outer.kind == "timeout"
    if outer is not None and outer.heartbeat is not None:
        yield checkpoint(outer.heartbeat, at, scheduled=scheduled, name=name, attempt=attempt)
    yield RunEvent(
        key=attempt_key(attempt, "3-failed"),
        seq=scheduled,
        at=at,
        kind=EventKind.ATTEMPT_TIMED_OUT if timed_out else EventKind.ATTEMPT_FAILED,
        title=f"Attempt {attempt} of {name or 'an activity'} {_how(timed_out=timed_out)}"[:200],
        step=f"activity-{scheduled}",
        step_name=name,
        attempt=attempt,
        message=root_message(failure),
        detail=facts_of(failure),
        attempt_round=attempt_round,
    )


def _how(*, timed_out: bool) -> str:
    return "timed out" if timed_out else "failed"


def pending_activity_events(
    activity: PendingActivity, *, scheduled: int, now: datetime
) -> Iterator[RunEvent]:
    """What an activity that has not ended tells and the history does not (yet)."""
    name, attempt = activity.type, activity.attempt
    running = activity.state in AT_WORK
    ended = activity.attempt_ended_at or activity.scheduled_at or now
    exact = AttemptRound.BY_TIME if activity.attempt_ended_at else AttemptRound.NEWEST
    if activity.failure is not None and attempt > 1:
        yield from attempt_failed(
            activity.failure,
            ended,
            scheduled=scheduled,
            name=name,
            attempt=attempt - 1,
            attempt_round=exact,
        )
    if attempt > 1:
        yield replace(_retry(activity, ended, scheduled), attempt_round=exact)
    if running and activity.started_at is not None:
        yield attempt_started(
            activity.started_at,
            scheduled=scheduled,
            name=name,
            attempt=attempt,
            worker=activity.worker,
            build=activity.build,
        )
    if activity.heartbeat is not None:
        at = activity.heartbeat_at or ended
        fresh = running and activity.started_at is not None and at >= activity.started_at
        yield checkpoint(
            activity.heartbeat,
            at,
            scheduled=scheduled,
            name=name,
            attempt=attempt if fresh else max(attempt - 1, 1),
        )
    if activity.paused_at is not None:
        yield _paused(activity, activity.paused_at, scheduled)


def _retry(activity: PendingActivity, at: datetime, scheduled: int) -> RunEvent:
    detail: dict[str, Any] = {"maximum_attempts": activity.maximum_attempts or None}
    if activity.next_attempt_at is not None:
        detail["next_attempt_at"] = activity.next_attempt_at.isoformat()
    if activity.retry_seconds is not None:
        detail["wait_seconds"] = activity.retry_seconds
    return RunEvent(
        key=attempt_key(activity.attempt, "0-retry"),
        seq=scheduled,
        at=at,
        kind=EventKind.RETRY,
        title=f"Attempt {activity.attempt} of {activity.type} is to follow"[:200],
        step=f"activity-{scheduled}",
        step_name=activity.type,
        attempt=activity.attempt,
        detail=detail,
    )


def _paused(activity: PendingActivity, at: datetime, scheduled: int) -> RunEvent:
    return RunEvent(
        key=attempt_key(activity.attempt, f"4-paused-{int(at.timestamp() * 1000)}"),
        seq=scheduled,
        at=at,
        kind=EventKind.PAUSED,
        title=f"{activity.type or 'An activity'} was paused"[:200],
        step=f"activity-{scheduled}",
        step_name=activity.type,
        attempt=activity.attempt,
        actor=activity.paused_by,
        message=activity.pause_reason,
        attempt_round=AttemptRound.NEWEST,
    )


class Schedules:
    """Which event scheduled an activity that is pending. Only saves reading the same history
    again: what is not here is looked for in it."""

    def __init__(self) -> None:
        self._events: OrderedDict[tuple[str, str], int] = OrderedDict()

    def missing(self, run_id: str, description: RunDescription) -> frozenset[str]:
        """The ids of pending activities that are still to be looked for."""
        ids = {activity.activity_id for activity in description.activities}
        return frozenset(name for name in ids if (run_id, name) not in self._events)

    def learn(self, run_id: str, history: RunHistory) -> None:
        """Remember what a history says."""
        for event in history.events:
            if event.type == "activity_task_scheduled":
                self._events[(run_id, event.subject)] = event.id
                self._events.move_to_end((run_id, event.subject))
        while len(self._events) > _MOST_SCHEDULES:
            self._events.popitem(last=False)

    def of(self, run_id: str, activity_id: str) -> int | None:
        """The id of the scheduling event."""
        return self._events.get((run_id, activity_id))


def pending_events(
    description: RunDescription, schedules: Schedules, created_at: datetime
) -> Iterator[RunEvent]:
    """Attempts, retries and checkpoints of the activities that have not ended."""
    for activity in description.activities:
        scheduled = schedules.of(description.row.run_id, activity.activity_id)
        if scheduled is not None:
            yield from pending_activity_events(activity, scheduled=scheduled, now=created_at)
