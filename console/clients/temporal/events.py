"""History events as plain values: one small reader for each type that a trail shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from temporalio.api.enums.v1 import EventType, TaskQueueKind
from temporalio.api.history.v1 import HistoryEvent as ProtoEvent

from console.clients.temporal.event_attributes import READERS, Reader, nothing
from console.clients.temporal.payloads import LONGEST_IDENTITY, Attributes, at, text, values
from console.clients.temporal.records import HistoryEvent

ROOM: Final = 4096
"""Bytes of payload kept with one event; fewer when a history has thousands of events."""
ROOM_OF_ALL: Final = 2_000_000
LEAST_ROOM: Final = 128

_TYPES: Final[Mapping[int, str]] = {
    number: name.removeprefix("EVENT_TYPE_").lower() for name, number in EventType.items()
}
CLOSING: Final = frozenset(
    {
        "workflow_execution_completed",
        "workflow_execution_failed",
        "workflow_execution_timed_out",
        "workflow_execution_canceled",
        "workflow_execution_terminated",
        "workflow_execution_continued_as_new",
    }
)


def _plan(number: int) -> tuple[str, str, Reader]:
    name = _TYPES[number]
    return name, f"{name}_event_attributes", READERS.get(name, nothing)


_PLANS: Final[Mapping[int, tuple[str, str, Reader]]] = {
    number: _plan(number) for number in _TYPES if number
}


def is_closing(event: ProtoEvent) -> bool:
    """Whether nothing can come after this event."""
    return _TYPES.get(event.event_type, "") in CLOSING


def room_for(count: int) -> int:
    """How many bytes of payload each of `count` events may show."""
    return max(LEAST_ROOM, min(ROOM, ROOM_OF_ALL // max(count, 1)))


def translate(events: Iterable[ProtoEvent], room: int) -> tuple[HistoryEvent, ...]:
    """What a trail needs of each event that says something, in the same order."""
    translated: list[HistoryEvent] = []
    for event in events:
        if not _is_quiet(event):
            plan = _PLANS.get(event.event_type, ("", "", nothing))
            translated.append(_translated(event, plan, room))
    return tuple(translated)


def _is_quiet(event: ProtoEvent) -> bool:
    """Whether it says nothing that a later one does not: that a workflow task is scheduled, as
    nearly all are, on the (sticky) queue of the worker that keeps the run in memory."""
    if event.event_type != EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED:
        return False
    kind = event.workflow_task_scheduled_event_attributes.task_queue.kind
    return kind == TaskQueueKind.TASK_QUEUE_KIND_STICKY


def _translated(event: ProtoEvent, plan: tuple[str, str, Reader], room: int) -> HistoryEvent:
    name, attribute, reader = plan
    attributes = reader(getattr(event, attribute), room) if attribute else {}
    if event.HasField("user_metadata"):
        _add_metadata(event, attributes, room)
    if event.HasField("principal") and event.principal.name:
        # Who was authenticated says more than who one claims to be.
        attributes["actor"] = text(event.principal.name, LONGEST_IDENTITY)
    return HistoryEvent(
        id=event.event_id,
        at=at(event.event_time),
        type=name or f"event_type_{event.event_type}",
        **attributes,
    )


def _add_metadata(event: ProtoEvent, attributes: Attributes, room: int) -> None:
    metadata = event.user_metadata
    detail = dict(attributes.get("detail") or {})
    for name in ("summary", "details"):
        if metadata.HasField(name):
            detail[name] = values([getattr(metadata, name)], room)[0]
    attributes["detail"] = detail
