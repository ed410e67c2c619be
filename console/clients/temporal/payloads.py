"""Payloads and failures as plain values of bounded size."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import TimeoutType
from temporalio.api.failure.v1 import Failure as ProtoFailure

from console.clients.temporal.records import Failure, Heartbeat

Attributes = dict[str, Any]
"""What an event holds: keyword arguments of HistoryEvent."""
LONGEST_TEXT: Final = 2000
LONGEST_NAME: Final = 200
LONGEST_IDENTITY: Final = 255
LONGEST_STACK: Final = 8000
PREVIEW: Final = 120
DEEPEST: Final = 24
DEEPEST_CAUSE: Final = 20
MOST_VALUES: Final = 20
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_JSON: Final = (b"json/plain", b"json/protobuf")
_TIMEOUTS: Final[Mapping[int, str]] = {
    number: name.removeprefix("TIMEOUT_TYPE_").lower() for name, number in TimeoutType.items()
}


def moment(stamp: Timestamp) -> datetime | None:
    """A point in time; None for one that is not set."""
    return at(stamp) if stamp.seconds > 0 else None


def at(stamp: Timestamp) -> datetime:
    """A point in time that is always set. Faster than ToDatetime, to the microsecond."""
    return _EPOCH + timedelta(0, stamp.seconds, stamp.nanos // 1000)


def seconds(span: Duration) -> float | None:
    """A duration in seconds; None when it is zero, which means "none" to Temporal."""
    return span.seconds + span.nanos / 1e9 or None


def text(value: str, most: int = LONGEST_TEXT) -> str:
    """At most `most` characters, without the NUL that PostgreSQL refuses."""
    if len(value) > most:
        value = value[: most - 1] + "…"
    return value.replace("\0", "\ufffd") if "\0" in value else value


def value(payload: Payload, room: int) -> Any:
    """What a payload says: JSON is decoded, anything else (and what is longer than `room` bytes,
    or nested too deeply) is shown as its encoding, its size and how it begins."""
    encoding = payload.metadata.get("encoding", b"")
    if encoding == b"binary/null":
        return None
    data = payload.data
    if encoding in _JSON and len(data) <= room:
        decoded = _decoded(data)
        if decoded is not _UNREADABLE:
            return decoded
    shown: dict[str, Any] = {"encoding": text(encoding.decode("utf-8", "replace"), 60)}
    shown["bytes"] = len(data)
    if encoding in _JSON:
        shown["begins"] = text(data[:PREVIEW].decode("utf-8", "replace"))
    return shown


_UNREADABLE: Final = object()


def _decoded(data: bytes) -> Any:
    try:
        decoded = orjson.loads(data)
    except orjson.JSONDecodeError:
        return _UNREADABLE
    if data.count(b"[") + data.count(b"{") > DEEPEST and _deep(decoded):
        return _UNREADABLE
    return _without_nul(decoded) if b"\\u0000" in data else decoded


def _deep(decoded: Any) -> bool:
    level = [decoded]
    for _ in range(DEEPEST):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return False
    return True


def _inside(decoded: Any) -> Iterable[Any]:
    if isinstance(decoded, dict):
        return decoded.values()
    return decoded if isinstance(decoded, list) else ()


def _without_nul(decoded: Any) -> Any:
    if isinstance(decoded, str):
        return decoded.replace("\0", "\ufffd")
    if isinstance(decoded, dict):
        return {_without_nul(key): _without_nul(item) for key, item in decoded.items()}
    return [_without_nul(item) for item in decoded] if isinstance(decoded, list) else decoded


def values(payloads: Iterable[Payload], room: int) -> list[Any]:
    """Several payloads, all together within about `room` bytes."""
    shown: list[Any] = []
    for payload in payloads:
        if len(shown) == MOST_VALUES:
            shown.append("…")
            break
        shown.append(value(payload, room))
        room = max(room - len(payload.data), 0)
    return shown


def fields(payloads: Mapping[str, Payload], room: int) -> dict[str, Any]:
    """Named payloads (memo, search attributes, headers), all together within about `room` bytes."""
    shown: dict[str, Any] = {}
    for name in payloads:
        if len(shown) == MOST_VALUES:
            break
        payload = payloads[name]
        shown[text(name, 200)] = value(payload, room)
        room = max(room - len(payload.data), 0)
    return shown


def some(**facts: Any) -> dict[str, Any]:
    """Those facts that are there."""
    return {name: fact for name, fact in facts.items() if fact or fact is False}


def heartbeat(payloads: Iterable[Payload], room: int) -> Heartbeat | None:
    """The details of a heartbeat; None when there are none."""
    every = list(payloads)
    if not every:
        return None
    digest = hashlib.sha256()
    for payload in every:
        digest.update(len(payload.data).to_bytes(8, "big"))
        digest.update(payload.data)
    return Heartbeat(tuple(values(every, room)), digest.hexdigest()[:16])


def failure(proto: ProtoFailure, room: int, depth: int = 0) -> Failure:
    """A failure with its chain of causes."""
    cause = None
    if proto.HasField("cause") and depth < DEEPEST_CAUSE:
        cause = failure(proto.cause, room, depth + 1)
    which = proto.WhichOneof("failure_info") or ""
    reader = _KINDS.get(which)
    kind, extra = reader(getattr(proto, which), room) if reader else ("other", {})
    return Failure(
        message=text(proto.message),
        kind=kind,
        stack=text(proto.stack_trace, min(LONGEST_STACK, max(room, PREVIEW))),
        cause=cause,
        **extra,
    )


def _application(info: Any, room: int) -> tuple[str, dict[str, Any]]:
    attributes: dict[str, Any] = {"type": text(info.type, 200), "non_retryable": info.non_retryable}
    if info.HasField("details"):
        attributes["details"] = tuple(values(info.details.payloads, room))
    return "application", attributes


def _timeout(info: Any, room: int) -> tuple[str, dict[str, Any]]:
    last = heartbeat(info.last_heartbeat_details.payloads, room)
    return "timeout", {"timeout": timeout_name(info.timeout_type), "heartbeat": last}


def timeout_name(number: int) -> str:
    """`start_to_close`, `heartbeat` and so on."""
    return _TIMEOUTS.get(number, str(number))


def _cancelled(info: Any, _: int) -> tuple[str, dict[str, Any]]:
    return "cancelled", {"identity": text(info.identity, 255)}


def _activity(info: Any, _: int) -> tuple[str, dict[str, Any]]:
    return "activity", {
        "type": text(info.activity_type.name, 200),
        "identity": text(info.identity, 255),
    }


def _child(info: Any, _: int) -> tuple[str, dict[str, Any]]:
    return "child", {"type": text(info.workflow_type.name, 200)}


_KINDS: Final[Mapping[str, Any]] = {
    "application_failure_info": _application,
    "timeout_failure_info": _timeout,
    "canceled_failure_info": _cancelled,
    "terminated_failure_info": lambda info, _: (
        "terminated",
        {"identity": text(info.identity, 255)},
    ),
    "server_failure_info": lambda info, _: ("server", {"non_retryable": info.non_retryable}),
    "activity_failure_info": _activity,
    "child_workflow_execution_failure_info": _child,
    "reset_workflow_failure_info": lambda _info, _: ("reset", {}),
}
