"""Values out of JSON that anybody may have written."""

from __future__ import annotations

import pytest

from console.unstructured import whole


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (137, 137),
        ("137", 137),
        ("-1", -1),
        ("--5", None),
        ("-", None),
        ("", None),
        ("1.5", None),
        ("٣", None),
        ("9" * 5000, None),
        (True, None),
        (None, None),
        ({}, None),
    ],
)
def test_a_whole_number_is_one_or_nothing(value: object, number: int | None) -> None:
    assert whole(value) == number
