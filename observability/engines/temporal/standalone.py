"""Standalone activities as runs of the trail: each is a run of one step.

Their run ids bear a prefix (see run_ids.py). There is no history of them: what is kept are the
attempts that were described in time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from console.clients.temporal.declared import declared
from console.clients.temporal.records import (
    ActivityDescription,
    PendingActivity,
    VisibilityRow,
)
from observability.engines.contracts import (
    JSON_DOCUMENT,
    LONGEST_TITLE,
    OPEN,
    PARENT_MEMO,
    REQUEST_MEMO,
    TRACE_MEMO,
    AttemptRound,
    EventKind,
    FailureKind,
    History,
    Hold,
    LinkKind,
    RunEvent,
    RunSnapshot,
    Status,
)
from observability.engines.temporal.activities import (
    AT_WORK,
    pending_activity_events,
    progress,
)
from observability.engines.temporal.failures import facts_of, kind_of, root_message
from observability.engines.temporal.run_ids import PREFIX
from observability.engines.temporal.runs import LONGEST_LINK, snapshot

_SCHEDULED: Final = 2
"""Number of the event that scheduled it, in the order in which a history would have them."""
_LONGEST_KEY: Final = 1400
_STEP: Final = f"activity-{_SCHEDULED}"
_AT_ONCE: Final = timedelta(milliseconds=100)
"""What ends with an attempt is closed by then."""
_ENDINGS: Final[Mapping[Status, tuple[EventKind, EventKind, str]]] = {
    Status.SUCCEEDED: (EventKind.STEP_COMPLETED, EventKind.SUCCEEDED, "Completed"),
    Status.FAILED: (EventKind.ATTEMPT_FAILED, EventKind.FAILED, "Failed"),
    Status.TIMED_OUT: (EventKind.ATTEMPT_TIMED_OUT, EventKind.TIMED_OUT, "Timed out"),
    Status.CANCELLED: (EventKind.STEP_COMPLETED, EventKind.CANCELLED, "Cancelled"),
    Status.TERMINATED: (EventKind.STEP_COMPLETED, EventKind.TERMINATED, "Terminated"),
}


def listed(row: VisibilityRow, namespace: str) -> RunSnapshot:
    """An activity as visibility shows it."""
    run = snapshot(row, namespace)
    hold = run.hold and Hold(run.hold.until, "start delay")
    return replace(run, run_id=PREFIX + row.run_id, hold=hold)


def described(description: ActivityDescription, namespace: str) -> RunSnapshot:
    """An activity as it is now, or as it ended."""
    row, activity = description.row, description.activity
    run = listed(row, namespace)
    failure, kind = _failure(description, run.status)
    moments = (activity.heartbeat_at, activity.started_at, activity.attempt_ended_at)
    newest = max((moment for moment in moments if moment is not None), default=row.created_at)
    beat = activity.heartbeat
    return replace(
        run,
        status=_status(description, run.status),
        revision=f"{run.revision}:{int(newest.timestamp() * 1000)}",
        fairness_key=activity.fairness_key,
        began_at=_began_at(description),
        parent=declared(PARENT_MEMO, row.attributes, description.headers)[:_LONGEST_KEY],
        links=_links(description),
        attempts=activity.attempt or None,
        failure=failure,
        failure_kind=kind,
        is_well=not failure,
        worker=activity.worker,
        build=activity.build,
        progress=progress(beat, activity.heartbeat_at or newest) if beat else None,
        needs_history=False,
    )


def _began_at(description: ActivityDescription) -> datetime | None:
    """When the first attempt began; of a later one only its own start is known."""
    activity = description.activity
    latest = activity.attempt - 1 if _awaits_attempt(description) else activity.attempt
    return activity.started_at if latest == 1 else None


def _awaits_attempt(description: ActivityDescription) -> bool:
    """Whether its present attempt has not begun, or never did: its times are of the one before."""
    activity, closed_at = description.activity, description.row.closed_at
    if closed_at is None:
        return activity.state not in AT_WORK
    began, ended = activity.started_at, activity.attempt_ended_at
    if began is None or ended is None:
        return began is None
    return began <= ended < closed_at - _AT_ONCE


def _status(description: ActivityDescription, status: Status) -> Status:
    untouched = description.activity.started_at is None
    return Status.WAITING if status is Status.RUNNING and untouched else status


def _failure(description: ActivityDescription, status: Status) -> tuple[str, FailureKind]:
    if status is Status.CANCELLED:
        return "", FailureKind.CANCELLED
    failure = description.failure
    if status in OPEN:
        failure = description.activity.failure
    if failure is None:
        return "", FailureKind.NONE
    if status is Status.TERMINATED:
        return failure.message or "Terminated", FailureKind.TERMINATED
    return root_message(failure), kind_of(failure)


def _links(description: ActivityDescription) -> dict[LinkKind, str]:
    places = (description.row.attributes, description.headers)
    links = {
        LinkKind.REQUEST: declared(REQUEST_MEMO, *places),
        LinkKind.TRACE: declared(TRACE_MEMO, *places),
    }
    return {kind: value for kind, value in links.items() if 0 < len(value) <= LONGEST_LINK}


def history_of(description: ActivityDescription, namespace: str) -> History:
    """All that can be told of an activity, in the shape of a history."""
    run = described(description, namespace)
    is_closed = run.status not in OPEN
    return History(
        events=tuple(sorted(_events(description, run), key=lambda event: (event.seq, event.key))),
        document=description.document if is_closed else b"",
        media=JSON_DOCUMENT,
        run=run,
        complete=is_closed,
    )


def _events(description: ActivityDescription, run: RunSnapshot) -> Iterator[RunEvent]:
    yield from _beginning(description, run)
    yield from _attempts(description, run)
    if run.closed_at is not None and run.status in _ENDINGS:
        yield from _ending(description, run, run.closed_at)


def _beginning(description: ActivityDescription, run: RunSnapshot) -> Iterator[RunEvent]:
    due = run.hold.until if run.hold and run.hold.until else run.created_at
    held = f", due at {due:%Y-%m-%d %H:%M:%S} UTC" if run.hold else ""
    detail = {
        "input": list(description.input),
        "task_queue": run.queue,
        "maximum_attempts": description.activity.maximum_attempts or None,
        "summary": description.summary or None,
    }
    known = {name: fact for name, fact in detail.items() if fact}
    title = f"{run.type} was started by itself, without a workflow{held}"
    yield _event(1, EventKind.CREATED, run.created_at, title, detail=known)
    yield _event(
        _SCHEDULED,
        EventKind.SCHEDULED,
        due,
        f"Scheduled {run.type}",
        step=_STEP,
        step_name=run.type,
    )


def _attempts(description: ActivityDescription, run: RunSnapshot) -> Iterator[RunEvent]:
    activity = description.activity
    if run.status in OPEN:
        yield from pending_activity_events(activity, scheduled=_SCHEDULED, now=run.created_at)
        return
    last = _last_attempt(description, run.status)
    for event in pending_activity_events(last, scheduled=_SCHEDULED, now=run.created_at):
        is_start = event.kind is EventKind.ATTEMPT_STARTED
        # Only that was looked at with its own time before.
        yield event if is_start else replace(event, attempt_round=AttemptRound.NEWEST)


def _last_attempt(description: ActivityDescription, status: Status) -> PendingActivity:
    """The last attempt of a closed one as it was before it ended."""
    activity = description.activity
    if _awaits_attempt(description):
        return replace(activity, state="scheduled")
    # The last failure is that of the attempt that ended it, or of the one before.
    own = status in {Status.FAILED, Status.TIMED_OUT}
    known = (activity.attempt_ended_at, activity.started_at)
    # The end is its own: of the one before it is known that it was over when this one began.
    before = min((moment for moment in known if moment is not None), default=None)
    failure = None if own else activity.failure
    return replace(activity, state="started", failure=failure, attempt_ended_at=before)


def _ending(description: ActivityDescription, run: RunSnapshot, at: datetime) -> Iterator[RunEvent]:
    of_step, of_run, title = _ENDINGS[run.status]
    failure, activity = description.failure, description.activity
    detail: dict[str, Any] = {"retry_state": description.retry_state, **facts_of(failure)}
    if description.result:
        detail["result"] = list(description.result)
    known = {name: fact for name, fact in detail.items() if fact}
    message = "" if run.status is Status.SUCCEEDED else root_message(failure)
    step_title = {
        EventKind.STEP_COMPLETED: f"{run.type} {title.lower()}",
        EventKind.ATTEMPT_FAILED: f"{run.type} failed for good",
        EventKind.ATTEMPT_TIMED_OUT: f"{run.type} timed out for good",
    }[of_step]
    yield _event(
        _SCHEDULED + 1,
        of_step,
        at,
        step_title,
        step=_STEP,
        step_name=run.type,
        attempt=activity.attempt,
        actor=activity.worker,
        message=message,
        detail=known,
    )
    actor = failure.identity if failure is not None else ""
    yield _event(_SCHEDULED + 2, of_run, at, title, actor=actor, message=message, detail=known)


def _event(number: int, kind: EventKind, at: datetime, title: str, **more: Any) -> RunEvent:
    return RunEvent(
        key=str(number), seq=number, at=at, kind=kind, title=title[:LONGEST_TITLE], **more
    )
