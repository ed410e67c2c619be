"""Which round of attempts an event is of, without a database."""

from __future__ import annotations

from datetime import datetime

import pytest

from observability.engines.contracts import AttemptRound
from observability.ingest.rules.attempt_rounds import in_rounds, key_in, round_of
from tests.observability.jobs.factories import after
from tests.observability.jobs.fakes import event

EXACT, NEWEST = AttemptRound.BY_TIME, AttemptRound.NEWEST
Stored = dict[tuple[int, str], datetime]


def key_of(stored: Stored, newest: int, second: int, how: AttemptRound, key: str = "a1") -> str:
    one = event(5, key=key, at=after(second), attempt_round=how)
    (kept,) = in_rounds([one], {5: newest} if newest else {}, stored)
    return kept.key


@pytest.mark.parametrize(
    ("newest", "second", "how", "key"),
    [
        (0, 1, AttemptRound.NONE, "a1"),
        (0, 1, EXACT, "a1"),
        (0, 9, EXACT, "b0001/a1"),
        (0, 9, NEWEST, "a1"),
        (0, 9, AttemptRound.NONE, "a1"),
        (1, 1, EXACT, "a1"),
        (1, 7, EXACT, "b0001/a1"),
        (1, 9, EXACT, "b0002/a1"),
        (1, 9, NEWEST, "b0001/a1"),
    ],
)
def test_a_second_one_at_another_moment_is_of_another_round(
    newest: int, second: int, how: AttemptRound, key: str
) -> None:
    stored = {(5, "a1"): after(1)} | ({(5, "b0001/a1"): after(7)} if newest else {})
    assert key_of(stored, newest, second, how) == key


def test_what_is_the_first_of_its_key_is_of_the_newest_round() -> None:
    assert key_of({}, 0, 3, EXACT) == "a1"
    assert key_of({(5, "b0002/a1"): after(7)}, 2, 9, NEWEST, key="a2") == "b0002/a2"
    assert key_of({(5, "a1"): after(1)}, 2, 9, EXACT) == "b0002/a1"


def test_what_follows_in_the_same_look_is_of_the_round_that_began() -> None:
    events = [
        event(5, key="a1/3-failed", at=after(9), attempt_round=EXACT),
        event(5, key="a2/0-retry", at=after(9), attempt_round=NEWEST),
        event(6, key="a1/3-failed", at=after(9), attempt_round=EXACT),
    ]
    stored = {(5, "a1/3-failed"): after(1)}
    keys = [(kept.seq, kept.key) for kept in in_rounds(events, {}, stored)]
    assert keys == [(5, "b0001/a1/3-failed"), (5, "b0001/a2/0-retry"), (6, "a1/3-failed")]


def test_rounds_sort_in_their_order() -> None:
    keys = [key_in(number, key) for number in (0, 1, 2, 10) for key in ("a1", "a2")]
    assert keys == sorted(keys)
    assert [round_of(key) for key in keys] == [0, 0, 1, 1, 2, 2, 10, 10]
