"""What a history has said so far, and how its events become events of the trail."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from console.clients.temporal.records import HistoryEvent
from observability.engines.contracts import LONGEST_TITLE, EventKind, Progress, RunEvent
from observability.engines.temporal.failures import facts_of, root_message

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
    """The workflow task's failure, or its timeout, that nothing has come after."""
    task_build: str = ""
    """The build of whoever took the last workflow task."""
    shared_task: int = 0
    """The last workflow task that was scheduled for any worker, not for one worker's own queue."""
    queue: str = ""
    """The run's own task queue."""


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
