"""The one table of history events: which reader says what an event of each type holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from console.clients.temporal import markers
from console.clients.temporal.attributes import activities, interactions, workflows
from console.clients.temporal.payloads import Attributes

Reader = Callable[[Any, int], Attributes]
"""(the event's attributes, bytes of payload to keep) -> keyword arguments of HistoryEvent."""
_NEXUS: Final = (
    *("started", "completed", "failed", "canceled", "timed_out"),
    *("cancel_requested", "cancel_request_completed", "cancel_request_failed"),
)


def nothing(_: Any, __: int) -> Attributes:
    """For an event whose type says it all."""
    return {}


READERS: Final[Mapping[str, Reader]] = {
    "workflow_execution_started": workflows.workflow_started,
    "workflow_execution_completed": workflows.workflow_completed,
    "workflow_execution_failed": workflows.workflow_failed,
    "workflow_execution_timed_out": workflows.workflow_timed_out,
    "workflow_execution_terminated": workflows.workflow_terminated,
    "workflow_execution_canceled": workflows.workflow_canceled,
    "workflow_execution_cancel_requested": workflows.workflow_cancel_requested,
    "workflow_execution_continued_as_new": workflows.workflow_continued_as_new,
    "workflow_execution_paused": workflows.workflow_paused,
    "workflow_execution_unpaused": workflows.workflow_paused,
    "workflow_task_started": workflows.task_started,
    "workflow_task_completed": workflows.task_completed,
    "workflow_task_failed": workflows.task_failed,
    "workflow_task_timed_out": workflows.task_timed_out,
    "activity_task_scheduled": activities.activity_scheduled,
    "activity_task_started": activities.activity_started,
    "activity_task_completed": activities.activity_completed,
    "activity_task_failed": activities.activity_failed,
    "activity_task_timed_out": activities.activity_timed_out,
    "activity_task_canceled": activities.activity_canceled,
    "activity_task_cancel_requested": activities.activity_cancel_requested,
    "timer_started": workflows.timer_started,
    "timer_fired": workflows.timer_over,
    "timer_canceled": workflows.timer_over,
    "workflow_execution_signaled": interactions.signaled,
    "workflow_execution_update_admitted": interactions.update_admitted,
    "workflow_execution_update_accepted": interactions.update_accepted,
    "workflow_execution_update_rejected": interactions.update_rejected,
    "workflow_execution_update_completed": interactions.update_completed,
    "start_child_workflow_execution_initiated": interactions.child_initiated,
    "start_child_workflow_execution_failed": interactions.child_start_failed,
    "child_workflow_execution_started": interactions.child_started,
    "child_workflow_execution_completed": interactions.child_completed,
    "child_workflow_execution_failed": interactions.child_failed,
    "child_workflow_execution_canceled": interactions.child_started,
    "child_workflow_execution_timed_out": interactions.child_started,
    "child_workflow_execution_terminated": interactions.child_started,
    "request_cancel_external_workflow_execution_initiated": interactions.external_initiated,
    "request_cancel_external_workflow_execution_failed": interactions.external_cancel_failed,
    "external_workflow_execution_cancel_requested": interactions.external_answered,
    "signal_external_workflow_execution_initiated": interactions.external_initiated,
    "signal_external_workflow_execution_failed": interactions.external_signal_failed,
    "external_workflow_execution_signaled": interactions.external_answered,
    "marker_recorded": markers.marker_recorded,
    "upsert_workflow_search_attributes": interactions.search_attributes_upserted,
    "workflow_properties_modified": interactions.memo_modified,
    "workflow_execution_options_updated": interactions.options_updated,
    "nexus_operation_scheduled": interactions.nexus_scheduled,
    **{f"nexus_operation_{word}": interactions.nexus_answered for word in _NEXUS},
}
