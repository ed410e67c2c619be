"""What each type of history event says: its attributes as keyword arguments of TrailEvent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from temporalio.api.enums.v1 import ContinueAsNewInitiator, RetryState, WorkflowTaskFailedCause

from console.clients.temporal import exchanges
from console.clients.temporal.payloads import (
    fault,
    fields,
    seconds,
    some,
    text,
    timeout_name,
    values,
)

Told = dict[str, Any]
_NAME: Final = 200
_WHO: Final = 255
_RETRY: Final[Mapping[int, str]] = {
    number: name.removeprefix("RETRY_STATE_").lower() for name, number in RetryState.items()
}
_CAUSES: Final[Mapping[int, str]] = {
    number: name.removeprefix("WORKFLOW_TASK_FAILED_CAUSE_").lower()
    for name, number in WorkflowTaskFailedCause.items()
}
_INITIATORS: Final[Mapping[int, str]] = {
    number: name.removeprefix("CONTINUE_AS_NEW_INITIATOR_").lower()
    for name, number in ContinueAsNewInitiator.items()
}


def nothing(_: Any, __: int) -> Told:
    """For an event whose type says it all."""
    return {}


def build_of(version: Any) -> str:
    """The build id of a worker's version stamp."""
    return text(version.build_id, _WHO)


def _retry_policy(policy: Any) -> dict[str, Any]:
    return some(
        maximum_attempts=policy.maximum_attempts,
        initial_interval=seconds(policy.initial_interval),
        maximum_interval=seconds(policy.maximum_interval),
        coefficient=policy.backoff_coefficient,
        never_for=[text(one, _NAME) for one in policy.non_retryable_error_types[:20]],
    )


def _priority(one: Any) -> dict[str, Any]:
    priority = one.priority
    return some(
        fairness_key=text(priority.fairness_key, 64),
        fairness_weight=round(priority.fairness_weight, 6),
        priority_key=priority.priority_key,
    )


def _began(one: Any, room: int) -> Told:
    detail = some(
        task_queue=text(one.task_queue.name, _WHO),
        input=values(one.input.payloads, room),
        memo=fields(one.memo.fields, room // 4),
        execution_timeout=seconds(one.workflow_execution_timeout),
        run_timeout=seconds(one.workflow_run_timeout),
        task_timeout=seconds(one.workflow_task_timeout),
        first_task_delay=seconds(one.first_workflow_task_backoff),
        cron=text(one.cron_schedule, _NAME),
        initiator=_INITIATORS.get(one.initiator, "") if one.initiator else "",
        first_run_id=one.first_execution_run_id,
        original_run_id=one.original_execution_run_id,
        parent_namespace=one.parent_workflow_namespace,
        parent_workflow_id=one.parent_workflow_execution.workflow_id,
        parent_run_id=one.parent_workflow_execution.run_id,
        priority=_priority(one),
        retry_policy=_retry_policy(one.retry_policy) if one.HasField("retry_policy") else {},
    )
    told: Told = {
        "actor": text(one.identity, _WHO),
        "name": text(one.workflow_type.name, _NAME),
        "attempt": one.attempt,
        "run": one.continued_execution_run_id,
        "detail": detail,
    }
    if one.HasField("continued_failure"):
        told["fault"] = fault(one.continued_failure, room)
    return told


def _completed(one: Any, room: int) -> Told:
    return {
        "run": one.new_execution_run_id,
        "detail": some(result=values(one.result.payloads, room)),
    }


def _failed(one: Any, room: int) -> Told:
    return {
        "fault": fault(one.failure, room),
        "state": _RETRY.get(one.retry_state, ""),
        "run": one.new_execution_run_id,
    }


def _timed_out(one: Any, _: int) -> Told:
    return {"state": _RETRY.get(one.retry_state, ""), "run": one.new_execution_run_id}


def _terminated(one: Any, room: int) -> Told:
    return {
        "actor": text(one.identity, _WHO),
        "message": text(one.reason),
        "detail": some(details=values(one.details.payloads, room)),
    }


def _cancelled(one: Any, room: int) -> Told:
    return {"detail": some(details=values(one.details.payloads, room))}


def _cancel_requested(one: Any, _: int) -> Told:
    other = one.external_workflow_execution
    return {
        "actor": text(one.identity, _WHO),
        "message": text(one.cause),
        "detail": some(by_workflow=text(other.workflow_id), by_run=other.run_id),
    }


def _continued(one: Any, room: int) -> Told:
    detail = some(
        input=values(one.input.payloads, room),
        delay=seconds(one.backoff_start_interval),
        initiator=_INITIATORS.get(one.initiator, "") if one.initiator else "",
    )
    told: Told = {
        "name": text(one.workflow_type.name, _NAME),
        "run": one.new_execution_run_id,
        "detail": detail,
    }
    if one.HasField("failure"):
        told["fault"] = fault(one.failure, room)
    return told


def _task_started(one: Any, _: int) -> Told:
    return {"actor": text(one.identity, _WHO)}


def _task_completed(one: Any, _: int) -> Told:
    detail = some(
        sdk=text(one.sdk_metadata.sdk_name, 60),
        sdk_version=text(one.sdk_metadata.sdk_version, 60),
        deployment=text(one.worker_deployment_name, _NAME),
    )
    build = build_of(one.worker_version) or text(one.deployment_version.build_id, _WHO)
    return {"actor": text(one.identity, _WHO), "build": build, "detail": detail}


def _task_failed(one: Any, room: int) -> Told:
    told: Told = {
        "actor": text(one.identity, _WHO),
        "ref": one.scheduled_event_id,
        "state": _CAUSES.get(one.cause, str(one.cause)),
        "build": build_of(one.worker_version),
        "run": one.new_run_id,
        "detail": some(base_run_id=one.base_run_id, new_run_id=one.new_run_id),
    }
    if one.HasField("failure"):
        told["fault"] = fault(one.failure, room)
    return told


def _task_timed_out(one: Any, _: int) -> Told:
    return {"ref": one.scheduled_event_id, "state": timeout_name(one.timeout_type)}


def _scheduled(one: Any, room: int) -> Told:
    return {
        "name": text(one.activity_type.name, _NAME),
        "subject": text(one.activity_id, _WHO),
        "detail": some(
            activity_id=text(one.activity_id, _WHO),
            task_queue=text(one.task_queue.name, _WHO),
            input=values(one.input.payloads, room),
            schedule_to_close=seconds(one.schedule_to_close_timeout),
            schedule_to_start=seconds(one.schedule_to_start_timeout),
            start_to_close=seconds(one.start_to_close_timeout),
            heartbeat_timeout=seconds(one.heartbeat_timeout),
            retry_policy=_retry_policy(one.retry_policy),
            priority=_priority(one),
        ),
    }


def _attempt(one: Any, room: int) -> Told:
    told: Told = {
        "actor": text(one.identity, _WHO),
        "ref": one.scheduled_event_id,
        "attempt": one.attempt,
        "build": build_of(one.worker_version),
    }
    if one.HasField("last_failure"):
        told["fault"] = fault(one.last_failure, room)
    return told


def _step_done(one: Any, room: int) -> Told:
    return {
        "actor": text(one.identity, _WHO),
        "ref": one.scheduled_event_id,
        "build": build_of(one.worker_version),
        "detail": some(result=values(one.result.payloads, room)),
    }


def _step_failed(one: Any, room: int) -> Told:
    return {
        "actor": text(one.identity, _WHO),
        "ref": one.scheduled_event_id,
        "state": _RETRY.get(one.retry_state, ""),
        "fault": fault(one.failure, room),
    }


def _step_timed_out(one: Any, room: int) -> Told:
    return {
        "ref": one.scheduled_event_id,
        "state": _RETRY.get(one.retry_state, ""),
        "fault": fault(one.failure, room),
    }


def _step_cancelled(one: Any, room: int) -> Told:
    return {
        "actor": text(one.identity, _WHO),
        "ref": one.scheduled_event_id,
        "detail": some(details=values(one.details.payloads, room)),
    }


def _step_cancel(one: Any, _: int) -> Told:
    return {"ref": one.scheduled_event_id}


def _timer(one: Any, _: int) -> Told:
    return {
        "subject": text(one.timer_id, _WHO),
        "detail": some(seconds=seconds(one.start_to_fire_timeout)),
    }


def _timer_over(one: Any, _: int) -> Told:
    return {"subject": text(one.timer_id, _WHO), "ref": one.started_event_id}


def _paused(one: Any, _: int) -> Told:
    return {"actor": text(one.identity, _WHO), "message": text(one.reason)}


READERS: Final[Mapping[str, Any]] = {
    "workflow_execution_started": _began,
    "workflow_execution_completed": _completed,
    "workflow_execution_failed": _failed,
    "workflow_execution_timed_out": _timed_out,
    "workflow_execution_terminated": _terminated,
    "workflow_execution_canceled": _cancelled,
    "workflow_execution_cancel_requested": _cancel_requested,
    "workflow_execution_continued_as_new": _continued,
    "workflow_execution_paused": _paused,
    "workflow_execution_unpaused": _paused,
    "workflow_task_started": _task_started,
    "workflow_task_completed": _task_completed,
    "workflow_task_failed": _task_failed,
    "workflow_task_timed_out": _task_timed_out,
    "activity_task_scheduled": _scheduled,
    "activity_task_started": _attempt,
    "activity_task_completed": _step_done,
    "activity_task_failed": _step_failed,
    "activity_task_timed_out": _step_timed_out,
    "activity_task_canceled": _step_cancelled,
    "activity_task_cancel_requested": _step_cancel,
    "timer_started": _timer,
    "timer_fired": _timer_over,
    "timer_canceled": _timer_over,
    **exchanges.READERS,
}
