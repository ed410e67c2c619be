"""Values out of JSON that anybody may have written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from console.unstructured import LARGEST, moment_after, whole


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


JUNE = datetime(9997, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize("at", [JUNE, datetime(2026, 11, 30, tzinfo=UTC)])
@pytest.mark.parametrize("seconds", [10**12, LARGEST, 1e300, float("inf"), float("nan")])
def test_a_time_that_no_calendar_has_is_none(at: datetime, seconds: float) -> None:
    assert moment_after(at, seconds) is None
    assert moment_after(at, -seconds) is None


def test_a_time_after_another_is_one_that_every_database_takes() -> None:
    assert moment_after(JUNE, 60) == JUNE + timedelta(seconds=60)
    assert moment_after(JUNE, 0.5) == JUNE + timedelta(seconds=0.5)
    assert moment_after(JUNE, 86400 * 365) is None
    assert moment_after(JUNE, -86400 * 365 * 9000) is None
