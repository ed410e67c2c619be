"""Workflow tasks in a history: who took the run up, what went wrong with its code, what healed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from console.clients.temporal.records import HistoryEvent
from observability.engines.contracts import EventKind
from observability.engines.temporal.failures import is_non_determinism, timeout_words
from observability.engines.temporal.history_state import (
    WORKFLOW_TASK,
    Events,
    HistoryState,
    event_of,
)

_NOT_TAKEN: Final = "schedule_to_start"
"""Nearly always the timeout of a worker's own (sticky) queue: after a restart or a deploy; it costs
seconds. Of a task for an update it may be that of the queue of all."""
_NAME: Final = "Workflow task"
_NO_FAULTS: Final = frozenset(
    {
        "unhandled_command",
        "reset_sticky_task_queue",
        "force_close_command",
        "failover_close_command",
    }
)
"""Why a workflow task is done again although nothing is wrong with it."""


def _task_scheduled(state: HistoryState, event: HistoryEvent) -> Events:
    state.shared_task = event.id
    return ()


def _task_started(state: HistoryState, event: HistoryEvent) -> Events:
    state.task_build = event.build
    if state.first is None or state.began_at is not None:
        return ()
    state.began_at = event.at
    state.worker = event.actor
    return (event_of(event, EventKind.STARTED, "Taken up by a worker"),)


def _task_completed(state: HistoryState, event: HistoryEvent) -> Events:
    healed = _healed(event) if state.stuck is not None else ()
    state.stuck = None
    return (*_worker(state, event), *healed)


def _healed(event: HistoryEvent) -> Events:
    """The workflow's code came through after all: what was wrong with it is over."""
    done = event_of(
        event,
        EventKind.STEP_COMPLETED,
        "Workflow task completed: it goes on",
        step=WORKFLOW_TASK,
        step_name=_NAME,
        detail={},
    )
    return (replace(done, key=f"{event.id}/healed"),)


def _worker(state: HistoryState, event: HistoryEvent) -> Events:
    """Says so when a task was done by another worker, or by another build, than the one before."""
    worker, build = state.worker, state.build
    state.worker = event.actor or worker
    moved = worker not in {"", state.worker}
    # Another worker's build need not be the one before.
    state.build = event.build or state.task_build or ("" if moved else build)
    if not moved and build in {"", state.build}:
        return ()
    title = "Another worker took over" if moved else "The worker came back with another build"
    facts = {"build": state.build, "before": worker, "build_before": build}
    known = {name: fact for name, fact in facts.items() if fact}
    return (
        replace(event_of(event, EventKind.WORKER, title, detail=known), key=f"{event.id}/worker"),
    )


def _task_failed(state: HistoryState, event: HistoryEvent) -> Events:
    if event.state == "reset_workflow":
        base = str(event.detail.get("base_run_id", ""))
        # What came before is a copy of the other run's; this one begins here.
        state.began_at = event.at
        return (event_of(event, EventKind.RESET, f"Reset from run {base}", step=WORKFLOW_TASK),)
    reason = event.state.replace("_", " ")
    if event.state in _NO_FAULTS:
        return (event_of(event, EventKind.NOTE, f"Workflow task is done again: {reason}"),)
    state.stuck = event
    taken_over = _worker(state, event)
    failure = event.failure
    if event.state == "non_deterministic_error" or (failure and is_non_determinism(failure)):
        reason = "the code no longer fits the history"
    return (
        *taken_over,
        event_of(
            event,
            EventKind.ATTEMPT_FAILED,
            f"Workflow task failed: {reason}",
            step=WORKFLOW_TASK,
            step_name=_NAME,
            detail={"cause": event.state},
        ),
    )


def _task_timed_out(state: HistoryState, event: HistoryEvent) -> Events:
    if event.state == _NOT_TAKEN:
        title = "The worker that kept it in memory did not take its task: any worker may now"
        if event.ref == state.shared_task:
            title = "No worker took its task in time"
        return (event_of(event, EventKind.NOTE, title, detail={"timeout": event.state}),)
    state.stuck = event
    return (
        event_of(
            event,
            EventKind.ATTEMPT_TIMED_OUT,
            "Workflow task timed out",
            step=WORKFLOW_TASK,
            step_name=_NAME,
            message=timeout_words(event.state),
        ),
    )


HANDLERS: Final[Mapping[str, Callable[[HistoryState, HistoryEvent], Events]]] = {
    "workflow_task_scheduled": _task_scheduled,
    "workflow_task_started": _task_started,
    "workflow_task_completed": _task_completed,
    "workflow_task_failed": _task_failed,
    "workflow_task_timed_out": _task_timed_out,
}
