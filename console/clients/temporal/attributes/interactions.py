"""What signals, updates, children, properties and Nexus operations hold.

Each reader takes the attributes of an event and how many bytes of payload to keep, and gives
keyword arguments of HistoryEvent; event_attributes.py says which type each is for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from temporalio.api.enums.v1 import (
    CancelExternalWorkflowExecutionFailedCause,
    SignalExternalWorkflowExecutionFailedCause,
    StartChildWorkflowExecutionFailedCause,
)

from console.clients.temporal.attributes.shared import priority
from console.clients.temporal.failures import failure
from console.clients.temporal.payloads import (
    LONGEST_IDENTITY,
    LONGEST_NAME,
    Attributes,
    fields,
    some,
    text,
    values,
)

_CHILD_CAUSES: Final[Mapping[int, str]] = {
    number: name.removeprefix("START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_").lower()
    for name, number in StartChildWorkflowExecutionFailedCause.items()
}
_SIGNAL_CAUSES: Final[Mapping[int, str]] = {
    number: name.removeprefix("SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_").lower()
    for name, number in SignalExternalWorkflowExecutionFailedCause.items()
}
_CANCEL_CAUSES: Final[Mapping[int, str]] = {
    number: name.removeprefix("CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_").lower()
    for name, number in CancelExternalWorkflowExecutionFailedCause.items()
}


def signaled(event: Any, room: int) -> Attributes:
    return {
        "actor": text(event.identity, LONGEST_IDENTITY),
        "name": text(event.signal_name, LONGEST_NAME),
        "detail": some(
            input=values(event.input.payloads, room),
            by_workflow=text(event.external_workflow_execution.workflow_id),
            request_id=text(event.request_id, LONGEST_NAME),
        ),
    }


def _update(request: Any, room: int) -> Attributes:
    return {
        "actor": text(request.meta.identity, LONGEST_IDENTITY),
        "name": text(request.input.name, LONGEST_NAME),
        "subject": text(request.meta.update_id, LONGEST_IDENTITY),
        "detail": some(input=values(request.input.args.payloads, room)),
    }


def update_accepted(event: Any, room: int) -> Attributes:
    # After an admitted event the request is not repeated, only its id is.
    attributes = _update(event.accepted_request, room)
    attributes["subject"] = attributes["subject"] or text(
        event.protocol_instance_id, LONGEST_IDENTITY
    )
    return attributes


def update_admitted(event: Any, room: int) -> Attributes:
    return _update(event.request, room)


def update_rejected(event: Any, room: int) -> Attributes:
    return {**_update(event.rejected_request, room), "failure": failure(event.failure, room)}


def update_completed(event: Any, room: int) -> Attributes:
    attributes: Attributes = {
        "actor": text(event.meta.identity, LONGEST_IDENTITY),
        "subject": text(event.meta.update_id, LONGEST_IDENTITY),
        "ref": event.accepted_event_id,
    }
    if event.outcome.HasField("failure"):
        attributes["failure"] = failure(event.outcome.failure, room)
    else:
        attributes["detail"] = some(result=values(event.outcome.success.payloads, room))
    return attributes


def child_initiated(event: Any, room: int) -> Attributes:
    return {
        "name": text(event.workflow_type.name, LONGEST_NAME),
        "subject": text(event.workflow_id),
        "detail": some(
            namespace=text(event.namespace),
            task_queue=text(event.task_queue.name, LONGEST_IDENTITY),
            input=values(event.input.payloads, room),
        ),
    }


def child_started(event: Any, _: int) -> Attributes:
    attributes: Attributes = {
        "name": text(event.workflow_type.name, LONGEST_NAME),
        "subject": text(event.workflow_execution.workflow_id),
        "run": text(event.workflow_execution.run_id),
        "ref": event.initiated_event_id,
        "detail": some(namespace=text(event.namespace)),
    }
    return attributes


def child_completed(event: Any, room: int) -> Attributes:
    attributes = child_started(event, room)
    attributes["detail"]["result"] = values(event.result.payloads, room)
    return attributes


def child_failed(event: Any, room: int) -> Attributes:
    return {**child_started(event, room), "failure": failure(event.failure, room)}


def child_start_failed(event: Any, _: int) -> Attributes:
    return {
        "name": text(event.workflow_type.name, LONGEST_NAME),
        "subject": text(event.workflow_id),
        "ref": event.initiated_event_id,
        "state": _CHILD_CAUSES.get(event.cause, str(event.cause)),
    }


def external_initiated(event: Any, room: int) -> Attributes:
    attributes: Attributes = {"subject": text(event.workflow_execution.workflow_id)}
    if hasattr(event, "signal_name"):
        attributes["name"] = text(event.signal_name, LONGEST_NAME)
        attributes["detail"] = some(input=values(event.input.payloads, room))
    return attributes


def external_answered(event: Any, _: int) -> Attributes:
    return {"subject": text(event.workflow_execution.workflow_id), "ref": event.initiated_event_id}


def external_signal_failed(event: Any, room: int) -> Attributes:
    return {**external_answered(event, room), "message": _words(_SIGNAL_CAUSES, event.cause)}


def external_cancel_failed(event: Any, room: int) -> Attributes:
    return {**external_answered(event, room), "message": _words(_CANCEL_CAUSES, event.cause)}


def _words(causes: Mapping[int, str], cause: int) -> str:
    """`namespace_not_found` as "Namespace not found"; nothing where no cause is named."""
    return causes.get(cause, f"cause {cause}").replace("_", " ").capitalize() if cause else ""


def search_attributes_upserted(event: Any, room: int) -> Attributes:
    return {"detail": fields(event.search_attributes.indexed_fields, room)}


def memo_modified(event: Any, room: int) -> Attributes:
    return {"detail": fields(event.upserted_memo.fields, room)}


def options_updated(event: Any, _: int) -> Attributes:
    return {
        "actor": text(event.identity, LONGEST_IDENTITY),
        "detail": some(
            **priority(event), attached_request_id=text(event.attached_request_id, LONGEST_NAME)
        ),
    }


def nexus_scheduled(event: Any, room: int) -> Attributes:
    return {
        "name": text(f"{event.service}.{event.operation}", LONGEST_NAME),
        "subject": text(event.endpoint, LONGEST_IDENTITY),
        "detail": some(endpoint=text(event.endpoint), input=values([event.input], room)),
    }


def nexus_answered(event: Any, room: int) -> Attributes:
    attributes: Attributes = {"ref": event.scheduled_event_id}
    names = event.DESCRIPTOR.fields_by_name
    if "failure" in names and event.HasField("failure"):
        attributes["failure"] = failure(event.failure, room)
    if "result" in names:
        attributes["detail"] = some(result=values([event.result], room))
    return attributes
