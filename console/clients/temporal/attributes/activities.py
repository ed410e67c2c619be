"""What events of activities hold.

Each reader takes the attributes of an event and how many bytes of payload to keep, and gives
keyword arguments of HistoryEvent; event_attributes.py says which type each is for.
"""

from __future__ import annotations

from typing import Any

from console.clients.temporal.attributes.shared import (
    RETRY_STATES,
    build_of,
    priority,
    retry_policy,
)
from console.clients.temporal.failures import failure
from console.clients.temporal.payloads import (
    LONGEST_IDENTITY,
    LONGEST_NAME,
    Attributes,
    seconds,
    some,
    text,
    values,
)


def activity_scheduled(event: Any, room: int) -> Attributes:
    return {
        "name": text(event.activity_type.name, LONGEST_NAME),
        "subject": text(event.activity_id, LONGEST_IDENTITY),
        "detail": some(
            activity_id=text(event.activity_id, LONGEST_IDENTITY),
            task_queue=text(event.task_queue.name, LONGEST_IDENTITY),
            input=values(event.input.payloads, room),
            schedule_to_close=seconds(event.schedule_to_close_timeout),
            schedule_to_start=seconds(event.schedule_to_start_timeout),
            start_to_close=seconds(event.start_to_close_timeout),
            heartbeat_timeout=seconds(event.heartbeat_timeout),
            retry_policy=retry_policy(event.retry_policy),
            priority=priority(event),
        ),
    }


def activity_started(event: Any, room: int) -> Attributes:
    attributes: Attributes = {
        "actor": text(event.identity, LONGEST_IDENTITY),
        "ref": event.scheduled_event_id,
        "attempt": max(event.attempt, 0),
        "build": build_of(event.worker_version),
    }
    if event.HasField("last_failure"):
        attributes["failure"] = failure(event.last_failure, room)
    return attributes


def activity_completed(event: Any, room: int) -> Attributes:
    return {
        "actor": text(event.identity, LONGEST_IDENTITY),
        "ref": event.scheduled_event_id,
        "build": build_of(event.worker_version),
        "detail": some(result=values(event.result.payloads, room)),
    }


def activity_failed(event: Any, room: int) -> Attributes:
    return {
        "actor": text(event.identity, LONGEST_IDENTITY),
        "ref": event.scheduled_event_id,
        "state": RETRY_STATES.get(event.retry_state, ""),
        "failure": failure(event.failure, room),
    }


def activity_timed_out(event: Any, room: int) -> Attributes:
    return {
        "ref": event.scheduled_event_id,
        "state": RETRY_STATES.get(event.retry_state, ""),
        "failure": failure(event.failure, room),
    }


def activity_canceled(event: Any, room: int) -> Attributes:
    return {
        "actor": text(event.identity, LONGEST_IDENTITY),
        "ref": event.scheduled_event_id,
        "detail": some(details=values(event.details.payloads, room)),
    }


def activity_cancel_requested(event: Any, _: int) -> Attributes:
    return {"ref": event.scheduled_event_id}
