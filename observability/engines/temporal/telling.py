"""The history of a run as events of the trail."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

from console.clients.temporal.records import TrailEvent
from observability.engines.contracts import EventKind, EventSeen
from observability.engines.temporal import steps
from observability.engines.temporal.faults import is_non_determinism
from observability.engines.temporal.story import Story, seen
from observability.engines.temporal.wording import WORDINGS, Wording

WORKFLOW_TASK: Final = "workflow-task"
Found = Iterable[EventSeen]


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


def _task_started(story: Story, event: TrailEvent) -> Found:
    if story.first is None or story.began_at is not None:
        return ()
    story.began_at = event.at
    story.worker = event.actor
    return (seen(event, EventKind.STARTED, "Taken up by a worker"),)


def _task_completed(story: Story, event: TrailEvent) -> Found:
    story.stuck = None
    return _worker(story, event)


def _worker(story: Story, event: TrailEvent) -> Found:
    """Says so when a task was done by another worker, or by another build, than the one before."""
    worker, build = story.worker, story.build
    story.worker = event.actor or worker
    moved = worker not in {"", story.worker}
    # A failed task does not say the build; another worker's need not be the one before.
    story.build = event.build or ("" if moved else build)
    if not moved and build in {"", story.build}:
        return ()
    title = "Another worker took over" if moved else "The worker came back with another build"
    facts = {"build": story.build, "before": worker, "build_before": build}
    found = {name: fact for name, fact in facts.items() if fact}
    return (replace(seen(event, EventKind.WORKER, title, detail=found), key=f"{event.id}/worker"),)


def _task_failed(story: Story, event: TrailEvent) -> Found:
    if event.state == "reset_workflow":
        base = str(event.detail.get("base_run_id", ""))
        # What came before is a copy of the other run's; this one begins here.
        story.began_at = event.at
        return (seen(event, EventKind.RESET, f"Reset from run {base}", step=WORKFLOW_TASK),)
    story.stuck = event
    taken_over = _worker(story, event)
    reason = event.state.replace("_", " ")
    fault = event.fault
    if event.state == "non_deterministic_error" or (fault and is_non_determinism(fault)):
        reason = "the code no longer fits the history"
    return (
        *taken_over,
        seen(
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
        seen(
            event,
            EventKind.ATTEMPT_TIMED_OUT,
            "Workflow task timed out",
            step=WORKFLOW_TASK,
            step_name="Workflow task",
            message=f"{event.state.replace('_', ' ')} timeout",
        ),
    )


def _worded(_: Story, event: TrailEvent) -> Found:
    wording = WORDINGS.get(event.type) or Wording(
        EventKind.NOTE, event.type.replace("_", " ").capitalize()
    )
    step, name = wording.step(event)
    return (
        seen(
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
    **steps.HANDLERS,
}
