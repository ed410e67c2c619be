"""What jobs say is made fit for rows."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from observability.jobs.contracts import MOST_DETAIL
from observability.jobs.rules.bounding import (
    CUT,
    bounded_detail,
    bounded_id,
    bounded_text,
    clean,
    storable,
)

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=30,
)


@given(st.dictionaries(st.text(), ANYTHING, max_size=5))
def test_any_detail_becomes_small_json_that_can_be_stored(detail: dict[str, Any]) -> None:
    found = bounded_detail(detail)
    raw = orjson.dumps(found)
    assert len(raw) <= MOST_DETAIL
    assert storable(raw.decode().replace("\\\\", ""))  # a backslash and u0000 are no NUL


def test_a_payload_of_ten_megabytes_is_cut_and_says_so() -> None:
    found = bounded_detail({"input": "x" * 10_000_000, "kept": 1})
    assert found["kept"] == 1
    assert found[CUT] > 10_000_000
    assert len(orjson.dumps(found)) <= MOST_DETAIL


@pytest.mark.parametrize("wide", [{"list": list(range(100_000))}, {str(n): n for n in range(9999)}])
def test_wide_details_are_cut(wide: dict[str, Any]) -> None:
    found = bounded_detail(wide)
    assert found[CUT] > MOST_DETAIL
    assert len(orjson.dumps(found)) <= MOST_DETAIL


def test_nesting_without_end_is_cut() -> None:
    deep: Any = "x"
    for _ in range(5000):
        deep = [deep]
    assert len(orjson.dumps(bounded_detail({"deep": deep}))) <= MOST_DETAIL


def test_hostile_characters_are_replaced() -> None:
    assert clean("a\x00b\ud800c") == "a\ufffdb\ufffdc"


def test_a_cut_text_says_how_much_is_missing() -> None:
    assert len(bounded_text("x" * 5000, 2000)) == 2000
    assert bounded_text("x" * 5000, 2000).endswith("more)")


@given(st.text(min_size=900), st.text(min_size=900))
def test_long_names_stay_apart(one: str, other: str) -> None:
    assert len(bounded_id(one).encode()) <= 1000
    assert (bounded_id(one) == bounded_id(other)) == (clean(one) == clean(other))
