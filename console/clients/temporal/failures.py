"""Failures of the wire as plain values, with what their workers encoded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import TimeoutType
from temporalio.api.failure.v1 import Failure as ProtoFailure

from console.clients.temporal.codecs import codec_note, decompressed
from console.clients.temporal.payloads import (
    LONGEST_IDENTITY,
    LONGEST_NAME,
    LONGEST_STACK,
    PREVIEW,
    heartbeat,
    json_value,
    text,
    values,
)
from console.clients.temporal.records import Failure

DEEPEST_CAUSE: Final = 20
LONGEST_ENCODED: Final = 256_000
"""Bytes of encoded attributes that are read; what is longer is said to be."""
_PLACEHOLDER: Final = "Encoded failure"
"""What the SDKs write where the message was."""
_TIMEOUTS: Final[Mapping[int, str]] = {
    number: name.removeprefix("TIMEOUT_TYPE_").lower() for name, number in TimeoutType.items()
}
_Details = tuple[str, dict[str, Any]]


def failure(proto: ProtoFailure, room: int, depth: int = 0) -> Failure:
    """A failure with its chain of causes."""
    cause = None
    if proto.HasField("cause") and depth < DEEPEST_CAUSE:
        below = proto.cause if depth + 1 < DEEPEST_CAUSE else _bottom(proto.cause)
        cause = failure(below, room, depth + 1)
    which = proto.WhichOneof("failure_info") or ""
    reader = _KINDS.get(which)
    kind, extra = reader(getattr(proto, which), room) if reader else ("other", {})
    message, stack = proto.message, proto.stack_trace
    if proto.HasField("encoded_attributes"):
        message, stack = _decoded(proto)
    return Failure(
        message=text(message),
        kind=kind,
        stack=text(stack, min(LONGEST_STACK, max(room, PREVIEW))),
        cause=cause,
        **extra,
    )


def _bottom(proto: ProtoFailure) -> ProtoFailure:
    """The root of a chain that is too long to be told link by link."""
    while proto.HasField("cause"):
        proto = proto.cause
    return proto


def _decoded(proto: ProtoFailure) -> tuple[str, str]:
    """The message and the stack that were encoded together; why they cannot be read where only a
    codec could."""
    payload = proto.encoded_attributes
    attributes = json_value(payload, LONGEST_ENCODED)
    if not isinstance(attributes, dict):
        return _with_note(proto.message, _why_not(payload)), proto.stack_trace
    message, stack = attributes.get("message"), attributes.get("stack_trace")
    return (
        message if isinstance(message, str) else proto.message,
        stack if isinstance(stack, str) else proto.stack_trace,
    )


def _why_not(payload: Payload) -> str:
    payload = decompressed(payload)
    encoding = payload.metadata.get("encoding", b"")
    if note := codec_note(encoding):
        return note
    if not encoding.startswith(b"json/"):
        return f"encoded as {text(encoding.decode('utf-8', 'replace'), 60) or 'nothing known'}"
    if len(payload.data) > LONGEST_ENCODED:
        return f"encoded in {len(payload.data):,} bytes, more than are read"
    return "encoded as JSON that cannot be read"


def _with_note(message: str, note: str) -> str:
    return note if message in ("", _PLACEHOLDER) else f"{text(message)} ({note})"


def _application(info: Any, room: int) -> _Details:
    attributes: dict[str, Any] = {
        "type": text(info.type, LONGEST_NAME),
        "non_retryable": info.non_retryable,
    }
    if info.HasField("details"):
        attributes["details"] = tuple(values(info.details.payloads, room))
    return "application", attributes


def _timeout(info: Any, room: int) -> _Details:
    last = heartbeat(info.last_heartbeat_details.payloads, room)
    return "timeout", {"timeout": timeout_name(info.timeout_type), "heartbeat": last}


def timeout_name(number: int) -> str:
    """`start_to_close`, `heartbeat` and so on."""
    return _TIMEOUTS.get(number, str(number))


def _stopped(kind: str) -> Callable[[Any, int], _Details]:
    """Cancelled, terminated: by whom."""

    def read(info: Any, _: int) -> _Details:
        return kind, {"identity": text(info.identity, LONGEST_IDENTITY)}

    return read


def _activity(info: Any, _: int) -> _Details:
    return "activity", {
        "type": text(info.activity_type.name, LONGEST_NAME),
        "identity": text(info.identity, LONGEST_IDENTITY),
    }


def _child(info: Any, _: int) -> _Details:
    return "child", {"type": text(info.workflow_type.name, LONGEST_NAME)}


def _nexus(info: Any, _: int) -> _Details:
    return "nexus", {"type": text(f"{info.service}.{info.operation}", LONGEST_NAME)}


def _nexus_handler(info: Any, _: int) -> _Details:
    return "nexus", {"type": text(info.type, LONGEST_NAME)}


_KINDS: Final[Mapping[str, Callable[[Any, int], _Details]]] = {
    "application_failure_info": _application,
    "timeout_failure_info": _timeout,
    "canceled_failure_info": _stopped("cancelled"),
    "terminated_failure_info": _stopped("terminated"),
    "server_failure_info": lambda info, _: ("server", {"non_retryable": info.non_retryable}),
    "activity_failure_info": _activity,
    "child_workflow_execution_failure_info": _child,
    "nexus_operation_execution_failure_info": _nexus,
    "nexus_handler_failure_info": _nexus_handler,
    "reset_workflow_failure_info": lambda _info, _: ("reset", {}),
}
