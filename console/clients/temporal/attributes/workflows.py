"""What events of the workflow itself, its workflow tasks and its timers hold.

Each reader takes the attributes of an event and how many bytes of payload to keep, and gives
keyword arguments of HistoryEvent; event_attributes.py says which type each is for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import ContinueAsNewInitiator, WorkflowTaskFailedCause

from console.clients.temporal.attributes.shared import (
    RETRY_STATES,
    build_of,
    priority,
    retry_policy,
)
from console.clients.temporal.declared import OURS
from console.clients.temporal.failures import failure, timeout_name
from console.clients.temporal.payloads import (
    LONGEST_IDENTITY,
    LONGEST_NAME,
    Attributes,
    fields,
    json_value,
    seconds,
    some,
    text,
    values,
)

_CAUSES: Final[Mapping[int, str]] = {
    number: name.removeprefix("WORKFLOW_TASK_FAILED_CAUSE_").lower()
    for name, number in WorkflowTaskFailedCause.items()
}
_INITIATORS: Final[Mapping[int, str]] = {
    number: name.removeprefix("CONTINUE_AS_NEW_INITIATOR_").lower()
    for name, number in ContinueAsNewInitiator.items()
}


def workflow_started(event: Any, room: int) -> Attributes:
    detail = some(
        task_queue=text(event.task_queue.name, LONGEST_IDENTITY),
        input=values(event.input.payloads, room),
        memo=fields(event.memo.fields, room // 4, OURS),
        execution_timeout=seconds(event.workflow_execution_timeout),
        run_timeout=seconds(event.workflow_run_timeout),
        task_timeout=seconds(event.workflow_task_timeout),
        first_task_delay=seconds(event.first_workflow_task_backoff),
        cron=text(event.cron_schedule, LONGEST_NAME),
        initiator=_INITIATORS.get(event.initiator, "") if event.initiator else "",
        first_run_id=text(event.first_execution_run_id),
        original_run_id=text(event.original_execution_run_id),
        parent_namespace=text(event.parent_workflow_namespace),
        parent_workflow_id=text(event.parent_workflow_execution.workflow_id),
        parent_run_id=text(event.parent_workflow_execution.run_id),
        **_schedule(event.search_attributes.indexed_fields),
        priority=priority(event),
        retry_policy=retry_policy(event.retry_policy) if event.HasField("retry_policy") else {},
    )
    attributes: Attributes = {
        "actor": text(event.identity, LONGEST_IDENTITY),
        "name": text(event.workflow_type.name, LONGEST_NAME),
        "attempt": max(event.attempt, 0),
        "run": text(event.continued_execution_run_id),
        "detail": detail,
    }
    if event.HasField("continued_failure"):
        attributes["failure"] = failure(event.continued_failure, room)
    return attributes


def _schedule(attributes: Mapping[str, Payload]) -> dict[str, str]:
    """Which schedule started a run, and for when."""
    payloads = {
        "schedule": attributes.get("TemporalScheduledById"),
        "scheduled_for": attributes.get("TemporalScheduledStartTime"),
    }
    known = {name: json_value(payload, 1000) for name, payload in payloads.items() if payload}
    return {name: text(value, 200) for name, value in known.items() if isinstance(value, str)}


def workflow_completed(event: Any, room: int) -> Attributes:
    return {
        "run": text(event.new_execution_run_id),
        "detail": some(result=values(event.result.payloads, room)),
    }


def workflow_failed(event: Any, room: int) -> Attributes:
    return {
        "failure": failure(event.failure, room),
        "state": RETRY_STATES.get(event.retry_state, ""),
        "run": text(event.new_execution_run_id),
    }


def workflow_timed_out(event: Any, _: int) -> Attributes:
    return {
        "state": RETRY_STATES.get(event.retry_state, ""),
        "run": text(event.new_execution_run_id),
    }


def workflow_terminated(event: Any, room: int) -> Attributes:
    return {
        "actor": text(event.identity, LONGEST_IDENTITY),
        "message": text(event.reason),
        "detail": some(details=values(event.details.payloads, room)),
    }


def workflow_canceled(event: Any, room: int) -> Attributes:
    return {"detail": some(details=values(event.details.payloads, room))}


def workflow_cancel_requested(event: Any, _: int) -> Attributes:
    other = event.external_workflow_execution
    return {
        "actor": text(event.identity, LONGEST_IDENTITY),
        "message": text(event.cause),
        "detail": some(by_workflow=text(other.workflow_id), by_run=text(other.run_id)),
    }


def workflow_continued_as_new(event: Any, room: int) -> Attributes:
    detail = some(
        input=values(event.input.payloads, room),
        delay=seconds(event.backoff_start_interval),
        initiator=_INITIATORS.get(event.initiator, "") if event.initiator else "",
    )
    attributes: Attributes = {
        "name": text(event.workflow_type.name, LONGEST_NAME),
        "run": text(event.new_execution_run_id),
        "detail": detail,
    }
    if event.HasField("failure"):
        attributes["failure"] = failure(event.failure, room)
    return attributes


def task_started(event: Any, _: int) -> Attributes:
    return {
        "actor": text(event.identity, LONGEST_IDENTITY),
        "build": build_of(event.worker_version),
    }


def task_completed(event: Any, _: int) -> Attributes:
    detail = some(
        sdk=text(event.sdk_metadata.sdk_name, 60),
        sdk_version=text(event.sdk_metadata.sdk_version, 60),
        deployment=text(event.worker_deployment_name, LONGEST_NAME),
    )
    build = build_of(event.worker_version) or text(
        event.deployment_version.build_id, LONGEST_IDENTITY
    )
    return {"actor": text(event.identity, LONGEST_IDENTITY), "build": build, "detail": detail}


def task_failed(event: Any, room: int) -> Attributes:
    attributes: Attributes = {
        "actor": text(event.identity, LONGEST_IDENTITY),
        "ref": event.scheduled_event_id,
        "state": _CAUSES.get(event.cause, str(event.cause)),
        "build": build_of(event.worker_version),
        "run": text(event.new_run_id),
        "detail": some(base_run_id=text(event.base_run_id), new_run_id=text(event.new_run_id)),
    }
    if event.HasField("failure"):
        attributes["failure"] = failure(event.failure, room)
    return attributes


def task_timed_out(event: Any, _: int) -> Attributes:
    return {"ref": event.scheduled_event_id, "state": timeout_name(event.timeout_type)}


def timer_started(event: Any, _: int) -> Attributes:
    return {
        "subject": text(event.timer_id, LONGEST_IDENTITY),
        "detail": some(seconds=seconds(event.start_to_fire_timeout)),
    }


def timer_over(event: Any, _: int) -> Attributes:
    return {"subject": text(event.timer_id, LONGEST_IDENTITY), "ref": event.started_event_id}


def workflow_paused(event: Any, _: int) -> Attributes:
    return {"actor": text(event.identity, LONGEST_IDENTITY), "message": text(event.reason)}
