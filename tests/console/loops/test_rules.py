"""What late loops mean, in words: since when, why, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from console.loops.contracts import BEAT, INGEST, PROBE, QUEUE, SWEEP, TICK, LoopStatus
from console.loops.rules import LoopReport, interruption_notes

NOW = datetime(2026, 3, 1, 13, 45, tzinfo=UTC)
FOUR = NOW - timedelta(minutes=4)
NAMES = {BEAT: 10.0, TICK: 5.0, INGEST: 10.0, "usage": 120.0}


def report(*late: str, never: Iterable[str] = (), targets: Iterable[LoopStatus] = ()) -> LoopReport:
    """Everything runs but for what is named."""
    named = [
        LoopStatus(name, every, None if name in never else FOUR if name in late else NOW)
        for name, every in NAMES.items()
    ]
    return LoopReport([*named, *targets], NOW)


def sentences(loops: LoopReport, targets: set[str] | None = None) -> list[str]:
    """The notes' first sentences."""
    return [f"{note.what} {note.at}: {note.why}" for note in loops.notes(targets)]


def test_nothing_is_said_while_everything_runs() -> None:
    assert report().notes() == ()
    assert report().unchecked == frozenset()


@pytest.mark.parametrize(
    ("late", "why", "start"),
    [
        ((BEAT, TICK, INGEST), "the scheduler is not running", "celery -A console beat"),
        (
            (BEAT, TICK),
            "neither the scheduler nor a worker is running, or the broker is away",
            "celery -A console beat",
        ),
        ((TICK,), "no worker takes the scheduler's tasks", "celery -A console worker"),
    ],
)
def test_when_nothing_checks_the_limits_it_says_since_when_why_and_what_to_start(
    late: tuple[str, ...], why: str, start: str
) -> None:
    first = report(*late).notes()[0]
    assert (first.what, first.since, first.at) == (
        "Nothing has checked the limits",
        FOUR,
        "13:41 UTC",
    )
    assert (first.why, first.start, first.tone) == (why, start, "bad")
    assert "Leases that end" in first.more


def test_a_scheduler_that_somebody_stands_in_for_is_a_warning() -> None:
    (note,) = report(BEAT).notes()
    assert (note.what, note.tone) == ("The scheduler has not run", "warn")
    assert "still checked" in note.more


def test_what_never_ran_is_said_without_a_moment() -> None:
    note = report(never=(BEAT, TICK, INGEST)).notes()[0]
    assert (note.since, note.at) == (None, "")


def test_a_target_that_is_not_compared_is_named_while_the_rounds_go_on() -> None:
    lab = [LoopStatus(SWEEP, 30.0, FOUR, target="lab"), LoopStatus(SWEEP, 30.0, NOW, target="eu")]
    assert sentences(report(targets=lab)) == [
        "lab has not been compared with what is intended 13:41 UTC: comparing fails or hangs"
    ]
    assert sentences(report(targets=lab), {"eu"}) == []
    assert report(targets=lab).unchecked == {"lab"}


def test_probing_and_pushing_that_stand_still_are_named_too() -> None:
    lab = [LoopStatus(PROBE, 30.0, FOUR, target="lab"), LoopStatus(QUEUE, 3.0, FOUR, target="lab")]
    first, second = sentences(report(targets=lab), {"lab"})
    assert first.startswith("lab has not been probed")
    assert second.startswith("lab has changes that nobody has pushed")


def test_when_the_rounds_have_stopped_no_target_is_claimed_to_be_as_intended() -> None:
    lab = [LoopStatus(SWEEP, 60.0, NOW, target="lab")]
    assert report(TICK, targets=lab).unchecked == {"lab"}
    assert report(BEAT, targets=lab).unchecked == frozenset()


def test_jobs_that_are_not_read_and_other_rounds_concern_the_overview_alone() -> None:
    late = LoopReport(
        [LoopStatus(INGEST, 10.0, FOUR), LoopStatus("usage", 60.0, FOUR),
         LoopStatus("made-up", 60.0, FOUR)],
        NOW,
    )  # fmt: skip
    assert sentences(late) == [
        "Jobs have not been read 13:41 UTC: the ingest process is not running",
        "No sample of use has been taken 13:41 UTC: the task fails, or waits for a worker",
        "The round made-up has not run 13:41 UTC: the task fails, or waits for a worker",
    ]
    assert sentences(late, {"lab"}) == []


def test_what_was_interrupted_in_the_last_ten_minutes_is_told_the_latest_first() -> None:
    moments = {
        "worker": NOW - timedelta(seconds=70),
        "broker": NOW - timedelta(seconds=3),
        "ingest": NOW - timedelta(minutes=10, seconds=1),
        "beat": None,
        "of a version to come": NOW,
    }
    notes = interruption_notes(moments, NOW)
    assert [note.what for note in notes] == [
        "the worker lost its connection to the broker",
        "a worker was started",
    ]
    assert notes[1].clock == f"{NOW - timedelta(seconds=70):%H:%M:%S} UTC"


@pytest.mark.parametrize(
    ("beat_seconds", "why"),
    [
        (9, "no worker takes the scheduler's tasks"),
        (41, "the scheduler is not running"),
    ],
)
def test_a_worker_is_not_blamed_while_the_scheduler_is_silent_though_not_late_yet(
    beat_seconds: int, why: str
) -> None:
    ages = {BEAT: beat_seconds, TICK: 42, INGEST: 3}
    loops = LoopReport(
        [LoopStatus(name, NAMES[name], NOW - timedelta(seconds=age)) for name, age in ages.items()],
        NOW,
    )
    assert [status.name for status in loops.late] == [TICK]
    assert [note.why for note in loops.notes()] == [why]
