"""Events as they come over the wire: a value that cannot be read costs neither its event nor its
neighbours anything."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.clients.celery.event_values import events_of
from console.clients.celery.json_parts import elements, members
from tests.observability.engines.celery.played import bodies

T0 = 1_795_000_000.0
HEARD_US = round(T0 * 1e6)


def body(*events: dict[str, Any]) -> bytes:
    """A message as workers send it."""
    return json.dumps(list(events)).encode()


def started(uuid: str = "u1", **fields: Any) -> dict[str, Any]:
    """A healthy event, but for `fields`."""
    healthy = {"type": "task-started", "uuid": uuid, "hostname": "w1@test", "timestamp": T0}
    return {**healthy, **fields}


def problems(raw: bytes) -> list[str]:
    """What is wrong with a message."""
    return [event.problem for event in events_of(raw, HEARD_US).unreadable]


def test_of_a_list_with_nan_only_that_value_is_lost() -> None:
    (raw,) = bodies("02-poison-batch", T0)
    events, unreadable = events_of(raw, HEARD_US)
    assert [(event.type, event.uuid) for event in events] == [
        ("task-received", "neighbour-of-nan"),
        ("task-started", "neighbour-of-nan"),
        ("task-succeeded", "neighbour-of-nan"),
        ("task-progress", "training-1"),
    ]
    assert (events[3].fields["done"], events[3].fields["text"]) == (10, "loss")
    assert [(event.uuid, event.problem) for event in unreadable] == [
        ("training-1", "loss: NaN is no JSON")
    ]


def test_of_half_a_surrogate_pair_only_that_letter_is_lost() -> None:
    (raw,) = bodies("03-lone-surrogate", T0)
    events, unreadable = events_of(raw, HEARD_US)
    assert events[3].fields["traceback"] == "ValueError: cannot open report-\ufffd.csv"
    assert [event.uuid for event in events[:3]] == ["neighbour-of-surrogate"] * 3
    assert [event.problem for event in unreadable] == ["traceback: half of a surrogate pair"]


def test_a_task_id_that_is_an_object_is_set_aside_and_named() -> None:
    read = [events_of(raw, HEARD_US) for raw in bodies("01-uuid-object-as-task-id", T0)]
    assert {event.uuid for events, _ in read for event in events} == {
        "before-uuid-object", "after-uuid-object",
    }  # fmt: skip
    strange = [event for _, unreadable in read for event in unreadable]
    assert len(strange) == 3
    assert "an object, not a text" in strange[0].problem
    assert "6f9619ff8b86" in strange[0].uuid


def test_milliseconds_are_read_and_told_and_a_host_that_is_a_number_is_left_out() -> None:
    read = [events_of(raw, HEARD_US) for raw in bodies("09-odd-fields", T0)]
    events = {event.uuid: event for events, _ in read for event in events}
    assert set(events) == {"ms-1", "host-number", "after-odd-fields"}
    assert events["ms-1"].us == HEARD_US
    assert events["host-number"].hostname == ""
    by_name = {event.uuid: event.problem for _, unreadable in read for event in unreadable}
    assert by_name == {
        "ms-1": "timestamp: in milliseconds, not in seconds",
        "host-number": "hostname: no text: 7",
        "12345": "uuid: no text: 12345",
    }


@pytest.mark.parametrize(
    ("stamp", "us"),
    [
        (T0, HEARD_US),
        (int(T0), HEARD_US),
        (str(T0), HEARD_US),
        ("2026-11-18T11:06:40+00:00", HEARD_US),
        (T0 * 1e3, HEARD_US),
        (T0 * 1e6, HEARD_US),
        (int(T0 * 1e9), HEARD_US),
        (T0 - 3600, HEARD_US - 3_600_000_000),
    ],
)
def test_a_time_is_read_in_whatever_unit_it_makes_sense(stamp: object, us: int) -> None:
    (event,) = events_of(body(started(timestamp=stamp)), HEARD_US).events
    assert abs(event.us - us) <= 1_000_000


@pytest.mark.parametrize(
    "stamp",
    [None, "soon", "", True, [], {}, -5, 0, 1e300, 10**400, T0 + 10**7, T0 - 10**8, "9" * 99],
)
def test_a_time_that_cannot_be_is_that_of_its_arrival(stamp: object) -> None:
    raw = body(started(timestamp=stamp), started("u2"))
    events, unreadable = events_of(raw, HEARD_US)
    assert [event.us for event in events] == [HEARD_US, HEARD_US]
    assert [event.problem.split(":")[0] for event in unreadable] == ["timestamp"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("retries", -1), ("retries", 10**30), ("retries", 2.5), ("retries", "3"), ("retries", True),
        ("args", ["a"]), ("kwargs", {"a": 1}), ("queue", 5), ("parent_id", {"__type__": "uuid"}),
        ("eta", "tomorrow"), ("eta", 5), ("expires", "9999-99-99T00:00:00"), ("runtime", -1),
        ("exception", 5), ("traceback", [1]), ("terminated", "yes"), ("done", 2**70),
    ],
)  # fmt: skip
def test_a_value_of_another_kind_is_left_out_and_the_event_stays(name: str, value: Any) -> None:
    events, unreadable = events_of(body(started(**{name: value}), started("u2")), HEARD_US)
    assert [event.uuid for event in events] == ["u1", "u2"]
    assert name not in events[0].fields
    assert [event.problem.split(":")[0] for event in unreadable] == [name]


@pytest.mark.parametrize(
    "strange",
    [
        5, "text", None, [], {}, {"type": 5}, {"type": ""}, {"type": "task-started"},
        {"type": "task-started", "uuid": ""}, {"type": "task-started", "uuid": 7},
    ],
)  # fmt: skip
def test_what_means_nothing_is_set_aside(strange: Any) -> None:
    events, unreadable = events_of(
        json.dumps([started(), strange, started("u2")]).encode(), HEARD_US
    )
    assert [event.uuid for event in events] == ["u1", "u2"]
    assert len(unreadable) == 1


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("[" * 3000 + "]" * 3000, "nested too deep"),
        ("-Infinity", "-Infinity is no JSON"),
        ("1e999", "a number that is too large"),
        ("1" * 5000, "a number of 5,000 digits"),
        ("nonsense", "no JSON"),
    ],
)
def test_a_value_that_is_no_json_costs_only_itself(value: str, problem: str) -> None:
    text = body(started(), started("u2", odd="ODD"), started("u3")).decode()
    raw = text.replace('"ODD"', value).encode()
    events, unreadable = events_of(raw, HEARD_US)
    assert [event.uuid for event in events] == ["u1", "u2", "u3"]
    assert [(event.uuid, event.problem) for event in unreadable] == [("u2", f"odd: {problem}")]


def test_bytes_of_another_encoding_cost_single_letters() -> None:
    raw = body(started(), started("u2", name="caf#")).replace(b"#", b"\xe9")
    events, unreadable = events_of(raw, HEARD_US)
    assert events[1].fields["name"] == "caf\ufffd"
    assert [event.problem for event in unreadable] == ["bytes that are not UTF-8"]


def test_of_a_message_that_was_cut_off_the_whole_events_are_read() -> None:
    raw = body(started(), started("u2"), started("u3", text="long"))[:-5]
    events, _ = events_of(raw, HEARD_US)
    assert [event.uuid for event in events] == ["u1", "u2", "u3"]
    assert "text" not in events[2].fields


@pytest.mark.parametrize("kind", ["application/x-python-serialize", "application/x-yaml", ""])
def test_another_serializer_is_told_with_what_to_set(kind: str) -> None:
    events, (unreadable,) = events_of(b"\x80\x04", HEARD_US, kind)
    assert events == []
    assert "event_serializer" in unreadable.problem


def test_a_huge_message_that_is_no_json_is_not_taken_apart() -> None:
    assert problems(b"[" * 3_000_000) == ["a message of 3,000,000 letters that is no JSON"]


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything(raw: bytes) -> None:
    read = events_of(raw, HEARD_US)
    assert read.events or read.unreadable or raw.strip() in {b"", b"[]"} or raw.startswith(b"[")


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=15,
)


@given(st.lists(_json), st.dictionaries(st.text(), _json))
def test_json_that_is_whole_is_taken_apart_as_it_was_put_together(
    array: list[Any], table: dict[str, Any]
) -> None:
    assert [json.loads(part) for part in elements(json.dumps(array))] == array
    assert {name: json.loads(part) for name, part in members(json.dumps(table))} == table
