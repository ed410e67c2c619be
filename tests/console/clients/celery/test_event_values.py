"""Events as they come over the wire: a value that cannot be read costs neither its event nor its
neighbours anything."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from console.clients.celery.event_values import MOST_UNREADABLE, events_of
from console.clients.celery.json_parts import parts
from console.clients.celery.kept_events import MOST_MESSAGE
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


@pytest.mark.parametrize("end", [b"]", b"NaN]"])
def test_a_message_is_read_up_to_the_size_that_is_kept(end: bytes) -> None:
    raw = b"[" + b" " * MOST_MESSAGE + end
    assert problems(raw) == [f"a message of {len(raw):,} bytes, which is not read"]


# -- lists that are not all JSON -------------------------------------------------------------------


def healthy(uuid: str) -> str:
    """An event as Celery writes it: who sent it first, what it is last."""
    event = {"hostname": "w1@test", "utcoffset": 0, "pid": 7, "clock": 5, "uuid": uuid}
    return json.dumps({**event, "timestamp": T0, "type": "task-started"})


A, C = healthy("a"), healthy("c")
DAMAGED = [
    ("a stray bracket", f"[{A},}}{{,{C}]", ["a", "c"], "}{,"),
    ("a bracket too many", f"[{A},{{{C}]", ["a", "c"], "{"),
    ("a list that ends twice", f'[{A}],"x":5]}} {C}', ["a", "c"], "5]}"),
    ("no closing bracket", f"[{A[:-1]},{C}]", ["a", "c"], ""),
    ("one cut off by the next", f"[{A[:30]}{C}]", ["c"], "type: missing"),
    ("words before it", f"garbage {A},{C}", ["a", "c"], "no event: garbage"),
    ("words between", f"[{A},nonsense,{C}]", ["a", "c"], "no event: nonsense"),
    ("cut off behind a comma", f"[{A},{C},", ["a", "c"], "cut off"),
    ("a quote in a value", 'quote " here', ["a", "b", "c"], "bad: no JSON"),
    ("a quote at its end", 'quote"', ["a", "b", "c"], "bad: no JSON"),
    ("a quote at its beginning", '"quote', ["a", "b", "c"], "bad: no JSON"),
    ("two quotes", 'a "quote" here', ["a", "b", "c"], "bad: no JSON"),
    ("a backslash at its end", "C:\\", ["a", "b", "c"], "bad: no JSON"),
    ("JSON in it", '{"a":1,"b":2}', ["a", "b", "c"], "bad: no JSON"),
    ("an object of the name of an event in it", '{"type":1,"b":2}', ["a", "c"], "bad: no JSON"),
]


def with_damage(damage: str) -> str:
    """A list with one bad value in the middle, or what a case gives whole."""
    if "task-started" in damage:
        return damage
    bad = f'"hostname":"w","bad":"{damage}","uuid":"b","timestamp":{T0},"type":"task-started"'
    return f"[{A},{{{bad}}},{C}]"


@pytest.mark.parametrize(
    ("damage", "uuids", "problem"),
    [case[1:] for case in DAMAGED],
    ids=[case[0] for case in DAMAGED],
)
def test_damage_costs_what_is_damaged_and_is_told(
    damage: str, uuids: list[str], problem: str
) -> None:
    events, unreadable = events_of(with_damage(damage).encode(), HEARD_US)
    assert [event.uuid for event in events] == uuids
    assert problem in "; ".join(event.problem for event in unreadable)
    assert len(unreadable) < 5


@pytest.mark.parametrize("between", ["", " ", "\n", "\r\n", ","])
def test_several_documents_in_one_message_are_all_read(between: str) -> None:
    for raw in (f"{A}{between}{C}", f"[{A}]{between}[{C}]", f"\ufeff{A}{between}{C}"):
        events, unreadable = events_of(raw.encode(), HEARD_US)
        assert ([event.uuid for event in events], unreadable) == (["a", "c"], [])


def test_a_lost_quote_or_bracket_anywhere_costs_no_other_event() -> None:
    """Every sign of the middle one of three events is left out, or doubled, in turn."""
    middle = healthy("b")
    for place, sign in enumerate(middle):
        if sign in '{}[]":,':
            for instead in ("", sign * 2):
                raw = f"[{A},{middle[:place]}{instead}{middle[place + 1 :]},{C}]"
                events, unreadable = events_of(raw.encode(), HEARD_US)
                uuids = [event.uuid for event in events]
                assert uuids[:1] + uuids[-1:] == ["a", "c"], raw
                assert uuids[1:-1] == ["b"] or unreadable, raw


def test_of_a_large_list_one_value_costs_nothing_but_itself() -> None:
    many = [started(f"u{number}", text="x" * 150) for number in range(10_000)]
    raw = body(*many, started("bad", loss=float("nan")), started("last"))
    assert 2_100_000 < len(raw) < MOST_MESSAGE
    events, unreadable = events_of(raw, HEARD_US)
    assert len(events) == 10_002
    assert [(event.uuid, event.problem) for event in unreadable] == [
        ("bad", "loss: NaN is no JSON")
    ]


@pytest.mark.parametrize(
    "part", ["[", "[,", "1,", '{"a":', '",', '{"type":"', '"a":"b" c,', '\\"', '{"a":1 ', ', "a'],
)  # fmt: skip
def test_twice_the_text_takes_twice_the_steps(part: str) -> None:
    def steps(text: str) -> int:
        """Lines of our own that run: the same on every machine."""
        count = 0

        def trace(frame: Any, event: str, _: object) -> Any:
            nonlocal count
            count += event == "line"
            return trace if frame.f_code.co_filename.endswith("json_parts.py") else None

        sys.settrace(trace)
        try:
            read = list(parts(text))
        finally:
            sys.settrace(None)
        assert sum(len(each.text) for each in read) <= len(text)
        return count

    once, twice = steps("{" + part * 1000), steps("{" + part * 2000)
    assert twice <= 2 * once + 50


def test_what_is_told_of_one_message_is_bounded_and_the_rest_counted() -> None:
    for raw in (f"[{'1,' * 5000}{A}]", f"[{'1,' * 5000}{A},NaN]"):
        events, unreadable = events_of(raw.encode(), HEARD_US)
        assert [event.uuid for event in events] == ["a"]
        assert len(unreadable) == MOST_UNREADABLE + 1
        assert unreadable[-1].problem.endswith("more of one message cannot be read")
    members = ",".join(f'"k{number}":NaN' for number in range(5000))
    (problem,) = problems(f"{{{A[1:-1]},{members}}}".encode())
    assert problem.startswith("4,007 more members than an event has; k0: NaN is no JSON; k1:")
    assert problem.endswith("; and 984 more")


@pytest.mark.parametrize("number", [2**31, 3_000_000_000, 2**53 + 1, 2**63 - 1])
def test_a_checkpoint_counts_bytes_by_the_billion(number: int) -> None:
    events, unreadable = events_of(body(started(done=number, total=number)), HEARD_US)
    assert (events[0].fields["done"], events[0].fields["total"]) == (number, number)
    assert unreadable == []


def test_names_by_which_tasks_and_workers_are_remembered_are_bounded() -> None:
    raw = body(started("u" * 5000), started("u" * 5001), started("u3", hostname="w" * 5000))
    events, unreadable = events_of(raw, HEARD_US)
    first, second, third = (event.uuid for event in events)
    assert len({first, second}) == 2
    assert {len(first), len(second)} == {1000}
    assert (third, events[2].hostname) == ("u3", "")
    assert [event.problem for event in unreadable] == ["hostname: 5,000 letters"]


@given(st.binary(max_size=200))
@example(b",")
@example(b"[],")
@example(b"[[")
def test_no_bytes_raise_anything_and_none_are_dropped_without_a_word(raw: bytes) -> None:
    read = events_of(raw, HEARD_US)
    nothing = not raw.decode("utf-8", "replace").strip() or b"".join(raw.split()) == b"[]"
    assert read.events or read.unreadable or nothing


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=15,
)


@given(st.lists(_json), st.dictionaries(st.text(), _json))
def test_json_that_is_whole_is_taken_apart_as_it_was_put_together(
    array: list[Any], table: dict[str, Any]
) -> None:
    assert [json.loads(part.text) for part in parts(json.dumps(array))] == array
    (part,) = parts(json.dumps(table))
    assert json.loads(part.text) == table
    if part.whole is None:
        assert {name: json.loads(text) for name, text in part.members} == table
    assert not part.lost
