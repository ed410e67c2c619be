"""Payloads as plain values of bounded size: texts, times, and whatever tenants put into them.

Nothing here raises on what a payload holds. Numbers that a double cannot hold come as texts, see
console.exact_json.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import Payload

from console import exact_json
from console.clients.temporal.codecs import codec_note, decompressed
from console.clients.temporal.records import Heartbeat
from console.unstructured import EARLIEST, clean

Attributes = dict[str, Any]
"""What an event holds: keyword arguments of HistoryEvent."""
LONGEST_TEXT: Final = 2000
LONGEST_NAME: Final = 200
LONGEST_IDENTITY: Final = 255
LONGEST_STACK: Final = 8000
PREVIEW: Final = 120
DEEPEST: Final = 24
MOST_VALUES: Final = 20
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(9990, 1, 1, tzinfo=UTC)
"""So that what is reckoned from it still fits."""
_FIRST: Final = int(EARLIEST.timestamp())
_LAST: Final = int(LATEST.timestamp())
_JSON: Final = b"json/"
"""How every encoding begins that is JSON: `json/plain`, `json/protobuf`."""


def moment(stamp: Timestamp) -> datetime | None:
    """A point in time; None for one that is not set."""
    return at(stamp) if stamp.seconds > 0 else None


def at(stamp: Timestamp) -> datetime:
    """A point in time that is always set, to the microsecond; the earliest or the latest that a
    database takes for one beyond it. Faster than ToDatetime, which raises then."""
    if _FIRST <= stamp.seconds < _LAST:
        return _EPOCH + timedelta(0, stamp.seconds, stamp.nanos // 1000)
    return EARLIEST if stamp.seconds < _FIRST else LATEST


def seconds(span: Duration) -> float | None:
    """A duration in seconds; None when it is zero, which means "none" to Temporal."""
    return span.seconds + span.nanos / 1e9 or None


def text(value: str, most: int = LONGEST_TEXT) -> str:
    """At most `most` characters, fit for a database."""
    if len(value) > most:
        value = value[: most - 1] + "…"
    return clean(value)


def value(payload: Payload, room: int) -> Any:
    """What a payload says: JSON is decoded, anything else (and what is longer than `room` bytes,
    or nested too deeply) is shown as its encoding, its size and how it begins."""
    payload = decompressed(payload)
    encoding = payload.metadata.get("encoding", b"")
    if encoding == b"binary/null":
        return None
    data = payload.data
    if encoding.startswith(_JSON) and len(data) <= room:
        decoded = _decoded(data)
        if decoded is not UNREADABLE:
            return decoded
    shown: dict[str, Any] = {"encoding": text(encoding.decode("utf-8", "replace"), 60)}
    shown["bytes"] = len(data)
    if encoding.startswith(_JSON):
        shown["begins"] = text(data[:PREVIEW].decode("utf-8", "replace"))
    elif note := codec_note(encoding):
        shown["note"] = note
    return shown


UNREADABLE: Final = object()


def json_value(payload: Payload, most: int) -> Any:
    """The JSON in a payload of at most `most` bytes that says it is some, or says nothing;
    UNREADABLE where it is none."""
    payload = decompressed(payload)
    encoding = payload.metadata.get("encoding", b"")
    if (encoding and not encoding.startswith(_JSON)) or len(payload.data) > most:
        return UNREADABLE
    return _decoded(payload.data)


def _decoded(data: bytes) -> Any:
    try:
        decoded = exact_json.loads(data)
    except ValueError:
        return UNREADABLE
    if data.count(b"[") + data.count(b"{") > DEEPEST and _deep(decoded):
        return UNREADABLE
    return decoded


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


def fields(payloads: Mapping[str, Payload], room: int, ours: Iterable[str] = ()) -> dict[str, Any]:
    """Named payloads (memo, search attributes, headers), all together within about `room` bytes.

    Those of the names in `ours` come first, each with room of its own: whatever else somebody put
    beside them takes nothing from them.
    """
    first = [name for name in ours if name in payloads]
    shown: dict[str, Any] = {name: value(payloads[name], room) for name in first}
    for name in payloads:
        if len(shown) >= MOST_VALUES + len(first):
            break
        if name not in shown:
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
