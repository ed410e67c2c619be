"""What jobs say is made fit for rows."""

from __future__ import annotations

import re
import time
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.unstructured import clean
from observability.engines.contracts import MASK, MOST_DETAIL
from observability.ingest.rules.masking import Masker
from observability.jobs.rules.bounding import (
    CUT,
    bounded_detail,
    bounded_id,
    bounded_text,
    detail_for_masking,
    for_masking,
    storable,
    to_json,
)
from tests.waiting import PATIENCE

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=30,
)


@given(st.dictionaries(st.text(), ANYTHING, max_size=5))
def test_any_detail_becomes_small_json_that_can_be_stored(detail: dict[str, Any]) -> None:
    detail_kept = bounded_detail(detail)
    raw = orjson.dumps(detail_kept)
    assert len(raw) <= MOST_DETAIL
    assert storable(raw.decode().replace("\\\\", ""))  # a backslash and u0000 are no NUL


def test_a_payload_of_ten_megabytes_is_cut_and_says_so() -> None:
    detail_kept = bounded_detail({"input": "x" * 10_000_000, "kept": 1})
    assert detail_kept["kept"] == 1
    assert detail_kept[CUT] > 10_000_000
    assert len(orjson.dumps(detail_kept)) <= MOST_DETAIL


@pytest.mark.parametrize("wide", [{"list": list(range(100_000))}, {str(n): n for n in range(9999)}])
def test_wide_details_are_cut(wide: dict[str, Any]) -> None:
    detail_kept = bounded_detail(wide)
    assert detail_kept[CUT] > MOST_DETAIL
    assert len(orjson.dumps(detail_kept)) <= MOST_DETAIL


def test_nesting_without_end_is_cut() -> None:
    deep: Any = "x"
    for _ in range(5000):
        deep = [deep]
    assert len(orjson.dumps(bounded_detail({"deep": deep}))) <= MOST_DETAIL


def test_hostile_characters_are_replaced() -> None:
    assert clean("a\x00b\ud800c") == "a\ufffdb\ufffdc"


def test_a_cut_text_says_how_much_is_missing() -> None:
    assert len(bounded_text("x" * 5000, 2000)) == 2000
    assert bounded_text("x" * 5000, 2000).endswith("… (3,040 more)")
    twice = bounded_text(bounded_text("x" * 10_000_000, 16_000), 2000)
    assert re.search(r"… \(9,99\d,\d{3} more\)$", twice)


HOSTILE = [
    ("a" * 200 + ".") * 50_000 + "password",
    "-----BEGIN PRIVATE KEY-----" * 400_000,
    "password: '" * 900_000,
    "eyJ" * 3_000_000,
    "a://" * 2_500_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[-8:])
def test_ten_megabytes_made_to_be_slow_to_mask_are_not(text: str) -> None:
    masker = Masker(["passw(or)?d", "secret"])
    detail = {"one": text, "list": [text[:100_000]] * 20, "password": "x"}
    began = time.process_time()
    detail_kept = bounded_detail(masker.value(detail_for_masking(detail, to_json(detail))))
    shown = bounded_text(masker.text(for_masking(text)), 2000)
    assert time.process_time() - began < PATIENCE  # what grows with the square takes hours
    assert detail_kept[CUT] > 10_000_000
    assert detail_kept.get("password") in {MASK, None}
    assert len(shown) <= 2000


def test_a_detail_that_claims_to_be_cut_is_cut_all_the_same() -> None:
    assert bounded_detail({CUT: "all", "x": "y" * 9000})[CUT] > MOST_DETAIL


@given(st.text(min_size=900), st.text(min_size=900))
def test_long_names_stay_apart(name: str, other: str) -> None:
    assert len(bounded_id(name).encode()) <= 1000
    assert (bounded_id(name) == bounded_id(other)) == (clean(name) == clean(other))


def test_whole_numbers_that_a_double_cannot_hold_are_written_as_text() -> None:
    detail = {"id": 2**53 + 1, "less": -(2**53) - 1, "safe": 2**53 - 1, "huge": 2**70 + 1}
    assert orjson.loads(to_json(detail)) == {
        "id": "9007199254740993",
        "less": "-9007199254740993",
        "safe": 9007199254740991,
        "huge": "1180591620717411303425",
    }
