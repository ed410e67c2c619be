"""Rows, descriptions and histories of Temporal as runs of the trail."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from console.clients.temporal.records import RunDescription, RunRow
from observability.engines.contracts import (
    OPEN,
    PARENT_MEMO,
    REQUEST_MEMO,
    TENANT_ATTRIBUTE,
    TRACE_MEMO,
    EventKind,
    EventSeen,
    FailureKind,
    LinkKind,
    Progress,
    RunRef,
    RunSeen,
    Status,
    run_key,
)
from observability.engines.temporal.checkpoints import progress
from observability.engines.temporal.faults import kind_of, root_message
from observability.engines.temporal.story import Story

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
_LONGEST_LINK: Final = 255
_LONGEST_KEY: Final = 1400


def status_of(word: str) -> Status:
    """Temporal's word for a status in ours; one from the future counts as running."""
    return _STATUSES.get(word, Status.RUNNING)


def seen(row: RunRow, namespace: str) -> RunSeen:
    """A run as visibility shows it. A description knows more about an open one."""
    return RunSeen(
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
        tenant=_text(row.attributes.get(TENANT_ATTRIBUTE)),
        build=row.build,
        parent=_parent(row, namespace),
        links=_links(row, namespace),
        attributes=row.attributes,
        needs_history=True,
    )


def revision_of(row: RunRow) -> str:
    """Grows with the run. For an open one visibility only knows how it began."""
    return f"{row.status}:{row.history_length}:{row.transitions}"


def covers(revision: str, row: RunRow) -> bool:
    """Whether a stored revision is of a look as late as this row. A closed run that was reset has
    more transitions than visibility ever hears of."""
    status, _, numbers = revision.partition(":")
    known = tuple(int(one) for one in numbers.split(":")[:2] if one.isdecimal())
    return status == row.status and known >= (row.history_length, row.transitions)


def described(found: RunDescription, namespace: str) -> RunSeen:
    """A run as it is now; the revision of an open one changes with every heartbeat and retry."""
    run = seen(found.row, namespace)
    if run.status not in OPEN:
        return run
    attempts = [one.attempt for one in found.activities]
    if found.workflow_task_attempt > 1:
        attempts.append(found.workflow_task_attempt)
    return replace(
        run,
        revision=f"{run.revision}:{_newest(found)}",
        progress=pending_progress(found),
        attempts=max(attempts, default=None),
    )


def _newest(found: RunDescription) -> int:
    """The last time that an activity which is under way was heard of, in milliseconds."""
    moments = [
        moment
        for one in found.activities
        for moment in (one.heartbeat_at, one.started_at, one.attempt_ended_at, one.paused_at)
        if moment is not None
    ]
    return int(max(moments).timestamp() * 1000) if moments else 0


def pending_progress(found: RunDescription) -> Progress | None:
    """The newest heartbeat of those activities that are under way."""
    beats = [
        progress(one.heartbeat, one.heartbeat_at)
        for one in found.activities
        if one.heartbeat is not None and one.heartbeat_at is not None
    ]
    return max(beats, key=lambda one: one.at, default=None)


def refined(run: RunSeen, story: Story) -> RunSeen:
    """The run with what only its history knows."""
    first, last = story.first, story.last
    run = replace(
        run,
        began_at=story.began_at or run.began_at,
        attempts=max(story.attempts, run.attempts or 0) or None,
        worker=story.worker or run.worker,
        build=story.build or run.build,
        progress=story.progress if run.progress is None else run.progress,
        needs_history=False,
    )
    if first is not None:
        run = _from_start(run, first.actor, first.detail)
    if last is None:
        return run
    ending = _ENDINGS.get(last.type)
    if ending is not None:
        run = replace(run, status=ending, closed_at=run.closed_at or last.at)
        if last.run:
            # A run that goes on in another one names the first of the chain, as that one will.
            run = replace(run, links={**_own_chain(run), **run.links})
    failure, kind = _failure(story, ending)
    return replace(run, failure=failure, failure_kind=kind)


def _from_start(run: RunSeen, actor: str, detail: Mapping[str, Any]) -> RunSeen:
    parent = run.parent
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
        started_by=actor,
        parent=parent,
        links=links,
        queue=run.queue or str(detail.get("task_queue", "")),
        fairness_key=run.fairness_key or str(priority.get("fairness_key", "")),
    )


def _failure(story: Story, ending: Status | None) -> tuple[str, FailureKind]:
    """The root of the trouble in words. A workflow task that fails for ever is trouble too."""
    last, stuck = story.last, story.stuck
    stuck_kind = kind_of(stuck.fault) if stuck is not None else FailureKind.NONE
    if stuck is not None and stuck.state == "non_deterministic_error":
        stuck_kind = FailureKind.NON_DETERMINISM
    stuck_words = root_message(stuck.fault) or stuck.state if stuck is not None else ""
    if last is None or ending is None:
        return stuck_words, stuck_kind
    if ending is Status.FAILED:
        return root_message(last.fault), kind_of(last.fault)
    if ending is Status.TIMED_OUT:
        words = "The workflow's own time was over"
        return (f"{words}: {stuck_words}", stuck_kind) if stuck else (words, FailureKind.DEADLINE)
    if ending is Status.TERMINATED:
        return last.message or "Terminated", FailureKind.TERMINATED
    if ending is Status.CANCELLED:
        return "", FailureKind.CANCELLED
    return "", FailureKind.NONE


def from_history(ref: RunRef, story: Story) -> RunSeen:
    """A run that only its history was asked for."""
    first = story.first
    run = RunSeen(
        external_id=ref.external_id,
        run_id=ref.run_id,
        location=ref.location,
        type=first.name if first is not None else "",
        status=ref.status,
        created_at=ref.created_at,
        revision=ref.revision,
    )
    return refined(run, story)


def reset_of(run: RunSeen) -> EventSeen | None:
    """The event by which this run came out of another one."""
    resets = (event for event in run.events if event.kind is EventKind.RESET)
    return next((one for one in resets if one.detail.get("new_run_id") == run.run_id), None)


def reset_base(found: RunDescription, told: RunSeen, at: datetime, namespace: str) -> RunSeen:
    """The run that `told` was reset from: its side of the reset."""
    run = seen(found.row, namespace)
    event = EventSeen(
        key=f"reset/{told.run_id}",
        seq=max(found.row.history_length, 1),
        at=at,
        kind=EventKind.RESET,
        title=f"Reset: goes on as run {told.run_id}",
        detail={"new_run_id": told.run_id},
    )
    return replace(
        run, links={**_own_chain(run), **run.links}, events=(event,), needs_history=False
    )


def vanished(ref: RunRef, now: datetime) -> RunSeen:
    """A run that was open when last seen and that the server no longer has."""
    return RunSeen(
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


def _parent(row: RunRow, namespace: str) -> str:
    if row.parent_workflow_id:
        found = run_key(ENGINE, namespace, row.parent_workflow_id, row.parent_run_id)
        return found[:_LONGEST_KEY]
    return _text(row.memo.get(PARENT_MEMO))[:_LONGEST_KEY]


def _links(row: RunRow, namespace: str) -> dict[LinkKind, str]:
    found = {
        LinkKind.REQUEST: _text(row.memo.get(REQUEST_MEMO)),
        LinkKind.TRACE: _text(row.memo.get(TRACE_MEMO)),
    }
    if row.first_run_id and row.first_run_id != row.run_id:
        found[LinkKind.CHAIN] = _chain(namespace, row.workflow_id, row.first_run_id)
    return {kind: value for kind, value in found.items() if 0 < len(value) <= _LONGEST_LINK}


def _own_chain(run: RunSeen) -> dict[LinkKind, str]:
    return {LinkKind.CHAIN: _chain(run.location, run.external_id, run.run_id)}


def _chain(namespace: str, workflow_id: str, run_id: str) -> str:
    """What the runs of one chain have in common: the key of the first, or a long one's digest."""
    key = run_key(ENGINE, namespace, workflow_id, run_id)
    return key if len(key) <= _LONGEST_LINK else hashlib.sha256(key.encode()).hexdigest()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def waiting(run: RunSeen, found: RunDescription, story: Story) -> RunSeen:
    """The run as waiting when no worker has ever taken it up."""
    untouched = story.first is not None and story.began_at is None and not found.activities
    if run.status is Status.RUNNING and untouched:
        return replace(run, status=Status.WAITING)
    return run
