"""Numbers of any size and precision, read as they were written."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.exact_json import WrittenNumber, dumps, loads


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (b"9007199254740991", 9007199254740991),
        (b"9007199254740992", "9007199254740992"),
        (b"9007199254740993", "9007199254740993"),
        (b"-9007199254740993", "-9007199254740993"),
        (b"1180591620717411303425", "1180591620717411303425"),
        (b"0.1", 0.1),
        (b"0.10000000000000000001", "0.10000000000000000001"),
        (b"3.141592653589793", 3.141592653589793),
        (b"1.7976931348623157e308", 1.7976931348623157e308),
        (b"1e400", "1e400"),
        (b"1e-99999999999999999999", "1e-99999999999999999999"),
        (b"[1E+99999999999999999999, 0e-99999999999999999999]",
         ["1E+99999999999999999999", "0e-99999999999999999999"]),
        (b"1e-400", "1e-400"),
        (b"1e21", 1e21),
        (b"12345678901234567890.5", "12345678901234567890.5"),
        (b"[NaN, -Infinity]", ["NaN", "-Infinity"]),
        (b'{"id": 1180591620717411303425, "safe": 9007199254740993, "price": 0.1}',
         {"id": "1180591620717411303425", "safe": "9007199254740993", "price": 0.1}),
        (b'"card 1180591620717411303425"', "card 1180591620717411303425"),
        (b'{"a\\u0000": "\\ud800"}', {"a\ufffd": "\ufffd"}),
    ],
)  # fmt: skip
def test_a_number_that_a_double_cannot_hold_is_its_text(written: bytes, value: object) -> None:
    assert loads(written) == value


def test_a_number_of_a_hundred_thousand_digits_is_its_text() -> None:
    digits = b"7" * 100_000
    assert loads(digits) == digits.decode()


@pytest.mark.parametrize(
    "written", [b"", b"{", b"\xff", b"nan", b"01", b"[" * 200_000, b"[1e9," * 200_000]
)
def test_what_is_no_json_is_a_value_error(written: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        loads(written)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_what_is_read_survives_a_reader_that_has_only_doubles(value: Any) -> None:
    read = loads(json.dumps(value).encode())
    stored = orjson.dumps(read)
    assert orjson.loads(stored) == read
    as_doubles = json.loads(stored, parse_int=float)
    assert as_doubles == read


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)  # fmt: skip


@given(JSON_VALUES)
def test_what_is_written_again_is_what_json_itself_writes(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False)
    assert dumps(json.loads(text, parse_float=WrittenNumber)) == text
    assert dumps(value) == text


def test_a_written_number_is_a_float_for_whoever_calculates() -> None:
    number = WrittenNumber("0.10000000000000000001")
    assert (number, json.dumps(number), dumps(number)) == (0.1, "0.1", "0.10000000000000000001")
