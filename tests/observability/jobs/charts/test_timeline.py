"""The timeline: what is drawn for which events, and that nothing breaks it or makes it huge."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observability.engines.contracts import EventKind, RunEvent, Status
from observability.jobs.charts.descriptions import describe_lane
from observability.jobs.charts.elements import (
    Lane,
    RunTimes,
    SpanKind,
    SpanOutcome,
    TimelineEvent,
)
from observability.jobs.charts.timeline import (
    MOST_LANES,
    MOST_MARKS,
    Gap,
    Timeline,
    draw,
    ticks,
)
from tests.observability.jobs.factories import NOON, after, long_history, retried, seen

MINUTE = after(60)


def moments(events: list[RunEvent]) -> list[TimelineEvent]:
    """Events as the picture gets them."""
    return [
        TimelineEvent(e.at, e.kind, e.step, e.step_name, e.attempt, e.title, e.message, e.actor)
        for e in events
    ]


def picture(
    events: list[RunEvent],
    *,
    status: Status = Status.SUCCEEDED,
    closed: float | None = 60,
    began: float | None = 1,
    now: datetime = MINUTE,
    gaps: tuple[Gap, ...] = (),
) -> Timeline:
    """The timeline of a run that began a second after noon."""
    outline = RunTimes(
        status,
        NOON,
        None if began is None else after(began),
        None if closed is None else after(closed),
    )
    return draw(outline, moments(events), now=now, gaps=gaps)


def shapes(lane: Lane) -> list[tuple[SpanKind, float, float, SpanOutcome]]:
    """The spans of a lane as (shape, start, end, how) in seconds after noon."""
    return [
        (
            part.kind,
            (part.start - NOON).total_seconds(),
            (part.end - NOON).total_seconds(),
            part.outcome,
        )
        for part in lane.spans
    ]


def test_a_step_that_was_retried_waits_tries_backs_off_and_tries_again() -> None:
    lane = picture(retried()).lanes[1]
    assert lane.name == "charge-card"
    assert shapes(lane) == [
        (SpanKind.WAIT, 0, 10, SpanOutcome.NONE),
        (SpanKind.RUN, 10, 18, SpanOutcome.BAD),
        (SpanKind.BACKOFF, 18, 28, SpanOutcome.NONE),
        (SpanKind.RUN, 28, 40, SpanOutcome.OK),
    ]
    assert [mark.kind for mark in lane.marks] == [EventKind.CHECKPOINT]
    assert describe_lane(lane) == (
        "waited 10 s: Scheduled; attempt 1 ran 8 s, failed: PaymentDown: 503; "
        "attempt 2 paused before the next attempt 10 s: Retry; attempt 2 ran 12 s, succeeded; "
        "checkpoint × 1"
    )


def test_an_attempt_whose_start_was_not_recorded_is_not_drawn_as_waiting() -> None:
    events = [
        seen(1, EventKind.SCHEDULED, 2, step="a"),
        seen(2, EventKind.ATTEMPT_TIMED_OUT, 9, step="a", attempt=1),
        seen(3, EventKind.ATTEMPT_STARTED, 9, step="a", attempt=2),
    ]
    lane = picture(events).lanes[1]
    assert shapes(lane)[0] == (SpanKind.UNSEEN, 2, 9, SpanOutcome.BAD)
    assert "when it began was not recorded" in describe_lane(lane)


def test_a_run_that_was_tried_is_not_drawn_as_waiting_though_its_start_is_not_known() -> None:
    events = [
        seen(1, EventKind.SCHEDULED, 0, step="a"),
        seen(2, EventKind.ATTEMPT_STARTED, 9, step="a", attempt=3),
    ]
    lane = picture(events, began=None).lanes[0]
    assert shapes(lane) == [(SpanKind.UNSEEN, 0, 60, SpanOutcome.OK)]
    lane = picture(events[:1], began=None, status=Status.CANCELLED).lanes[0]
    assert shapes(lane) == [(SpanKind.WAIT, 0, 60, SpanOutcome.STOPPED)]


def test_a_timer_is_called_one() -> None:
    events = [
        seen(1, EventKind.TIMER_STARTED, 2, step="timer-5", step_name="1"),
        seen(2, EventKind.TIMER_FIRED, 9, step="timer-5", step_name="1"),
    ]
    lane = picture(events).lanes[1]
    assert (lane.name, shapes(lane)) == ("Timer 1", [(SpanKind.TIMER, 2, 9, SpanOutcome.OK)])


def test_attempts_of_no_step_end_as_the_run_does() -> None:
    events = [
        seen(1, EventKind.ATTEMPT_STARTED, 5, attempt=1),
        seen(2, EventKind.ATTEMPT_FAILED, 9, attempt=1),
        seen(3, EventKind.ATTEMPT_STARTED, 20, attempt=2),
        seen(4, EventKind.LOST, 30),
    ]
    lane = picture(events, status=Status.LOST).lanes[1]
    assert lane.name == "Attempts"
    assert shapes(lane) == [
        (SpanKind.RUN, 5, 9, SpanOutcome.BAD),
        (SpanKind.RUN, 20, 30, SpanOutcome.BAD),
    ]


def test_the_run_itself_is_drawn_from_its_row_even_without_events() -> None:
    (lane,) = picture([], status=Status.FAILED).lanes
    assert shapes(lane) == [
        (SpanKind.WAIT, 0, 1, SpanOutcome.NONE),
        (SpanKind.WHOLE, 1, 60, SpanOutcome.BAD),
    ]


def test_an_open_run_reaches_to_now() -> None:
    shown = picture(
        [seen(1, EventKind.ATTEMPT_STARTED, 5, step="a")],
        status=Status.RUNNING,
        closed=None,
        now=after(90),
    )
    assert [lane.spans[-1].end for lane in shown.lanes] == [after(90), after(90)]
    assert all(lane.is_open for lane in shown.lanes)
    assert "tl-now" in shown.svg()
    assert "still going on" in shown.text


def test_a_run_that_nothing_took_up_only_waits() -> None:
    (lane,) = picture([], status=Status.WAITING, closed=None, began=None).lanes
    assert shapes(lane) == [(SpanKind.WAIT, 0, 60, SpanOutcome.OPEN)]


def test_denials_lie_over_the_run_until_an_attempt_starts() -> None:
    events = [
        seen(1, EventKind.DENIED, 10),
        seen(2, EventKind.DENIED, 20),
        seen(3, EventKind.ATTEMPT_STARTED, 30, step="pod"),
    ]
    lane = picture(events).lanes[0]
    assert (SpanKind.DENIED, 10, 30, SpanOutcome.NONE) in shapes(lane)
    assert len(lane.marks) == 2


def test_throttling_and_pauses_are_told_apart_from_waiting() -> None:
    events = [
        seen(1, EventKind.SCHEDULED, 1, step="a"),
        seen(2, EventKind.THROTTLED, 2, step="a"),
        seen(3, EventKind.ATTEMPT_STARTED, 9, step="a"),
        seen(4, EventKind.PAUSED, 20),
        seen(5, EventKind.RESUMED, 30),
    ]
    shown = picture(events)
    assert (SpanKind.THROTTLED, 2, 9, SpanOutcome.NONE) in shapes(shown.lanes[1])
    assert (SpanKind.PAUSED, 20, 30, SpanOutcome.NONE) in shapes(shown.lanes[0])
    svg = shown.svg()
    assert 'class="tl-throttled"' in svg
    assert 'class="tl-paused"' in svg


def test_a_gap_is_drawn_over_all_lanes_and_said() -> None:
    shown = picture(retried(), gaps=(Gap(after(20), after(25), "broker away"),))
    assert "Gap of 5 s: broker away" in shown.svg()
    assert "1 gap in what we saw" in shown.text
    assert ("gap", "gap") in shown.glyphs


def test_the_text_says_what_the_picture_shows() -> None:
    assert picture(retried()).text.startswith(
        "Timeline of 1 min, 1 step, 1 attempt failed, 1 checkpoint"
    )


def test_many_steps_are_folded_failed_ones_kept_first() -> None:
    events = long_history(1000)
    shown = picture(events, closed=1000)
    assert len(shown.lanes) == MOST_LANES
    assert shown.folded_lanes == 1000 - (MOST_LANES - 1)
    assert all(lane.is_bad for lane in shown.lanes[1:])
    assert shown.folded.startswith("941 more steps are not drawn")


def test_many_marks_of_one_step_are_thinned_and_counted() -> None:
    events = [seen(n, EventKind.CHECKPOINT, n / 100, step="a") for n in range(1, 5001)]
    shown = picture(events)
    assert sum(len(lane.marks) for lane in shown.lanes) <= MOST_MARKS // 2
    assert shown.folded_marks == 5000 - len(shown.lanes[1].marks)
    assert "left out of the lines" in shown.folded


def test_failures_survive_the_thinning() -> None:
    events = []
    for n in range(2000):
        events.append(seen(2 * n + 1, EventKind.ATTEMPT_STARTED, n, step="a", attempt=n))
        kind = EventKind.ATTEMPT_FAILED if n == 1234 else EventKind.STEP_COMPLETED
        events.append(seen(2 * n + 2, kind, n + 0.5, step="a", attempt=n))
    lane = picture(events, closed=2000).lanes[1]
    assert [part.attempt for part in lane.spans if part.outcome is SpanOutcome.BAD] == [1234]


def test_hostile_texts_are_escaped() -> None:
    evil = '<script>alert("1")</script>&'
    events = [seen(1, EventKind.SIGNAL, 1, message=evil, step=evil, step_name=evil, title=evil)]
    svg = picture(events, gaps=(Gap(after(1), after(2), evil),)).svg()
    assert "<script" not in svg
    ET.fromstring(svg)  # noqa: S314 - our own


@pytest.mark.parametrize("seconds", [0, 0.0001, 0.5, 1, 59, 61, 3600, 86400, 40 * 86400, 10**9])
def test_the_axis_has_a_few_ticks_whatever_its_length(seconds: float) -> None:
    marks = ticks(seconds)
    assert 1 <= len(marks) <= 8
    assert marks[0] == (0.0, "0")
    assert [at for at, _ in marks] == sorted({at for at, _ in marks})


TIMES = st.integers(-(10**6), 10**6).map(lambda n: NOON + timedelta(seconds=n / 7))
EVENTS = st.lists(
    st.builds(
        TimelineEvent,
        at=TIMES,
        kind=st.one_of(st.sampled_from(list(EventKind)), st.text(max_size=5)),
        step=st.sampled_from(["", "a", "b", "<c>"]),
        step_name=st.text(max_size=8),
        attempt=st.integers(0, 9),
        title=st.text(max_size=20),
        message=st.text(max_size=20),
        actor=st.text(max_size=5),
    ),
    max_size=120,
)


@given(
    events=EVENTS,
    status=st.sampled_from(list(Status)),
    began=st.none() | TIMES,
    closed=st.none() | TIMES,
    now=TIMES,
)
def test_no_sequence_of_events_breaks_the_picture(
    events: list[TimelineEvent],
    status: Status,
    began: datetime | None,
    closed: datetime | None,
    now: datetime,
) -> None:
    shown = draw(RunTimes(status, NOON, began, closed), events, now=now)
    svg = shown.svg()
    assert len(shown.lanes) <= MOST_LANES
    assert all(part.end >= part.start for lane in shown.lanes for part in lane.spans)
    assert all(0 <= shown._at(mark.at) <= 100 for lane in shown.lanes for mark in lane.marks)
    assert svg.count("<use") + svg.count("<rect") <= 3 * MOST_MARKS
    assert shown.text
    assert shown.lane_summaries
    ET.fromstring(svg)  # noqa: S314 - our own
