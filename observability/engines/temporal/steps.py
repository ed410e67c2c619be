"""Activities in a history: scheduled, attempted, over; local ones are markers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from console.clients.temporal.records import Fault, TrailEvent
from observability.engines.contracts import EventKind, EventSeen
from observability.engines.temporal import attempts
from observability.engines.temporal.checkpoints import checkpoint, progress
from observability.engines.temporal.faults import decisive
from observability.engines.temporal.story import Step, Story, seen

UNNAMED: Final = "an activity"
Found = Iterable[EventSeen]


def _scheduled(story: Story, event: TrailEvent) -> Found:
    story.steps[event.id] = Step(event.name, event.subject)
    return (
        seen(
            event,
            EventKind.SCHEDULED,
            f"Scheduled {event.name}",
            step=f"activity-{event.id}",
            step_name=event.name,
        ),
    )


def _step(story: Story, event: TrailEvent) -> Step:
    return story.steps.get(event.ref) or Step("", "")


def _attempt_started(story: Story, event: TrailEvent) -> Found:
    step = story.steps.setdefault(event.ref, Step("", ""))
    step.attempt, step.worker = event.attempt, event.actor
    story.attempts = max(story.attempts, event.attempt)
    found: list[EventSeen] = []
    if event.fault is not None:
        _note_progress(story, event.fault, event.at)
        found.extend(
            attempts.failed(
                event.fault,
                event.at,
                scheduled=event.ref,
                name=step.name,
                attempt=max(event.attempt - 1, 1),
            )
        )
    found.append(
        attempts.started(
            event.at,
            scheduled=event.ref,
            name=step.name,
            attempt=event.attempt,
            worker=event.actor,
            build=event.build,
        )
    )
    return found


def _note_progress(story: Story, fault: Fault, at: datetime) -> None:
    outer = decisive(fault)
    if outer is not None and outer.heartbeat is not None:
        story.progress = progress(outer.heartbeat, at)


def _of_step(event: TrailEvent, step: Step, kind: EventKind, title: str, **more: Any) -> EventSeen:
    return seen(
        event,
        kind,
        title,
        step=f"activity-{event.ref}",
        step_name=step.name,
        attempt=step.attempt,
        actor=event.actor or step.worker,
        **more,
    )


def _step_completed(story: Story, event: TrailEvent) -> Found:
    step = _step(story, event)
    title = f"{step.name or UNNAMED} completed"
    return (_of_step(event, step, EventKind.STEP_COMPLETED, title),)


def _step_failed(story: Story, event: TrailEvent) -> Found:
    step = _step(story, event)
    title = f"{step.name or UNNAMED} failed for good"
    detail = {"retry_state": event.state}
    return (_of_step(event, step, EventKind.ATTEMPT_FAILED, title, detail=detail),)


def _step_timed_out(story: Story, event: TrailEvent) -> Found:
    step = _step(story, event)
    outer = decisive(event.fault)
    found: list[EventSeen] = []
    if event.fault is not None:
        _note_progress(story, event.fault, event.at)
    if outer is not None and outer.heartbeat is not None:
        found.append(
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
    found.append(_of_step(event, step, EventKind.ATTEMPT_TIMED_OUT, title, detail=detail))
    return found


def _step_cancelled(story: Story, event: TrailEvent) -> Found:
    step = _step(story, event)
    title = f"{step.name or UNNAMED} was cancelled"
    return (_of_step(event, step, EventKind.STEP_COMPLETED, title, detail={"cancelled": True}),)


def _step_cancel(story: Story, event: TrailEvent) -> Found:
    step = _step(story, event)
    title = f"Cancellation of {step.name or UNNAMED} requested"
    return (_of_step(event, step, EventKind.CANCEL_REQUESTED, title),)


def _marker(story: Story, event: TrailEvent) -> Found:
    if event.name != "core_local_activity":
        return (seen(event, EventKind.NOTE, f"Marker {event.name}"),)
    name = str(event.detail.get("activity_type", ""))
    story.attempts = max(story.attempts, event.attempt)
    failed = event.fault is not None
    return (
        seen(
            event,
            EventKind.ATTEMPT_FAILED if failed else EventKind.STEP_COMPLETED,
            f"Local {name or UNNAMED} {'failed' if failed else 'completed'}",
            step=f"local-{event.subject}",
            step_name=name,
            attempt=event.attempt,
            detail={"local": True},
        ),
    )


HANDLERS: Final[Mapping[str, Callable[[Story, TrailEvent], Found]]] = {
    "activity_task_scheduled": _scheduled,
    "activity_task_started": _attempt_started,
    "activity_task_completed": _step_completed,
    "activity_task_failed": _step_failed,
    "activity_task_timed_out": _step_timed_out,
    "activity_task_canceled": _step_cancelled,
    "activity_task_cancel_requested": _step_cancel,
    "marker_recorded": _marker,
}
