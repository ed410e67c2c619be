"""Markers of every SDK, by name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.enums.v1 import EventType
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent as ProtoEvent

from console.clients.temporal.events import ROOM, translate
from console.clients.temporal.records import HistoryEvent
from observability.engines.contracts import EventKind, RunEvent
from observability.engines.temporal.history import reduce_history


def said(value: Any, encoding: str = "json/plain") -> Payloads:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Payloads(payloads=[Payload(metadata={"encoding": encoding.encode()}, data=data)])


def marker(name: str, failed: str = "", **details: Payloads) -> ProtoEvent:
    event = ProtoEvent(event_id=9, event_type=EventType.EVENT_TYPE_MARKER_RECORDED)
    attributes = event.marker_recorded_event_attributes
    attributes.marker_name = name
    for key, value in details.items():
        attributes.details[key.replace("_", "-") if name != "LocalActivity" else key].CopyFrom(
            value
        )
    if failed:
        attributes.failure.CopyFrom(Failure(message=failed))
        attributes.failure.application_failure_info.type = "PaymentError"
    return event


def read(event: ProtoEvent) -> tuple[HistoryEvent, RunEvent]:
    translated = translate([event], ROOM)
    (shown,) = reduce_history(translated).events
    return translated[0], shown


CORE = {"activity_id": "3", "activity_type": "charge", "attempt": 2}
GO = {
    "ActivityID": "3",
    "ActivityType": "charge",
    "Attempt": 2,
    "ReplayTime": "2026-11-29T12:00:00Z",
}


@pytest.mark.parametrize(
    "event",
    [
        marker("core_local_activity", data=said(CORE), result=said("paid")),
        marker("LocalActivity", data=said(GO), result=said("paid")),
        marker(
            "LocalActivity",
            activityId=said("3"),
            type=said("charge"),
            time=said(1795000000000),
            meta=said({"atpt": 2, "firstSkd": 1795000000000}),
            result=said("paid"),
        ),
        marker(
            "LocalActivity",
            activityId=said("3"),
            type=said("charge"),
            meta=said({"atpt": 2}),
            data=said("paid"),
        ),
    ],
    ids=["core", "go", "java", "old java"],
)
def test_a_local_activity_is_told_by_name_whatever_sdk_wrote_it(event: ProtoEvent) -> None:
    translated, shown = read(event)
    assert (translated.state, translated.name) == ("local_activity", "charge")
    assert (translated.subject, translated.attempt) == ("3", 2)
    assert shown.title == "Local charge completed"
    assert (shown.kind, shown.step, shown.step_name) == (
        EventKind.STEP_COMPLETED,
        "local-3",
        "charge",
    )
    assert shown.detail["result"] == ["paid"]


def test_a_local_activity_that_failed_says_why() -> None:
    _, shown = read(marker("LocalActivity", "card declined", data=said(GO)))
    assert shown.kind is EventKind.ATTEMPT_FAILED
    assert shown.title == "Local charge failed"
    assert shown.message == "PaymentError: card declined"


@pytest.mark.parametrize(
    ("event", "title"),
    [
        (marker("Version", change_id=said("fix-tax"), version=said(2)), "Version of fix-tax: 2"),
        (
            marker("Version", change_id=said("fix-tax"), version=said(-1)),
            "Version of fix-tax: before the change",
        ),
        (marker("Version", changeId=said("fix-tax"), version=said(1)), "Version of fix-tax: 1"),
        (
            marker("core_patch", patch_data=said({"id": "fix-tax", "deprecated": False})),
            "Patched: fix-tax",
        ),
        (marker("SideEffect", side_effect_id=said(4), data=said("uuid")), "Side effect 4"),
        (marker("SideEffect", data=said("uuid")), "Side effect"),
        (
            marker("MutableSideEffect", side_effect_id=said("rate"), data=said(5)),
            "Mutable side effect rate",
        ),
        (marker("MutableSideEffect", id=said("rate"), data=said(5)), "Mutable side effect rate"),
        (marker("cancel_workflow", data=said(1)), "Marker cancel_workflow"),
    ],
)
def test_versions_patches_and_side_effects_are_told_by_name(event: ProtoEvent, title: str) -> None:
    _, shown = read(event)
    assert (shown.kind, shown.title) == (EventKind.NOTE, title)


def test_a_side_effect_says_its_result() -> None:
    _, shown = read(marker("SideEffect", side_effect_id=said(4), data=said({"id": 2**70 + 1})))
    assert shown.detail["result"] == [{"id": str(2**70 + 1)}]


def test_what_a_codec_encrypted_is_said_to_be() -> None:
    _, shown = read(marker("LocalActivity", data=said(b"\x01\x02", "binary/encrypted")))
    assert shown.title == "Local activity completed"
    assert shown.detail["note"] == "encrypted by a codec; a codec server is not configured"


ODD: tuple[Any, ...] = (
    *(b"", b"{", b"\xff", [1], "text", 7, None, {"ActivityID": [1], "Attempt": "x"}),
    *({"ActivityID": {}, "Attempt": -1}, {"Attempt": 2**70}, {"atpt": True}, {"id": []}),
)


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(
    "name", ["core_local_activity", "LocalActivity", "core_patch", "Version", "SideEffect", "x"]
)
def test_a_strange_marker_is_told_as_far_as_it_goes(name: str, odd: Any) -> None:
    keys = ("data", "patch_data", "change_id", "version", "side_effect_id", "meta", "type")
    event = marker(name, "", **{key: said(odd) for key in keys})
    before = event.SerializeToString(deterministic=True)
    translated, shown = read(event)
    assert translated.attempt == 0
    assert shown.title
    assert event.SerializeToString(deterministic=True) == before


def test_two_local_activities_without_an_id_are_two_steps() -> None:
    events = [marker("LocalActivity"), marker("LocalActivity")]
    events[1].event_id = 10
    steps = {shown.step for shown in reduce_history(translate(events, ROOM)).events}
    assert steps == {"local-9", "local-10"}
