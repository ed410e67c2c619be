"""Attempts of activities: what the history says about them and what pending activities say."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from console.clients.temporal.records import Fault, PendingActivity
from observability.engines.contracts import EventKind, EventSeen
from observability.engines.temporal.checkpoints import attempt_key, checkpoint
from observability.engines.temporal.faults import decisive, facts_of, root_message


def started(
    at: datetime, *, scheduled: int, name: str, attempt: int, worker: str, build: str
) -> EventSeen:
    """An attempt began on a worker."""
    return EventSeen(
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
    )


def failed(
    fault: Fault, at: datetime, *, scheduled: int, name: str, attempt: int, worker: str = ""
) -> Iterator[EventSeen]:
    """An attempt failed and another one follows; the last heartbeat of one that timed out."""
    outer = decisive(fault)
    timed_out = outer is not None and outer.kind == "timeout"
    if outer is not None and outer.heartbeat is not None:
        yield checkpoint(outer.heartbeat, at, scheduled=scheduled, name=name, attempt=attempt)
    yield EventSeen(
        key=attempt_key(attempt, "3-failed"),
        seq=scheduled,
        at=at,
        kind=EventKind.ATTEMPT_TIMED_OUT if timed_out else EventKind.ATTEMPT_FAILED,
        title=f"Attempt {attempt} of {name or 'an activity'} {_how(timed_out=timed_out)}"[:200],
        step=f"activity-{scheduled}",
        step_name=name,
        attempt=attempt,
        actor=worker,
        message=root_message(fault),
        detail=facts_of(fault),
    )


def _how(*, timed_out: bool) -> str:
    return "timed out" if timed_out else "failed"


def pending(activity: PendingActivity, *, scheduled: int, now: datetime) -> Iterator[EventSeen]:
    """What an activity that has not ended tells and the history does not (yet)."""
    name, attempt = activity.type, activity.attempt
    running = activity.state in {"started", "cancel_requested", "pause_requested"}
    ended = activity.attempt_ended_at or activity.scheduled_at or now
    if activity.fault is not None and attempt > 1:
        yield from failed(
            activity.fault, ended, scheduled=scheduled, name=name, attempt=attempt - 1
        )
    if attempt > 1:
        yield _retry(activity, ended, scheduled)
    if running and activity.started_at is not None:
        yield started(
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


def _retry(activity: PendingActivity, at: datetime, scheduled: int) -> EventSeen:
    detail: dict[str, Any] = {"maximum_attempts": activity.maximum_attempts or None}
    if activity.next_attempt_at is not None:
        detail["next_attempt_at"] = activity.next_attempt_at.isoformat()
    if activity.retry_seconds is not None:
        detail["wait_seconds"] = activity.retry_seconds
    return EventSeen(
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


def _paused(activity: PendingActivity, at: datetime, scheduled: int) -> EventSeen:
    return EventSeen(
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
    )
