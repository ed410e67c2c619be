"""Times that cannot be are said to be so, and nothing is told to have taken less than no time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from observability.engines.contracts import (
    STATUS_TIMES,
    EventKind,
    RunEvent,
    RunSnapshot,
    Status,
)
from observability.engines.times import CLOCKS, FUTURE, OLDER, plausible
from observability.jobs.charts.elements import RunTimes
from observability.jobs.charts.headline import HeadlineInput, RunSummary, headline

CREATED = datetime(2026, 11, 29, 13, 10, tzinfo=UTC)
NOW = CREATED + timedelta(minutes=5)


def run(began: datetime | None, closed: datetime | None, *events: datetime) -> RunSnapshot:
    """A run that was created at CREATED and whose status says these times."""
    return RunSnapshot(
        external_id="wf",
        run_id="u1",
        location="acme",
        type="wf",
        status=Status.SUCCEEDED if closed else Status.RUNNING,
        created_at=CREATED,
        revision="1",
        began_at=began,
        closed_at=closed,
        events=tuple(
            RunEvent(f"k{number}", number, at, EventKind.NOTE, "x")
            for number, at in enumerate(events)
        ),
    )


def test_a_status_older_than_its_object_is_said_to_be_so() -> None:
    before = CREATED - timedelta(minutes=70)
    restored = plausible(run(before, before + timedelta(minutes=1), before), NOW)
    assert (restored.began_at, restored.closed_at) == (CREATED, CREATED)
    assert restored.attributes[STATUS_TIMES] == OLDER
    assert restored.events[0].at == before  # it happened when it did
    note = restored.events[-1]
    assert (note.kind, note.title) == (EventKind.NOTE, OLDER)
    assert "2026-11-29 13:10:00 UTC" in note.message
    assert "2026-11-29 12:00:00, 2026-11-29 12:01:00 UTC" in note.message


def test_an_end_that_is_still_to_come_is_none() -> None:
    future = datetime(2099, 1, 1, tzinfo=UTC)
    ended = plausible(run(CREATED, future, future), NOW)
    assert ended.closed_at == NOW
    assert ended.attributes[STATUS_TIMES] == FUTURE
    assert ended.events[0].at == NOW
    assert ended.events[0].detail["stated_at"] == future.isoformat()


def test_clocks_may_differ_a_little_without_a_word() -> None:
    early = CREATED - timedelta(seconds=2)
    begun = plausible(run(early, NOW + timedelta(seconds=2)), NOW)
    assert begun.began_at == CREATED
    assert begun.closed_at == NOW
    assert STATUS_TIMES not in begun.attributes
    assert begun.events == ()


def test_a_look_at_no_known_time_says_nothing_of_the_future() -> None:
    later = CREATED + timedelta(days=2)
    assert plausible(run(CREATED, later), CREATED).closed_at == later


def test_a_run_began_no_later_than_it_ended() -> None:
    ended = CREATED + timedelta(seconds=40)
    for now in (NOW, ended + timedelta(minutes=1), CREATED):
        ahead = plausible(run(CREATED + timedelta(seconds=310), ended), now)
        assert (ahead.began_at, ahead.closed_at) == (ended, ended)
        assert STATUS_TIMES not in ahead.attributes  # how long it took is known
        (note,) = ahead.events
        assert (note.kind, note.title) == (EventKind.NOTE, CLOCKS)
        assert "began at 2026-11-29 13:15:10 UTC and ended at 2026-11-29 13:10:40" in note.message


def test_a_beginning_that_is_still_to_come_leaves_known_how_long_it_will_take() -> None:
    going_on = plausible(run(NOW + timedelta(minutes=5), None), NOW)
    assert going_on.began_at == NOW
    assert STATUS_TIMES not in going_on.attributes
    assert [event.title for event in going_on.events] == [CLOCKS]


@pytest.mark.parametrize("by_node", [True, False])
def test_the_clock_of_a_node_makes_no_status_old(*, by_node: bool) -> None:
    behind, ended = CREATED - timedelta(minutes=5), CREATED + timedelta(seconds=40)
    for closed in (ended, None):
        begun = plausible(run(behind, closed), NOW, by_node=by_node)
        assert (begun.began_at, begun.closed_at) == (CREATED, closed)
        assert begun.attributes.get(STATUS_TIMES) == (None if by_node else OLDER)
        assert [event.title for event in begun.events] == [CLOCKS if by_node else OLDER]


def test_an_old_end_is_old_whatever_clock_its_beginning_is_by() -> None:
    behind = CREATED - timedelta(minutes=5)
    assert plausible(run(behind, behind), NOW, by_node=True).attributes[STATUS_TIMES] == OLDER


def test_a_run_that_was_put_right_once_stays_so() -> None:
    behind, ended = CREATED - timedelta(minutes=5), CREATED + timedelta(seconds=40)
    once = plausible(run(behind, ended), CREATED, by_node=True)
    assert plausible(once, NOW) == once


def test_the_headline_of_such_a_run_has_no_duration() -> None:
    times = RunTimes(Status.SUCCEEDED, CREATED, CREATED, CREATED)
    line = headline(HeadlineInput(times, status_times=OLDER), RunSummary(), now=NOW)
    assert (line.tone, line.lead) == ("good", "Succeeded")
    assert line.text == "Times of the status are older than the object."
