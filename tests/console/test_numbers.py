from __future__ import annotations

import pytest

from console.numbers import whole_number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0), ("007", 7), ("9" * 17, 99_999_999_999_999_999), ("9" * 18, None),
        ("9" * 5000, None), ("²", None), ("٣", None), ("-1", None), ("1.0", None), (" 1", None),
        ("", None),
    ],
)  # fmt: skip
def test_a_whole_number_is_read_or_is_none(text: str, number: int | None) -> None:
    assert whole_number(text) == number
