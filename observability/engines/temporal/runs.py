"""Rows, descriptions and histories of Temporal as runs of the trail."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from console.clients.temporal.declared import declared
from console.clients.temporal.records import (
    HistoryEvent,
    PendingActivity,
    RunDescription,
    VisibilityRow,
)
from console.unstructured import whole
from observability.engines.contracts import (
    OPEN,
    PARENT_MEMO,
    REQUEST_MEMO,
    TENANT_ATTRIBUTE,
    TRACE_MEMO,
    EventKind,
    FailureKind,
    Hold,
    LinkKind,
    Progress,
    RunEvent,
    RunRef,
    RunSnapshot,
    Status,
    run_key,
)
from observability.engines.temporal.activities import progress
from observability.engines.temporal.failures import kind_of, root_message, timeout_words
from observability.engines.temporal.history_runs import hold_of, schedule_of
from observability.engines.temporal.history_state import HistoryState

ENGINE: Final = "temporal"
_STATUSES: Final[Mapping[str, Status]] = {
    "running": Status.RUNNING,
    "paused": Status.PAUSED,
    "completed": Status.SUCCEEDED,
    "failed": Status.FAILED,
    "canceled": Status.CANCELLED,
    "terminated": Status.TERMINATED,
    "continued_as_new": Status.CONTINUED,
    "timed_out": Status.TIMED_OUT,
}
_ENDINGS: Final[Mapping[str, Status]] = {
    f"workflow_execution_{word}": status for word, status in _STATUSES.items() if status not in OPEN
}
_HELD: Final = timedelta(milliseconds=100)
"""What is due later than that after its start waits for a moment, not for a worker."""
LONGEST_LINK: Final = 255
_LONGEST_KEY: Final = 1400
_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


def status_of(word: str) -> Status:
    """Temporal's word for a status in ours; one from the future counts as running."""
    return _STATUSES.get(word, Status.RUNNING)


def snapshot(row: VisibilityRow, namespace: str) -> RunSnapshot:
    """A run as visibility shows it. A description knows more about an open one."""
    return RunSnapshot(
        external_id=row.workflow_id,
        run_id=row.run_id,
        location=namespace,
        type=row.type,
        status=status_of(row.status),
        created_at=row.created_at,
        revision=revision_of(row),
        queue=row.queue,
        fairness_key=row.fairness_key,
        closed_at=row.closed_at,
        tenant=declared(TENANT_ATTRIBUTE, row.attributes),
        hold=_hold(row),
        build=row.build,
        parent=_parent(row, namespace),
        links=_links(row, namespace),
        attributes=row.attributes,
        needs_history=True,
    )


def revision_of(row: VisibilityRow) -> str:
    """Grows with the run. For an open one visibility only knows how it began."""
    return f"{row.status}:{row.history_length}:{row.transitions}"


def covers(revision: str, row: VisibilityRow) -> bool:
    """Whether a stored revision is of a look as late as this row. A closed run that was reset has
    more transitions than visibility ever hears of."""
    status, _, numbers = revision.partition(":")
    known = tuple(whole(part) or 0 for part in numbers.split(":")[:2])
    return status == row.status and known >= (row.history_length, row.transitions)


def snapshot_of(description: RunDescription, namespace: str) -> RunSnapshot:
    """A run as it is now; the revision of an open one changes with every heartbeat and retry."""
    run = snapshot(description.row, namespace)
    if run.status not in OPEN:
        return run
    attempts = [activity.attempt for activity in description.activities]
    if description.workflow_task_attempt > 1:
        attempts.append(description.workflow_task_attempt)
    failing = _failing(description)
    return replace(
        run,
        revision=f"{run.revision}:{_newest(description)}",
        progress=pending_progress(description),
        attempts=max(attempts, default=0) or None,
        failure=root_message(failing.failure) if failing else "",
        failure_kind=kind_of(failing.failure) if failing else FailureKind.NONE,
        is_well=failing is None and description.workflow_task_attempt <= 1,
    )


def _failing(description: RunDescription) -> PendingActivity | None:
    """The activity that failed last, of those that wait for another attempt or are at it."""
    failed = [activity for activity in description.activities if activity.failure is not None]
    return max(
        failed,
        key=lambda activity: (
            activity.attempt_ended_at or activity.started_at or _NEVER,
            activity.activity_id,
        ),
        default=None,
    )


def _newest(description: RunDescription) -> int:
    """The last time that an activity which is under way was heard of, in milliseconds."""
    moments = [
        moment
        for activity in description.activities
        for moment in (
            activity.heartbeat_at,
            activity.started_at,
            activity.attempt_ended_at,
            activity.paused_at,
        )
        if moment is not None
    ]
    return int(max(moments).timestamp() * 1000) if moments else 0


def pending_progress(description: RunDescription) -> Progress | None:
    """The newest heartbeat of those activities that are under way."""
    beats = [
        progress(activity.heartbeat, activity.heartbeat_at)
        for activity in description.activities
        if activity.heartbeat is not None and activity.heartbeat_at is not None
    ]
    return max(beats, key=lambda beat: beat.at, default=None)


def refined(run: RunSnapshot, history: HistoryState) -> RunSnapshot:
    """The run with what only its history knows."""
    first, last = history.first, history.last
    run = replace(
        run,
        began_at=history.began_at or run.began_at,
        attempts=max(history.attempts, run.attempts or 0) or None,
        worker=history.worker or run.worker,
        build=history.build or run.build,
        progress=history.progress if run.progress is None else run.progress,
        needs_history=False,
    )
    if first is not None:
        run = _from_start(run, first)
    if last is None:
        return run
    ending = _ENDINGS.get(last.type)
    if ending is not None:
        run = replace(run, status=ending, closed_at=run.closed_at or last.at)
        if last.run:
            # A run that goes on in another one names the first of the chain, as that one will.
            run = replace(run, links={**_own_chain(run), **run.links})
    failure, kind = _failure(history, ending)
    if ending is None and history.stuck is None:
        return run  # what its activities fail with is known from their own description
    return replace(run, failure=failure, failure_kind=kind, is_well=ending is not None)


def _from_start(run: RunSnapshot, first: HistoryEvent) -> RunSnapshot:
    detail, parent = first.detail, run.parent
    schedule = schedule_of(first)
    if detail.get("parent_workflow_id"):
        where = str(detail.get("parent_namespace") or run.location)
        parent = run_key(
            ENGINE, where, str(detail["parent_workflow_id"]), str(detail.get("parent_run_id", ""))
        )[:_LONGEST_KEY]
    priority = detail.get("priority") or {}
    began_as = str(detail.get("first_run_id", ""))
    links = dict(run.links)
    if began_as and began_as != run.run_id:
        links[LinkKind.CHAIN] = _chain(run.location, run.external_id, began_as)
    return replace(
        run,
        started_by=f"schedule {schedule}" if schedule else first.actor,
        hold=hold_of(first) or run.hold,
        parent=parent,
        links=links,
        queue=run.queue or str(detail.get("task_queue", "")),
        fairness_key=run.fairness_key or str(priority.get("fairness_key", "")),
    )


def _failure(history: HistoryState, ending: Status | None) -> tuple[str, FailureKind]:
    """The root of the trouble in words. A workflow task that fails for ever is trouble too."""
    last, stuck = history.last, history.stuck
    stuck_text, stuck_kind = _of_stuck(stuck) if stuck else ("", FailureKind.NONE)
    if last is None or ending is None:
        return stuck_text, stuck_kind
    if ending is Status.FAILED:
        return root_message(last.failure), kind_of(last.failure)
    if ending is Status.TIMED_OUT:
        text = "The workflow's own time was over"
        return (f"{text}: {stuck_text}", stuck_kind) if stuck else (text, FailureKind.DEADLINE)
    if ending is Status.TERMINATED:
        return last.message or "Terminated", FailureKind.TERMINATED
    if ending is Status.CANCELLED:
        return "", FailureKind.CANCELLED
    return "", FailureKind.NONE


def _of_stuck(stuck: HistoryEvent) -> tuple[str, FailureKind]:
    if stuck.type == "workflow_task_timed_out":
        return f"Workflow task: {timeout_words(stuck.state)}", FailureKind.TIMEOUT
    kind = kind_of(stuck.failure)
    if stuck.state == "non_deterministic_error":
        kind = FailureKind.NON_DETERMINISM
    return root_message(stuck.failure) or stuck.state.replace("_", " "), kind


def from_history(ref: RunRef, history: HistoryState) -> RunSnapshot:
    """A run that only its history was asked for."""
    first = history.first
    run = RunSnapshot(
        external_id=ref.external_id,
        run_id=ref.run_id,
        location=ref.location,
        type=first.name if first is not None else "",
        status=ref.status,
        created_at=ref.created_at,
        revision=ref.revision,
    )
    return refined(run, history)


def reset_of(run: RunSnapshot) -> RunEvent | None:
    """The event by which this run came out of another one."""
    resets = (event for event in run.events if event.kind is EventKind.RESET)
    return next((event for event in resets if event.detail.get("new_run_id") == run.run_id), None)


def reset_base(
    description: RunDescription, run: RunSnapshot, at: datetime, namespace: str
) -> RunSnapshot:
    """The run that `run` was reset from: its side of the reset."""
    base = snapshot(description.row, namespace)
    event = RunEvent(
        key=f"reset/{run.run_id}",
        seq=max(description.row.history_length, 1),
        at=at,
        kind=EventKind.RESET,
        title=f"Reset: goes on as run {run.run_id}",
        detail={"new_run_id": run.run_id},
    )
    return replace(
        base, links={**_own_chain(base), **base.links}, events=(event,), needs_history=False
    )


def vanished(ref: RunRef, now: datetime) -> RunSnapshot:
    """A run that was open when last looked at and that the server no longer has."""
    return RunSnapshot(
        external_id=ref.external_id,
        run_id=ref.run_id,
        location=ref.location,
        type="",
        status=Status.DELETED,
        created_at=ref.created_at,
        revision=f"{ref.revision}:deleted",
        closed_at=now,
        failure="Temporal no longer has this run: deleted, or past its retention",
    )


def _parent(row: VisibilityRow, namespace: str) -> str:
    if row.parent_workflow_id:
        key = run_key(ENGINE, namespace, row.parent_workflow_id, row.parent_run_id)
        return key[:_LONGEST_KEY]
    return _declared(row, PARENT_MEMO)[:_LONGEST_KEY]


def _links(row: VisibilityRow, namespace: str) -> dict[LinkKind, str]:
    links = {
        LinkKind.REQUEST: _declared(row, REQUEST_MEMO),
        LinkKind.TRACE: _declared(row, TRACE_MEMO),
    }
    if row.first_run_id and row.first_run_id != row.run_id:
        links[LinkKind.CHAIN] = _chain(namespace, row.workflow_id, row.first_run_id)
    return {kind: value for kind, value in links.items() if 0 < len(value) <= LONGEST_LINK}


def _own_chain(run: RunSnapshot) -> dict[LinkKind, str]:
    return {LinkKind.CHAIN: _chain(run.location, run.external_id, run.run_id)}


def _chain(namespace: str, workflow_id: str, run_id: str) -> str:
    """What the runs of one chain have in common: the key of the first, or a long one's digest."""
    key = run_key(ENGINE, namespace, workflow_id, run_id)
    return key if len(key) <= LONGEST_LINK else hashlib.sha256(key.encode()).hexdigest()


def _declared(row: VisibilityRow, name: str) -> str:
    return declared(name, row.attributes, row.memo)


def _hold(row: VisibilityRow) -> Hold | None:
    """That it is held back is known at once, what for only from its history."""
    if row.closed_at is not None or row.due_at is None:
        return None
    return Hold(row.due_at, "") if row.due_at - row.created_at > _HELD else None


def waiting(run: RunSnapshot, description: RunDescription, history: HistoryState) -> RunSnapshot:
    """The run as waiting when no worker has ever taken it up."""
    untouched = (
        history.first is not None and history.began_at is None and not description.activities
    )
    if run.status is Status.RUNNING and untouched:
        return replace(run, status=Status.WAITING)
    return run
