"""Rows of visibility and descriptions of runs as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from temporalio.api.enums.v1 import (
    PendingActivityState,
    VersioningBehavior,
    WorkflowExecutionStatus,
)
from temporalio.api.workflow.v1 import PendingActivityInfo, WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse

from console.clients.temporal.declared import OURS
from console.clients.temporal.failures import failure
from console.clients.temporal.payloads import at, fields, heartbeat, moment, seconds, text
from console.clients.temporal.records import PendingActivity, RunDescription, VisibilityRow

ROOM: Final = 4096
_WHO: Final = 255
_STATUSES: Final[Mapping[int, str]] = {
    number: name.removeprefix("WORKFLOW_EXECUTION_STATUS_").lower()
    for name, number in WorkflowExecutionStatus.items()
}
ACTIVITY_STATES: Final[Mapping[int, str]] = {
    number: name.removeprefix("PENDING_ACTIVITY_STATE_").lower()
    for name, number in PendingActivityState.items()
}
_BEHAVIORS: Final[Mapping[int, str]] = {
    number: name.removeprefix("VERSIONING_BEHAVIOR_").lower()
    for name, number in VersioningBehavior.items()
    if number
}


def visibility_row(info: WorkflowExecutionInfo) -> VisibilityRow:
    """One run as visibility (or its description) has it."""
    attributes = fields(info.search_attributes.indexed_fields, ROOM, OURS)
    version = info.most_recent_worker_version_stamp.build_id
    return VisibilityRow(
        workflow_id=info.execution.workflow_id,
        run_id=info.execution.run_id,
        type=text(info.type.name, 200),
        queue=text(info.task_queue, _WHO),
        status=_STATUSES.get(info.status, "unspecified"),
        created_at=at(info.start_time),
        due_at=moment(info.execution_time),
        closed_at=moment(info.close_time),
        history_length=info.history_length,
        history_size=info.history_size_bytes,
        transitions=info.state_transition_count,
        first_run_id=text(info.first_run_id),
        parent_workflow_id=text(info.parent_execution.workflow_id),
        parent_run_id=text(info.parent_execution.run_id),
        fairness_key=text(info.priority.fairness_key, 64),
        build=text(version or info.versioning_info.deployment_version.build_id, _WHO),
        memo=fields(info.memo.fields, ROOM, OURS),
        attributes=attributes,
    )


def run_description(answer: DescribeWorkflowExecutionResponse) -> RunDescription:
    """What a run is doing now."""
    info, extended = answer.workflow_execution_info, answer.workflow_extended_info
    return RunDescription(
        row=visibility_row(info),
        activities=tuple(map(pending_activity, answer.pending_activities)),
        children=tuple(
            (text(child.workflow_id), child.run_id, text(child.workflow_type_name, 200))
            for child in answer.pending_children
        ),
        workflow_task_attempt=max(answer.pending_workflow_task.attempt, 0),
        reset_run_id=extended.reset_run_id,
        last_reset_at=moment(extended.last_reset_time),
        cancel_requested=extended.cancel_requested,
        versioning=_BEHAVIORS.get(info.versioning_info.behavior, ""),
        reset_points=tuple(
            (point.run_id, point.first_workflow_task_completed_id)
            for point in info.auto_reset_points.points
        ),
    )


def pending_activity(info: PendingActivityInfo) -> PendingActivity:
    """One activity that has not ended."""
    return PendingActivity(
        activity_id=text(info.activity_id, _WHO),
        type=text(info.activity_type.name, 200),
        state=ACTIVITY_STATES.get(info.state, "unspecified"),
        attempt=max(info.attempt, 0),
        maximum_attempts=max(info.maximum_attempts, 0),
        scheduled_at=moment(info.scheduled_time),
        started_at=moment(info.last_started_time),
        next_attempt_at=moment(info.next_attempt_schedule_time),
        attempt_ended_at=moment(info.last_attempt_complete_time),
        expires_at=moment(info.expiration_time),
        retry_seconds=seconds(info.current_retry_interval),
        heartbeat=heartbeat(info.heartbeat_details.payloads, ROOM),
        heartbeat_at=moment(info.last_heartbeat_time),
        failure=failure(info.last_failure, ROOM) if info.HasField("last_failure") else None,
        worker=text(info.last_worker_identity, _WHO),
        build=_build(info),
        fairness_key=text(info.priority.fairness_key, 64),
        priority=info.priority.priority_key,
        **_pause(info),
    )


def _build(info: PendingActivityInfo) -> str:
    return text(
        info.last_deployment_version.build_id or info.last_worker_version_stamp.build_id, _WHO
    )


def _pause(info: PendingActivityInfo) -> dict[str, Any]:
    """Who paused it, or which of the server's rules did."""
    why = info.pause_info
    by_hand = why.WhichOneof("paused_by") == "manual"
    pause = why.manual if by_hand else why.rule
    return {
        "paused_by": text(why.manual.identity if by_hand else why.rule.identity, _WHO),
        "pause_reason": text(pause.reason),
        "paused_at": moment(why.pause_time),
    }
