"""Payloads and failures as plain values, however large or strange they are."""

from __future__ import annotations

import tracemalloc
import zlib
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure

from console.clients.temporal.failures import DEEPEST_CAUSE, failure
from console.clients.temporal.payloads import (
    LATEST,
    MOST_VALUES,
    at,
    heartbeat,
    moment,
    text,
    value,
    values,
)
from console.unstructured import EARLIEST


def payload(data: bytes, encoding: bytes = b"json/plain") -> Payload:
    return Payload(metadata={"encoding": encoding}, data=data)


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b'{"a": [1, 2.5, null]}', {"a": [1, 2.5, None]}),
        (b'"text"', "text"),
        (b"true", True),
        (b'"a\\u0000b"', "a\ufffdb"),
        (b'{"k\\u0000": ["\\u0000"]}', {"k\ufffd": ["\ufffd"]}),
        (b'{"price": NaN}', {"price": "NaN"}),
        (
            b'{"id": 1180591620717411303425, "safe": 9007199254740993, "price": 0.1}',
            {"id": "1180591620717411303425", "safe": "9007199254740993", "price": 0.1},
        ),
    ],
)
def test_json_is_decoded(data: bytes, shown: object) -> None:
    assert value(payload(data), 1000) == shown


def test_nothing_is_nothing() -> None:
    assert value(payload(b"", b"binary/null"), 1000) is None


@pytest.mark.parametrize("encoding", [b"binary/plain", b"binary/encrypted", b"", b"\xff\x00"])
def test_other_encodings_are_shown_by_name_and_size(encoding: bytes) -> None:
    shown = value(payload(b"\x00\x01secret", encoding), 1000)
    assert shown["bytes"] == 8
    assert "secret" not in str(shown)
    assert "\0" not in shown["encoding"]


def test_what_a_codec_encrypted_is_said_to_be() -> None:
    shown = value(payload(b"\x00\x01", b"binary/encrypted"), 1000)
    assert shown["note"] == "encrypted by a codec; a codec server is not configured"
    assert "note" not in value(payload(b"\x00\x01", b"binary/plain"), 1000)


def test_what_was_only_compressed_is_read() -> None:
    packed = zlib.compress(payload(b'{"order": 7}').SerializeToString())
    assert value(payload(packed, b"binary/zlib"), 1000) == {"order": 7}
    assert value(payload(packed[:-4], b"binary/zlib"), 1000)["bytes"] == len(packed) - 4


def test_times_beyond_every_calendar_are_its_edges() -> None:
    assert at(Timestamp(seconds=10**15)) == LATEST
    assert at(Timestamp(seconds=-(10**15))) == EARLIEST
    assert moment(Timestamp(seconds=2**63 - 1)) == LATEST
    assert moment(Timestamp()) is None


@pytest.mark.parametrize("data", [b"{", b"nan", b"\xff\xff", b"[" * 500 + b"]" * 500])
def test_json_that_is_none_is_shown_by_how_it_begins(data: bytes) -> None:
    shown = value(payload(data), 1000)
    assert shown["bytes"] == len(data)
    assert shown["encoding"] == "json/plain"


def test_ten_megabytes_cost_next_to_nothing() -> None:
    large = payload(b'"' + b"x" * 10_000_000 + b'"')
    tracemalloc.start()
    shown = value(large, 4096)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert shown["bytes"] == 10_000_002
    assert len(orjson.dumps(shown)) < 300
    assert peak < 11_000_000  # the protobuf library hands out one copy of the bytes


def test_many_values_share_their_room() -> None:
    shown = values([payload(b'"' + b"x" * 60 + b'"')] * 100, 100)
    assert shown[0] == "x" * 60
    assert shown[1]["bytes"] == 62
    assert len(shown) == MOST_VALUES + 1


@given(st.binary(max_size=300), st.sampled_from([b"json/plain", b"json/protobuf", b"other"]))
def test_whatever_is_shown_can_be_stored(data: bytes, encoding: bytes) -> None:
    shown = value(payload(data, encoding), 200)
    assert orjson.loads(orjson.dumps(shown)) == shown
    assert not any("\0" in word for word in strings(shown))


def strings(shown: Any) -> Iterator[str]:
    if isinstance(shown, str):
        yield shown
    elif isinstance(shown, dict):
        for name, inner in shown.items():
            yield from (*strings(name), *strings(inner))
    elif isinstance(shown, list):
        for inner in shown:
            yield from strings(inner)


def test_texts_are_bounded_and_free_of_nul() -> None:
    assert text("a\0b") == "a\ufffdb"
    assert len(text("x" * 5000)) == 2000
    assert text("x" * 5000).endswith("…")


def test_heartbeats_are_told_apart_by_what_they_say() -> None:
    first, again, other = (
        heartbeat([payload(data)], 100) for data in (b'{"n":1}', b'{"n":1}', b'{"n":2}')
    )
    assert first is not None
    assert first == again
    assert other is not None
    assert first.digest != other.digest
    assert heartbeat([], 100) is None
    # Two values are not one value of both texts.
    two = heartbeat([payload(b"1"), payload(b"2")], 100)
    single = heartbeat([payload(b"12")], 100)
    assert two is not None
    assert single is not None
    assert two.digest != single.digest


def test_a_chain_of_causes_ends_somewhere() -> None:
    proto = Failure(message="bottom")
    for number in range(60):
        proto = Failure(message=f"level {number}", cause=proto)
    depth, cause = 0, failure(proto, 100)
    while cause.cause is not None:
        depth, cause = depth + 1, cause.cause
    assert depth == DEEPEST_CAUSE


def test_a_failure_tells_its_kind() -> None:
    timed_out = Failure(message="activity Heartbeat timeout")
    timed_out.timeout_failure_info.timeout_type = 4  # type: ignore[assignment]  # of the wire
    timed_out.timeout_failure_info.last_heartbeat_details.payloads.append(payload(b'{"next":3}'))
    result = failure(timed_out, 100)
    assert (result.kind, result.timeout) == ("timeout", "heartbeat")
    assert result.heartbeat is not None
    assert result.heartbeat.details == ({"next": 3},)
    application = Failure(message="no", stack_trace="x" * 100_000)
    application.application_failure_info.type = "Refused"
    result = failure(application, 4096)
    assert (result.kind, result.type) == ("application", "Refused")
    assert len(result.stack) == 4096
    assert failure(Failure(message="?"), 100).kind == "other"
