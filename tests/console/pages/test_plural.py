"""A number with its noun."""

import pytest

from console.pages.plural import plural


@pytest.mark.parametrize(
    ("number", "many", "text"),
    [(0, "", "0 runs"), (1, "", "1 run"), (1200, "", "1,200 runs"), (2, "runnings", "2 runnings")],
)
def test_a_number_has_its_noun(number: int, many: str, text: str) -> None:
    assert plural(number, "run", many) == text
