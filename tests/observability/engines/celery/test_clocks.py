"""Clocks that are off: of workers, of senders, of ours."""

from __future__ import annotations

from datetime import timedelta

import pytest

from console.clients.celery.records import CeleryEvent
from observability.engines.celery.clocks import Clocks, described
from observability.engines.celery.events import moment
from observability.engines.celery.runs import Fold
from observability.engines.contracts import RunSnapshot
from tests.observability.engines.celery.event_listener import T0, Rows, event, received, sent

HOUR = 3_600_000_000


def beats(clocks: Clocks, off: float, *, host: str = "w1@slow", number: int = 8) -> None:
    """Heartbeats over 16 seconds of a machine whose clock is so many seconds ahead."""
    for count in range(number):
        now_us = round((T0 + 2 * count) * 1e6)
        beat = event("worker-heartbeat", 0, "", host, freq=2.0)
        us = now_us + round(off * 1e6) - 200_000
        clocks.corrected([beat._replace(us=us, stamp=us, heard_us=now_us)])


def at(after: float, of: CeleryEvent, off: float) -> CeleryEvent:
    """An event that comes `after` seconds after T0 from a machine whose clock is ahead."""
    now_us = round((T0 + after) * 1e6)
    us = now_us + round(off * 1e6) - 100_000
    return of._replace(us=us, stamp=us, heard_us=now_us)


def a_run(clocks: Clocks, off: float) -> RunSnapshot:
    """Sent by a machine whose clock is right, run by one that is off."""
    events = [
        at(20, sent(0), 0),
        at(21, received(0, host="w1@slow"), off),
        at(22, event("task-started", 0, host="w1@slow"), off),
        at(25, event("task-succeeded", 0, host="w1@slow"), off),
    ]
    (run,) = Fold("sample").runs(clocks.corrected(events), Rows())
    return clocks.annotated(run)


@pytest.mark.parametrize("off", [-3600, -60, 60, 3600])
def test_a_clock_that_is_off_neither_stretches_nor_turns_a_run(off: float) -> None:
    clocks = Clocks()
    beats(clocks, off)
    run = a_run(clocks, off)
    assert run.closed_at is not None
    assert run.began_at is not None
    assert timedelta(seconds=4) < run.closed_at - run.created_at < timedelta(seconds=6)
    assert timedelta(seconds=1) < run.began_at - run.created_at < timedelta(seconds=3)
    kinds = [row.kind for row in sorted(run.events, key=lambda row: row.seq)]
    assert kinds == ["note", "created", "scheduled", "attempt_started", "succeeded"]
    (note,) = [row for row in run.events if row.kind == "note"]
    way = "ahead of" if off > 0 else "behind"
    words = {60: "1 min", 3600: "1 h"}[abs(int(off))]
    assert note.title == f"The clock of slow is {words} {way} ours"


def test_a_clock_that_is_right_is_left_alone() -> None:
    clocks = Clocks()
    beats(clocks, 0)
    run = a_run(clocks, 0)
    assert "note" not in [row.kind for row in run.events]


def test_what_a_reader_learnt_the_next_one_knows() -> None:
    first = Clocks()
    beats(first, -3600)
    again = a_run(Clocks(first.stored()), -3600)
    assert [row.seq for row in again.events] == [row.seq for row in a_run(first, -3600).events]


@pytest.mark.parametrize("junk", [None, [], {"slow": "x", 5: 6, "a": 10**30}, "text"])
def test_what_no_reader_stored_is_nothing(junk: object) -> None:
    assert Clocks(junk).stored() == {}


def test_events_that_were_held_back_and_come_at_once_say_nothing_of_a_clock() -> None:
    clocks = Clocks()
    now_us = round((T0 + 300) * 1e6)
    late = [
        received(after, uuid=f"u{after}")._replace(heard_us=now_us + after) for after in range(300)
    ]
    assert clocks.corrected(late) == late
    assert clocks.stored() == {}


def test_what_is_played_again_says_nothing_of_a_clock() -> None:
    clocks = Clocks()
    for after in range(100):
        old = received(after, uuid=f"u{after}")
        clocks.corrected([old._replace(heard_us=round((T0 + 4000 + after / 10) * 1e6))])
    assert clocks.stored() == {}


def test_one_event_from_the_future_moves_no_other() -> None:
    clocks = Clocks()
    beats(clocks, 0, host="w1@test")
    strange = at(20, received(0), 7200)
    fine = at(20, received(0, uuid="u2"), 0)
    first, second = clocks.corrected([strange, fine])
    assert first.us == strange.heard_us
    assert second == fine
    assert moment(first.us) <= moment(strange.heard_us)


def test_a_clock_that_was_set_right_is_no_more_corrected() -> None:
    clocks = Clocks()
    beats(clocks, -3600)
    assert clocks.stored()
    beats(clocks, 0, number=40)
    assert clocks.stored() == {}


@pytest.mark.parametrize(
    ("off", "words"),
    [(HOUR, "1 h behind"), (-HOUR - 60_000_000, "1 h 1 min ahead of"), (5_000_000, "5 s behind")],
)
def test_how_a_clock_is_off_is_said_in_words(off: int, words: str) -> None:
    assert described(off) == words
