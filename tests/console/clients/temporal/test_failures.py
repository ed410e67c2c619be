"""Failures whose message and stack their workers encoded, wherever a failure stands."""

from __future__ import annotations

import json
import zlib
from typing import Any

import pytest
from google.protobuf import json_format
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure as ProtoFailure
from temporalio.api.history.v1 import History
from temporalio.api.workflow.v1 import PendingActivityInfo

from console.clients.temporal.events import ROOM, translate
from console.clients.temporal.failures import DEEPEST_CAUSE, failure
from console.clients.temporal.runs import pending_activity

ENCODED = {"message": "card 17 was declined", "stack_trace": "File pay.py, line 9"}
ENCRYPTED = "encrypted by a codec; a codec server is not configured"


def payload(content: Any, encoding: str = "json/plain") -> Payload:
    return Payload(metadata={"encoding": encoding.encode()}, data=json.dumps(content).encode())


def encoded(attributes: Payload | None = None, message: str = "Encoded failure") -> ProtoFailure:
    proto = ProtoFailure(message=message, encoded_attributes=attributes or payload(ENCODED))
    proto.application_failure_info.type = "PaymentError"
    return proto


def test_what_was_encoded_as_json_is_read() -> None:
    result = failure(encoded(), ROOM)
    assert (result.message, result.stack) == (ENCODED["message"], ENCODED["stack_trace"])
    assert (result.kind, result.type) == ("application", "PaymentError")


def test_every_link_of_the_chain_is_read() -> None:
    outer = encoded(payload({"message": "no order"}))
    outer.cause.CopyFrom(encoded())
    result = failure(outer, ROOM)
    assert result.message == "no order"
    assert result.cause is not None
    assert result.cause.message == ENCODED["message"]


@pytest.mark.parametrize("encoding", ["binary/encrypted", "encrypted", "acme/crypto-v2"])
def test_what_is_encrypted_is_said_to_be(encoding: str) -> None:
    assert failure(encoded(payload(ENCODED, encoding)), ROOM).message == ENCRYPTED


def test_another_codec_is_named_as_one() -> None:
    shown = failure(encoded(payload(ENCODED, "binary/snappy")), ROOM).message
    assert shown == "encoded by a codec; a codec server is not configured"


def test_a_message_that_stands_beside_what_is_encrypted_is_kept() -> None:
    shown = failure(encoded(payload(ENCODED, "binary/encrypted"), "card declined"), ROOM).message
    assert shown == f"card declined ({ENCRYPTED})"


def test_what_was_only_compressed_is_read() -> None:
    packed = Payload(
        metadata={"encoding": b"binary/zlib"},
        data=zlib.compress(payload(ENCODED).SerializeToString()),
    )
    assert failure(encoded(packed), ROOM).message == ENCODED["message"]


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ([1], "encoded as JSON that cannot be read"),
        ("text", "encoded as JSON that cannot be read"),
        ({"message": 7}, "Encoded failure"),
        ({}, "Encoded failure"),
        ({"message": "x" * 300_000}, "encoded in 300,015 bytes, more than are read"),
    ],
)
def test_attributes_of_another_shape_are_said_to_be(content: object, shown: str) -> None:
    assert failure(encoded(payload(content)), ROOM).message == shown


def test_a_bomb_in_zlib_stays_packed() -> None:
    bomb = Payload(metadata={"encoding": b"binary/zlib"}, data=zlib.compress(b"\0" * 50_000_000))
    assert failure(encoded(bomb), ROOM).message.startswith("encoded by a codec")


def test_the_history_of_the_case_says_why_the_card_was_refused() -> None:
    history = json_format.Parse(json.dumps(HISTORY), History())
    last = translate(history.events, ROOM)[-1]
    assert last.failure is not None
    assert last.failure.message == "card 17 was declined"
    assert last.failure.stack == "File pay.py, line 9"


HISTORY: dict[str, Any] = {
    "events": [
        {
            "eventId": "5",
            "eventTime": "2026-11-29T12:00:05Z",
            "eventType": "EVENT_TYPE_WORKFLOW_EXECUTION_FAILED",
            "workflowExecutionFailedEventAttributes": {
                "failure": {
                    "message": "Encoded failure",
                    "source": "PythonSDK",
                    "encodedAttributes": {
                        "metadata": {"encoding": "anNvbi9wbGFpbg=="},
                        "data": "eyJtZXNzYWdlIjoiY2FyZCAxNyB3YXMgZGVjbGluZWQiLCJzdGFja190cmFjZSI6"
                        "IkZpbGUgcGF5LnB5LCBsaW5lIDkifQ==",
                    },
                    "applicationFailureInfo": {"type": "PaymentError", "nonRetryable": True},
                }
            },
        }
    ]
}


PLACES = {
    "activity_task_failed": "failure",
    "activity_task_timed_out": "failure",
    "activity_task_started": "last_failure",
    "workflow_task_failed": "failure",
    "workflow_execution_failed": "failure",
    "workflow_execution_started": "continued_failure",
    "workflow_execution_continued_as_new": "failure",
    "child_workflow_execution_failed": "failure",
    "workflow_execution_update_rejected": "failure",
    "workflow_execution_update_completed": "outcome.failure",
    "nexus_operation_failed": "failure",
    "nexus_operation_canceled": "failure",
    "nexus_operation_timed_out": "failure",
    "marker_recorded": "failure",
}


@pytest.mark.parametrize(("name", "field"), PLACES.items())
def test_it_is_read_wherever_a_failure_stands(name: str, field: str) -> None:
    history = History()
    event = history.events.add(event_id=5, event_type=f"EVENT_TYPE_{name.upper()}")
    holder = getattr(event, f"{name}_event_attributes")
    for part in field.split("."):
        holder = getattr(holder, part)
    holder.CopyFrom(encoded())
    (translated,) = translate(history.events, ROOM)
    assert translated.failure is not None
    assert translated.failure.message == ENCODED["message"]


def test_it_is_read_of_an_activity_that_is_pending() -> None:
    activity = pending_activity(PendingActivityInfo(activity_id="1", last_failure=encoded()))
    assert activity.failure is not None
    assert activity.failure.message == ENCODED["message"]


def test_a_failed_operation_of_nexus_is_told_by_its_cause() -> None:
    proto = ProtoFailure(message="nexus operation completed unsuccessfully", cause=encoded())
    proto.nexus_operation_execution_failure_info.service = "billing"
    proto.nexus_operation_execution_failure_info.operation = "charge"
    result = failure(proto, ROOM)
    assert (result.kind, result.type) == ("nexus", "billing.charge")
    assert result.cause is not None
    assert result.cause.message == ENCODED["message"]


def test_of_a_chain_that_is_too_long_the_root_is_kept() -> None:
    proto = ProtoFailure(message="the disk is full")
    for number in range(60):
        proto = ProtoFailure(message=f"level {number}", cause=proto)
    links = []
    link = failure(proto, 100)
    while link.cause is not None:
        links.append(link.message)
        link = link.cause
    assert link.message == "the disk is full"
    assert len(links) == DEEPEST_CAUSE
