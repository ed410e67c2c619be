"""How often a namespace is asked: often while something happens there."""

from __future__ import annotations

from dataclasses import dataclass, field

from observability.engines.temporal.pace import IDLE_PAUSE, PAUSE, QUIET, Pace

ONE, OTHER = 7, 8
"""Ids of targets."""


@dataclass
class Clock:
    """A clock that goes on only while somebody sleeps."""

    now: float = 100.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 3))
        self.now += seconds


def rounds(pace: Pace, clock: Clock, number: int, *, moved: bool = False) -> None:
    for _ in range(number):
        pace.wait(ONE, 60.0)
        pace.note(ONE, moved=moved)


def test_the_first_round_is_at_once_and_each_next_one_a_second_later() -> None:
    clock = Clock()
    pace = Pace(lambda: clock.now, clock.sleep)
    rounds(pace, clock, 3)
    assert clock.slept == [PAUSE, PAUSE]


def test_where_nothing_has_happened_for_a_while_it_is_asked_less_often_until_something_does() -> (
    None
):
    clock = Clock()
    pace = Pace(lambda: clock.now, clock.sleep)
    rounds(pace, clock, int(QUIET) + 4)
    assert pace.is_idle(ONE)
    assert clock.slept[-2:] == [IDLE_PAUSE, IDLE_PAUSE]
    pace.note(ONE, moved=True)
    rounds(pace, clock, 1)
    assert clock.slept[-1] == PAUSE


def test_nobody_waits_longer_than_they_have_time() -> None:
    clock = Clock()
    pace = Pace(lambda: clock.now, clock.sleep)
    pace.note(ONE, moved=False)
    pace.wait(ONE, 0.25)  # clock: of the clock that the test sets
    pace.wait(ONE, 0.0)
    assert clock.slept == [0.25]


def test_targets_have_a_pace_of_their_own() -> None:
    clock = Clock()
    pace = Pace(lambda: clock.now, clock.sleep)
    pace.note(ONE, moved=False)
    pace.wait(OTHER, 60.0)
    assert clock.slept == []
    assert not pace.is_idle(OTHER)
