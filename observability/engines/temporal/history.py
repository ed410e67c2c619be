"""The history of a run, reduced to events of the trail and to what only it says of the run.

Activities are scheduled, attempted and over; local ones are markers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from console.clients.temporal.records import Failure, HistoryEvent
from observability.engines.contracts import LONGEST_TITLE, EventKind, Progress, RunEvent
from observability.engines.temporal.activities import (
    attempt_failed,
    attempt_started,
    checkpoint,
    progress,
)
from observability.engines.temporal.failures import (
    decisive,
    facts_of,
    is_non_determinism,
    root_message,
)
from observability.engines.temporal.labels import LABELS, EventLabel

WORKFLOW_TASK: Final = "workflow-task"
UNNAMED: Final = "an activity"
Events = Iterable[RunEvent]


@dataclass(slots=True)
class HistoryStep:
    """What later events of a step refer to."""

    name: str
    subject: str
    attempt: int = 0
    worker: str = ""


@dataclass(slots=True)
class HistoryState:
    """What a history says. `first` and `last` are its first and last event that was read."""

    events: list[RunEvent] = field(default_factory=list)
    steps: dict[int, HistoryStep] = field(default_factory=dict)
    first: HistoryEvent | None = None
    last: HistoryEvent | None = None
    began_at: datetime | None = None
    attempts: int = 0
    worker: str = ""
    build: str = ""
    progress: Progress | None = None
    stuck: HistoryEvent | None = None
    """The workflow task's failure that nothing has come after."""


def event_of(
    event: HistoryEvent,
    kind: EventKind,
    title: str,
    *,
    detail: Mapping[str, Any] | None = None,
    **more: Any,
) -> RunEvent:
    """An event of the trail for an event of the history."""
    facts = {**event.detail, **(detail or {})}
    if event.failure is not None:
        facts.update(facts_of(event.failure))
    more.setdefault("actor", event.actor)
    more.setdefault("message", event.message or root_message(event.failure))
    return RunEvent(
        key=str(event.id),
        seq=event.id,
        at=event.at,
        kind=kind,
        title=title[:LONGEST_TITLE],
        detail=facts,
        **more,
    )


def reduce_history(events: Iterable[HistoryEvent], after: int = 0) -> HistoryState:
    """What events say, in their order. Those up to the id `after` are known: they only say what
    later ones refer to."""
    state = HistoryState()
    for event in events:
        if event.id == 1:
            state.first = event
            state.attempts = max(state.attempts, event.attempt)
        state.last = event
        reduced = _HANDLERS.get(event.type, _labelled)(state, event)
        if event.id > after:
            state.events.extend(reduced)
    return state


def _task_started(state: HistoryState, event: HistoryEvent) -> Events:
    if state.first is None or state.began_at is not None:
        return ()
    state.began_at = event.at
    state.worker = event.actor
    return (event_of(event, EventKind.STARTED, "Taken up by a worker"),)


def _task_completed(state: HistoryState, event: HistoryEvent) -> Events:
    state.stuck = None
    return _worker(state, event)


def _worker(state: HistoryState, event: HistoryEvent) -> Events:
    """Says so when a task was done by another worker, or by another build, than the one before."""
    worker, build = state.worker, state.build
    state.worker = event.actor or worker
    moved = worker not in {"", state.worker}
    # A failed task does not say the build; another worker's need not be the one before.
    state.build = event.build or ("" if moved else build)
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
    state.stuck = event
    taken_over = _worker(state, event)
    reason = event.state.replace("_", " ")
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
            step_name="Workflow task",
            detail={"cause": event.state},
        ),
    )


def _task_timed_out(_: HistoryState, event: HistoryEvent) -> Events:
    return (
        event_of(
            event,
            EventKind.ATTEMPT_TIMED_OUT,
            "Workflow task timed out",
            step=WORKFLOW_TASK,
            step_name="Workflow task",
            message=f"{event.state.replace('_', ' ')} timeout",
        ),
    )


def _labelled(_: HistoryState, event: HistoryEvent) -> Events:
    label = LABELS.get(event.type) or EventLabel(
        EventKind.NOTE, event.type.replace("_", " ").capitalize()
    )
    step, name = label.step(event)
    return (
        event_of(
            event,
            label.kind,
            label.title(event),
            step=step,
            step_name=name,
            detail=label.facts(event),
        ),
    )


def _scheduled(state: HistoryState, event: HistoryEvent) -> Events:
    state.steps[event.id] = HistoryStep(event.name, event.subject)
    return (
        event_of(
            event,
            EventKind.SCHEDULED,
            f"Scheduled {event.name}",
            step=f"activity-{event.id}",
            step_name=event.name,
        ),
    )


def _step_of(state: HistoryState, event: HistoryEvent) -> HistoryStep:
    return state.steps.get(event.ref) or HistoryStep("", "")


def _attempt_started(state: HistoryState, event: HistoryEvent) -> Events:
    step = state.steps.setdefault(event.ref, HistoryStep("", ""))
    step.attempt, step.worker = event.attempt, event.actor
    state.attempts = max(state.attempts, event.attempt)
    events: list[RunEvent] = []
    if event.failure is not None:
        _note_progress(state, event.failure, event.at)
        events.extend(
            attempt_failed(
                event.failure,
                event.at,
                scheduled=event.ref,
                name=step.name,
                attempt=max(event.attempt - 1, 1),
            )
        )
    events.append(
        attempt_started(
            event.at,
            scheduled=event.ref,
            name=step.name,
            attempt=event.attempt,
            worker=event.actor,
            build=event.build,
        )
    )
    return events


def _note_progress(state: HistoryState, failure: Failure, at: datetime) -> None:
    outer = decisive(failure)
    if outer is not None and outer.heartbeat is not None:
        state.progress = progress(outer.heartbeat, at)


def _of_step(
    event: HistoryEvent, step: HistoryStep, kind: EventKind, title: str, **more: Any
) -> RunEvent:
    return event_of(
        event,
        kind,
        title,
        step=f"activity-{event.ref}",
        step_name=step.name,
        attempt=step.attempt,
        actor=event.actor or step.worker,
        **more,
    )


def _step_completed(state: HistoryState, event: HistoryEvent) -> Events:
    step = _step_of(state, event)
    title = f"{step.name or UNNAMED} completed"
    return (_of_step(event, step, EventKind.STEP_COMPLETED, title),)


def _step_failed(state: HistoryState, event: HistoryEvent) -> Events:
    step = _step_of(state, event)
    title = f"{step.name or UNNAMED} failed for good"
    detail = {"retry_state": event.state}
    return (_of_step(event, step, EventKind.ATTEMPT_FAILED, title, detail=detail),)


def _step_timed_out(state: HistoryState, event: HistoryEvent) -> Events:
    step = _step_of(state, event)
    outer = decisive(event.failure)
    events: list[RunEvent] = []
    if event.failure is not None:
        _note_progress(state, event.failure, event.at)
    if outer is not None and outer.heartbeat is not None:
        events.append(
            checkpoint(
                outer.heartbeat,
                event.at,
                scheduled=event.ref,
                name=step.name,
                attempt=step.attempt,
            )
        )
    title = f"{step.name or UNNAMED} timed out for good"
    detail = {"retry_state": event.state}
    events.append(_of_step(event, step, EventKind.ATTEMPT_TIMED_OUT, title, detail=detail))
    return events


def _step_cancelled(state: HistoryState, event: HistoryEvent) -> Events:
    step = _step_of(state, event)
    title = f"{step.name or UNNAMED} was cancelled"
    return (_of_step(event, step, EventKind.STEP_COMPLETED, title, detail={"cancelled": True}),)


def _step_cancel(state: HistoryState, event: HistoryEvent) -> Events:
    step = _step_of(state, event)
    title = f"Cancellation of {step.name or UNNAMED} requested"
    return (_of_step(event, step, EventKind.CANCEL_REQUESTED, title),)


def _marker(state: HistoryState, event: HistoryEvent) -> Events:
    if event.name != "core_local_activity":
        return (event_of(event, EventKind.NOTE, f"Marker {event.name}"),)
    name = str(event.detail.get("activity_type", ""))
    state.attempts = max(state.attempts, event.attempt)
    failed = event.failure is not None
    return (
        event_of(
            event,
            EventKind.ATTEMPT_FAILED if failed else EventKind.STEP_COMPLETED,
            f"Local {name or UNNAMED} {'failed' if failed else 'completed'}",
            step=f"local-{event.subject}",
            step_name=name,
            attempt=event.attempt,
            detail={"local": True},
        ),
    )


_ACTIVITY_HANDLERS: Final[Mapping[str, Callable[[HistoryState, HistoryEvent], Events]]] = {
    "activity_task_scheduled": _scheduled,
    "activity_task_started": _attempt_started,
    "activity_task_completed": _step_completed,
    "activity_task_failed": _step_failed,
    "activity_task_timed_out": _step_timed_out,
    "activity_task_canceled": _step_cancelled,
    "activity_task_cancel_requested": _step_cancel,
    "marker_recorded": _marker,
}


_HANDLERS: Final[Mapping[str, Callable[[HistoryState, HistoryEvent], Events]]] = {
    "workflow_task_started": _task_started,
    "workflow_task_completed": _task_completed,
    "workflow_task_failed": _task_failed,
    "workflow_task_timed_out": _task_timed_out,
    **_ACTIVITY_HANDLERS,
}
