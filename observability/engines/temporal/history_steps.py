"""Activities in a history, scheduled, attempted and over; local ones and the like are markers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from console.clients.temporal.records import Failure, HistoryEvent
from observability.engines.contracts import EventKind, RunEvent
from observability.engines.temporal.activities import (
    attempt_failed,
    attempt_started,
    checkpoint,
    progress,
)
from observability.engines.temporal.failures import decisive
from observability.engines.temporal.history_state import (
    UNNAMED,
    Events,
    HistoryState,
    HistoryStep,
    event_of,
)


def _scheduled(state: HistoryState, event: HistoryEvent) -> Events:
    state.steps[event.id] = HistoryStep(event.name, event.subject)
    queue = str(event.detail.get("task_queue", ""))
    elsewhere = f" in {queue}" if queue and queue != state.queue else ""
    return (
        event_of(
            event,
            EventKind.SCHEDULED,
            f"Scheduled {event.name}{elsewhere}",
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
    if event.state == "local_activity":
        return _local_activity(state, event)
    version = event.detail.get("version")
    titles = {
        "version": f"Version of {event.name or 'a change'}: {_version(version)}",
        "patch": f"Patched: {event.name or 'a change'}",
        "side_effect": f"Side effect {event.name}".rstrip(),
        "mutable_side_effect": f"Mutable side effect {event.name}".rstrip(),
    }
    return (event_of(event, EventKind.NOTE, titles.get(event.state, f"Marker {event.name}")),)


def _version(number: Any) -> str:
    """Go and Java call the code before a change -1."""
    return "before the change" if str(number) == "-1" else str(number or "not known")


def _local_activity(state: HistoryState, event: HistoryEvent) -> Events:
    state.attempts = max(state.attempts, event.attempt)
    how, kind = "completed", EventKind.STEP_COMPLETED
    outer = decisive(event.failure)
    if outer is not None:
        is_cancelled = outer.kind == "cancelled"
        how = "was cancelled" if is_cancelled else "failed"
        kind = EventKind.STEP_COMPLETED if is_cancelled else EventKind.ATTEMPT_FAILED
    return (
        event_of(
            event,
            kind,
            f"Local {event.name or 'activity'} {how}",
            step=f"local-{event.subject or event.id}",
            step_name=event.name,
            attempt=event.attempt,
            detail={"local": True},
        ),
    )


HANDLERS: Final[Mapping[str, Callable[[HistoryState, HistoryEvent], Events]]] = {
    "activity_task_scheduled": _scheduled,
    "activity_task_started": _attempt_started,
    "activity_task_completed": _step_completed,
    "activity_task_failed": _step_failed,
    "activity_task_timed_out": _step_timed_out,
    "activity_task_canceled": _step_cancelled,
    "activity_task_cancel_requested": _step_cancel,
    "marker_recorded": _marker,
}
