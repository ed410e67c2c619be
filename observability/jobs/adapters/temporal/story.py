"""The history of a run as events of the trail, and what only the history knows about the run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from console.clients.temporal.records import Fault, TrailEvent
from observability.jobs.adapters.temporal import attempts
from observability.jobs.adapters.temporal.checkpoints import checkpoint, progress
from observability.jobs.adapters.temporal.faults import (
    decisive,
    facts_of,
    is_non_determinism,
    root_message,
)
from observability.jobs.adapters.temporal.wording import WORDINGS, Wording
from observability.jobs.contracts import LONGEST_TITLE, EventKind, EventSeen, Progress

WORKFLOW_TASK: Final = "workflow-task"
UNNAMED: Final = "an activity"


@dataclass(slots=True)
class Step:
    """What later events of a step refer to."""

    name: str
    subject: str
    attempt: int = 0
    worker: str = ""


@dataclass(slots=True)
class Story:
    """What a history says. `first` and `last` are its first and last event (of those read)."""

    events: list[EventSeen] = field(default_factory=list)
    steps: dict[int, Step] = field(default_factory=dict)
    first: TrailEvent | None = None
    last: TrailEvent | None = None
    began_at: datetime | None = None
    attempts: int = 0
    worker: str = ""
    build: str = ""
    progress: Progress | None = None
    stuck: TrailEvent | None = None
    """The workflow task's failure that nothing has come after."""
    tasks_done: int = 0


def tell(events: Iterable[TrailEvent], after: int = 0) -> Story:
    """The story of events in their order. Those up to the id `after` are known: they only say what
    later ones refer to."""
    story = Story()
    for event in events:
        if event.id == 1:
            story.first = event
            story.attempts = max(story.attempts, event.attempt)
        story.last = event
        found = _HANDLERS.get(event.type, _worded)(story, event)
        if event.id > after:
            story.events.extend(found)
    return story


Found = Iterable[EventSeen]


def _seen(
    event: TrailEvent,
    kind: EventKind,
    title: str,
    *,
    detail: Mapping[str, Any] | None = None,
    **more: Any,
) -> EventSeen:
    facts = {**event.detail, **(detail or {})}
    if event.fault is not None:
        facts.update(facts_of(event.fault))
    more.setdefault("actor", event.actor)
    more.setdefault("message", event.message or root_message(event.fault))
    return EventSeen(
        key=str(event.id),
        seq=event.id,
        at=event.at,
        kind=kind,
        title=title[:LONGEST_TITLE],
        detail=facts,
        **more,
    )


# -- workflow tasks: who works on it, and whether the code still fits ------------------------------


def _task_started(story: Story, event: TrailEvent) -> Found:
    if story.began_at is not None or story.tasks_done:
        return ()
    story.began_at = event.at
    story.worker = event.actor
    return (_seen(event, EventKind.STARTED, "Taken up by a worker"),)


def _task_completed(story: Story, event: TrailEvent) -> Found:
    story.stuck = None
    story.tasks_done += 1
    before = (story.worker, story.build)
    story.worker = event.actor or story.worker
    story.build = event.build or story.build
    first = story.tasks_done == 1 and not before[1] and before[0] in {"", event.actor}
    if before == (story.worker, story.build) or (first and before[0]):
        return ()
    build = {"build": event.build} if event.build else {}
    return (_seen(event, EventKind.WORKER, "Another worker took over", detail=build),)


def _task_failed(story: Story, event: TrailEvent) -> Found:
    if event.state == "reset_workflow":
        base = str(event.detail.get("base_run_id", ""))
        return (_seen(event, EventKind.RESET, f"Reset from run {base}", step=WORKFLOW_TASK),)
    story.stuck = event
    if event.build:
        story.build = event.build
    reason = event.state.replace("_", " ")
    fault = event.fault
    if event.state == "non_deterministic_error" or (fault and is_non_determinism(fault)):
        reason = "the code no longer fits the history"
    return (
        _seen(
            event,
            EventKind.ATTEMPT_FAILED,
            f"Workflow task failed: {reason}",
            step=WORKFLOW_TASK,
            step_name="Workflow task",
            detail={"cause": event.state},
        ),
    )


def _task_timed_out(_: Story, event: TrailEvent) -> Found:
    return (
        _seen(
            event,
            EventKind.ATTEMPT_TIMED_OUT,
            "Workflow task timed out",
            step=WORKFLOW_TASK,
            step_name="Workflow task",
            message=f"{event.state.replace('_', ' ')} timeout",
        ),
    )


# -- activities ------------------------------------------------------------------------------------


def _scheduled(story: Story, event: TrailEvent) -> Found:
    story.steps[event.id] = Step(event.name, event.subject)
    return (
        _seen(
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
    return _seen(
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
        return (_seen(event, EventKind.NOTE, f"Marker {event.name}"),)
    name = str(event.detail.get("activity_type", ""))
    story.attempts = max(story.attempts, event.attempt)
    failed = event.fault is not None
    return (
        _seen(
            event,
            EventKind.ATTEMPT_FAILED if failed else EventKind.STEP_COMPLETED,
            f"Local {name or UNNAMED} {'failed' if failed else 'completed'}",
            step=f"local-{event.subject}",
            step_name=name,
            attempt=event.attempt,
            detail={"local": True},
        ),
    )


# -- everything else needs only words --------------------------------------------------------------


def _worded(_: Story, event: TrailEvent) -> Found:
    wording = WORDINGS.get(event.type) or Wording(
        EventKind.NOTE, event.type.replace("_", " ").capitalize()
    )
    step, name = wording.step(event)
    return (
        _seen(
            event,
            wording.kind,
            wording.title(event),
            step=step,
            step_name=name,
            detail=wording.facts(event),
        ),
    )


_HANDLERS: Final[Mapping[str, Callable[[Story, TrailEvent], Found]]] = {
    "workflow_task_started": _task_started,
    "workflow_task_completed": _task_completed,
    "workflow_task_failed": _task_failed,
    "workflow_task_timed_out": _task_timed_out,
    "activity_task_scheduled": _scheduled,
    "activity_task_started": _attempt_started,
    "activity_task_completed": _step_completed,
    "activity_task_failed": _step_failed,
    "activity_task_timed_out": _step_timed_out,
    "activity_task_canceled": _step_cancelled,
    "activity_task_cancel_requested": _step_cancel,
    "marker_recorded": _marker,
}
