"""Arguments: what is wrong is said with field, value and what would be right."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.errors import DomainError
from observability.actions.rules.arguments import read_arguments
from observability.engines.catalogue import VERBS, find_verb
from observability.engines.contracts import Engine
from observability.engines.verbs import Verb


def verb(name: str, engine: Engine = Engine.TEMPORAL) -> Verb:
    listed = find_verb(engine, name)
    assert listed is not None
    return listed


@pytest.mark.parametrize(
    ("name", "values", "field", "words"),
    [
        ("reset", {"point": "middle"}, "point", ["'middle'", "first, last, event"]),
        ("reset", {}, "point", ["empty", "first, last, event"]),
        ("reset", {"point": "event"}, "event", ["empty", "whole number from 1"]),
        ("reset", {"point": "event", "event": "2.5"}, "event", ["'2.5'", "whole number"]),
        ("reset", {"point": "event", "event": "0"}, "event", ["'0'", "from 1"]),
        ("reset", {"point": "event", "event": True}, "event", ["True", "whole number"]),
        ("signal", {}, "name", ["empty", "text"]),
        ("signal", {"name": 5}, "name", ["5", "text"]),
        ("signal", {"name": "a\x00b"}, "name", ["cannot be printed"]),
        ("signal", {"name": "go", "input": "{oops"}, "input", ["'{oops'", "JSON"]),
        ("signal", {"name": "go", "input": "NaN"}, "input", ["'NaN'", "JSON"]),
        ("pause_activity", {"activity": " "}, "activity", ["empty"]),
        ("unpause_activity", {"activity": "1", "reset_attempts": "maybe"}, "reset_attempts",
         ["'maybe'", "true or false"]),
        ("set_priority", {"priority_key": "9"}, "priority_key", ["'9'", "from 1 to 5"]),
        ("set_priority", {"fairness_key": "é" * 33}, "fairness_key", ["64 bytes"]),
        ("set_priority", {"fairness_weight": "inf"}, "fairness_weight", ["'inf'", "0.001 to 1000"]),
        ("cancel", {"force": True}, "force", ["'force'", "takes none"]),
        ("signal", {"name": "go", "nam": 1}, "nam", ["'nam'", "name, input"]),
    ],
)  # fmt: skip
def test_a_bad_argument_is_named_with_its_value_and_what_is_right(
    name: str, values: dict[str, Any], field: str, words: list[str]
) -> None:
    with pytest.raises(DomainError) as caught:
        read_arguments(verb(name), values)
    assert caught.value.field == f"arguments.{field}"
    assert caught.value.code == "invalid"
    assert [word for word in words if word not in caught.value.message] == []


def test_every_fault_is_said_at_once() -> None:
    with pytest.raises(DomainError) as caught:
        read_arguments(verb("set_priority"), {"priority_key": "x", "fairness_weight": -1})
    fields = [problem["field"] for problem in caught.value.detail["problems"]]
    assert fields == ["arguments.priority_key", "arguments.fairness_weight"]


def test_what_a_form_sends_becomes_typed_and_what_is_empty_is_left_out() -> None:
    values: dict[str, Any] = {"priority_key": "2", "fairness_key": "acme", "fairness_weight": ""}
    assert read_arguments(verb("set_priority"), values) == {
        "priority_key": 2,
        "fairness_key": "acme",
    }
    assert read_arguments(verb("reset"), {"point": "last", "event": "junk"}) == {"point": "last"}
    values = {"activity": "7", "keep_paused": False, "reset_heartbeat": "on"}
    assert read_arguments(verb("reset_activity"), values) == {
        "activity": "7",
        "keep_paused": False,
        "reset_heartbeat": True,
    }


def test_null_is_an_input_and_nothing_is_none() -> None:
    assert read_arguments(verb("signal"), {"name": "go", "input": "null"})["input"] == "null"
    assert "input" not in read_arguments(verb("signal"), {"name": "go", "input": "  "})


def test_an_input_that_is_too_large_is_refused() -> None:
    with pytest.raises(DomainError) as caught:
        read_arguments(verb("signal"), {"name": "go", "input": json.dumps("x" * 100_001)})
    assert "100000 bytes" in caught.value.message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.sampled_from(VERBS),
    st.dictionaries(
        st.sampled_from(
            ["point", "event", "name", "input", "activity", "priority_key", "fairness_weight", "x"]
        ),
        JSON,
    ),
)
def test_whatever_is_sent_is_read_or_refused_and_never_a_crash(
    about: Verb, values: dict[str, Any]
) -> None:
    read: dict[str, Any] = {}
    with contextlib.suppress(DomainError):
        read = read_arguments(about, values)
    assert read.keys() <= {argument.name for argument in about.arguments}
    json.dumps(read, allow_nan=False)
