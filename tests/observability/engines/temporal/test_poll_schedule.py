from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

from observability.engines.contracts import RunRef, Status
from observability.engines.temporal.poll_schedule import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    PollSchedule,
)

REFS = [
    RunRef(
        id=number,
        external_id=f"w-{number}",
        run_id=f"r-{number}",
        location="default",
        status=Status.RUNNING,
        revision="1",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    for number in range(1, 6)
]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_runs_that_were_never_described_come_in_the_order_of_their_ids_and_in_turn() -> None:
    clock = Clock()
    polls = PollSchedule(clock)
    described = []
    for _ in range(3):
        due = polls.due(REFS, most=2)
        described.append([ref.id for ref in due])
        for ref in due:
            polls.note(ref, ref.revision)
    assert described == [[1, 2], [3, 4], [5]]
    assert polls.due(REFS, most=2) == []


def test_a_run_that_does_not_change_is_described_ever_less_often_and_still_every_so_often() -> None:
    clock = Clock()
    polls = PollSchedule(clock)
    described = []
    for second in range(240):
        clock.now = 1000.0 + second / 2
        for ref in polls.due(REFS[:1], most=9):
            described.append(clock.now)
            polls.note(ref, ref.revision)
    pauses = [later - before for before, later in pairwise(described)]
    assert pauses[0] == FIRST_PAUSE
    assert pauses == sorted(pauses)
    assert set(pauses[-3:]) == {LONGEST_PAUSE}


def test_a_run_that_changed_is_described_soon_again() -> None:
    clock = Clock()
    polls = PollSchedule(clock)
    for _ in range(8):
        polls.note(REFS[0], "1")
    clock.now += FIRST_PAUSE
    assert polls.due(REFS[:1], most=9) == []
    polls.note(REFS[0], "2")
    stored = replace(REFS[0], revision="2")
    assert polls.due([stored], most=9) == []
    clock.now += FIRST_PAUSE
    assert polls.due([stored], most=9) == [stored]


def test_a_run_that_somebody_else_has_read_since_is_due_at_once() -> None:
    polls = PollSchedule(Clock())
    for _ in range(8):
        polls.note(REFS[0], "1")
    newer = replace(REFS[0], revision="7")
    assert polls.due([newer], most=9) == [newer]


def test_whoever_wants_all_of_them_gets_those_that_wait_for_longest_first() -> None:
    clock = Clock()
    polls = PollSchedule(clock)
    for ref in reversed(REFS):
        polls.note(ref, ref.revision)
        clock.now += 0.01
    assert polls.due(REFS, most=2) == []
    assert [ref.id for ref in polls.due(REFS, most=2, all_of_them=True)] == [5, 4]


def test_runs_that_are_not_open_any_more_are_forgotten() -> None:
    polls = PollSchedule(Clock())
    for ref in REFS:
        polls.note(ref, ref.revision)
    polls.due(REFS[1:], most=9)
    assert polls.due(REFS, most=9) == REFS[:1]
