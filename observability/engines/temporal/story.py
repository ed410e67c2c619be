"""What a history says, while it is being told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from console.clients.temporal.records import TrailEvent
from observability.engines.contracts import (
    LONGEST_TITLE,
    EventKind,
    EventSeen,
    Progress,
)
from observability.engines.temporal.faults import facts_of, root_message


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


def seen(
    event: TrailEvent,
    kind: EventKind,
    title: str,
    *,
    detail: Mapping[str, Any] | None = None,
    **more: Any,
) -> EventSeen:
    """An event of the trail for an event of the history."""
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
