"""What a workflow has to do with others: signals, updates, children, markers, properties."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson
from temporalio.api.enums.v1 import StartChildWorkflowExecutionFailedCause

from console.clients.temporal.payloads import fault, fields, some, text, values

Told = dict[str, Any]
LOCAL_ACTIVITY: Final = "core_local_activity"
_NAME: Final = 200
_WHO: Final = 255
_LONGEST_MARKER: Final = 20_000
_CHILD_CAUSES: Final[Mapping[int, str]] = {
    number: name.removeprefix("START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_").lower()
    for name, number in StartChildWorkflowExecutionFailedCause.items()
}


def _signalled(one: Any, room: int) -> Told:
    return {
        "actor": text(one.identity, _WHO),
        "name": text(one.signal_name, _NAME),
        "detail": some(
            input=values(one.input.payloads, room),
            by_workflow=text(one.external_workflow_execution.workflow_id),
            request_id=text(one.request_id, _NAME),
        ),
    }


def _update(request: Any, room: int) -> Told:
    return {
        "actor": text(request.meta.identity, _WHO),
        "name": text(request.input.name, _NAME),
        "subject": text(request.meta.update_id, _WHO),
        "detail": some(input=values(request.input.args.payloads, room)),
    }


def _update_accepted(one: Any, room: int) -> Told:
    # After an admitted event the request is not repeated, only its id is.
    told = _update(one.accepted_request, room)
    told["subject"] = told["subject"] or text(one.protocol_instance_id, _WHO)
    return told


def _update_admitted(one: Any, room: int) -> Told:
    return _update(one.request, room)


def _update_rejected(one: Any, room: int) -> Told:
    return {**_update(one.rejected_request, room), "fault": fault(one.failure, room)}


def _update_completed(one: Any, room: int) -> Told:
    told: Told = {
        "actor": text(one.meta.identity, _WHO),
        "subject": text(one.meta.update_id, _WHO),
        "ref": one.accepted_event_id,
    }
    if one.outcome.HasField("failure"):
        told["fault"] = fault(one.outcome.failure, room)
    else:
        told["detail"] = some(result=values(one.outcome.success.payloads, room))
    return told


def _child_asked(one: Any, room: int) -> Told:
    return {
        "name": text(one.workflow_type.name, _NAME),
        "subject": text(one.workflow_id),
        "detail": some(
            namespace=one.namespace,
            task_queue=text(one.task_queue.name, _WHO),
            input=values(one.input.payloads, room),
        ),
    }


def _child(one: Any, _: int) -> Told:
    told: Told = {
        "name": text(one.workflow_type.name, _NAME),
        "subject": text(one.workflow_execution.workflow_id),
        "run": one.workflow_execution.run_id,
        "ref": one.initiated_event_id,
        "detail": some(namespace=one.namespace),
    }
    return told


def _child_done(one: Any, room: int) -> Told:
    told = _child(one, room)
    told["detail"]["result"] = values(one.result.payloads, room)
    return told


def _child_failed(one: Any, room: int) -> Told:
    return {**_child(one, room), "fault": fault(one.failure, room)}


def _child_refused(one: Any, _: int) -> Told:
    return {
        "name": text(one.workflow_type.name, _NAME),
        "subject": text(one.workflow_id),
        "ref": one.initiated_event_id,
        "state": _CHILD_CAUSES.get(one.cause, str(one.cause)),
    }


def _external_asked(one: Any, room: int) -> Told:
    told: Told = {"subject": text(one.workflow_execution.workflow_id)}
    if hasattr(one, "signal_name"):
        told["name"] = text(one.signal_name, _NAME)
        told["detail"] = some(input=values(one.input.payloads, room))
    return told


def _external_told(one: Any, _: int) -> Told:
    return {"subject": text(one.workflow_execution.workflow_id), "ref": one.initiated_event_id}


def _marker(one: Any, room: int) -> Told:
    told: Told = {"name": text(one.marker_name, _NAME)}
    if one.HasField("failure"):
        told["fault"] = fault(one.failure, room)
    if one.marker_name == LOCAL_ACTIVITY:
        told.update(_local_activity(one, room))
    elif one.details:
        named = sorted(one.details)[:10]
        told["detail"] = {text(key, 60): values(one.details[key].payloads, room) for key in named}
    return told


def _local_activity(one: Any, room: int) -> Told:
    """What the SDK's core writes down about a local activity (JSON in `data`)."""
    facts: Any = {}
    payloads = one.details["data"].payloads if "data" in one.details else []
    if payloads and len(payloads[0].data) <= _LONGEST_MARKER:
        try:
            facts = orjson.loads(payloads[0].data)
        except orjson.JSONDecodeError:
            facts = {}
    if not isinstance(facts, dict):
        facts = {}
    attempt = facts.get("attempt")
    result = one.details["result"].payloads if "result" in one.details else []
    return {
        "subject": text(str(facts.get("activity_id", "")), _WHO),
        "attempt": attempt if isinstance(attempt, int) and 0 <= attempt < 2**31 else 0,
        "detail": some(
            activity_type=text(str(facts.get("activity_type", "")), _NAME),
            result=values(result, room),
        ),
    }


def _attributes(one: Any, room: int) -> Told:
    return {"detail": fields(one.search_attributes.indexed_fields, room)}


def _memo(one: Any, room: int) -> Told:
    return {"detail": fields(one.upserted_memo.fields, room)}


def _options(one: Any, _: int) -> Told:
    priority = one.priority
    return {
        "actor": text(one.identity, _WHO),
        "detail": some(
            fairness_key=text(priority.fairness_key, 64),
            fairness_weight=round(priority.fairness_weight, 6),
            priority_key=priority.priority_key,
            attached_request_id=text(one.attached_request_id, _NAME),
        ),
    }


def _nexus_asked(one: Any, room: int) -> Told:
    return {
        "name": text(f"{one.service}.{one.operation}", _NAME),
        "subject": text(one.endpoint, _WHO),
        "detail": some(endpoint=text(one.endpoint), input=values([one.input], room)),
    }


def _nexus(one: Any, room: int) -> Told:
    told: Told = {"ref": one.scheduled_event_id}
    names = one.DESCRIPTOR.fields_by_name
    if "failure" in names and one.HasField("failure"):
        told["fault"] = fault(one.failure, room)
    if "result" in names:
        told["detail"] = some(result=values([one.result], room))
    return told


_NEXUS: Final = ("started", "completed", "failed", "canceled", "timed_out", "cancel_requested")
READERS: Final[Mapping[str, Any]] = {
    "workflow_execution_signaled": _signalled,
    "workflow_execution_update_admitted": _update_admitted,
    "workflow_execution_update_accepted": _update_accepted,
    "workflow_execution_update_rejected": _update_rejected,
    "workflow_execution_update_completed": _update_completed,
    "start_child_workflow_execution_initiated": _child_asked,
    "start_child_workflow_execution_failed": _child_refused,
    "child_workflow_execution_started": _child,
    "child_workflow_execution_completed": _child_done,
    "child_workflow_execution_failed": _child_failed,
    "child_workflow_execution_canceled": _child,
    "child_workflow_execution_timed_out": _child,
    "child_workflow_execution_terminated": _child,
    "request_cancel_external_workflow_execution_initiated": _external_asked,
    "request_cancel_external_workflow_execution_failed": _external_told,
    "external_workflow_execution_cancel_requested": _external_told,
    "signal_external_workflow_execution_initiated": _external_asked,
    "signal_external_workflow_execution_failed": _external_told,
    "external_workflow_execution_signaled": _external_told,
    "marker_recorded": _marker,
    "upsert_workflow_search_attributes": _attributes,
    "workflow_properties_modified": _memo,
    "workflow_execution_options_updated": _options,
    "nexus_operation_scheduled": _nexus_asked,
    **{f"nexus_operation_{word}": _nexus for word in _NEXUS},
}
