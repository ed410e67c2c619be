"""When a loop is late: by its own period, never by a single missed round."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from console.loops.contracts import LoopStatus

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def ago(seconds: float) -> datetime:
    """That many seconds before now."""
    return NOW - timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("every", "seconds", "late"),
    [
        (3.0, 30, False),
        (3.0, 40, True),
        (60.0, 140, False),
        (60.0, 160, True),
        (3600.0, 7000, False),
        (3600.0, 7300, True),
    ],
)
def test_a_loop_is_late_after_two_of_its_periods_and_a_margin(
    every: float, seconds: float, late: bool
) -> None:
    assert LoopStatus("x", every, ago(seconds)).late(NOW) is late


def test_a_loop_that_nobody_ever_heard_of_is_late_and_has_no_age() -> None:
    status = LoopStatus("x", 3.0, None)
    assert status.late(NOW)
    assert status.age(NOW) is None


def test_a_loop_that_is_new_has_its_time_too() -> None:
    assert not LoopStatus("x", 3.0, None, expected=ago(10)).late(NOW)
    assert LoopStatus("x", 3.0, None, expected=ago(60)).late(NOW)
    assert not LoopStatus("x", 3.0, ago(9000), expected=ago(10)).late(NOW)


def test_patience_and_clocks_that_run_ahead_are_no_lateness() -> None:
    assert not LoopStatus("x", 3.0, ago(300), patience=600).late(NOW)
    assert LoopStatus("x", 3.0, ago(-20)).age(NOW) == 0.0
