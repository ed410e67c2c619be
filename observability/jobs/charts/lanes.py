"""Events as lanes: what each step waited for, tried and reached. Pure; one pass over the events.

A lane has spans (waiting, an attempt, the pause before the next one), layers over them (throttled,
denied, waiting for something named, paused) and marks. Whatever the order of the events, a span
never ends before it begins and nothing is raised: a trail may have holes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from observability.engines.contracts import EventKind
from observability.jobs.charts.elements import (
    Lane,
    Mark,
    RunTimes,
    Span,
    SpanKind,
    SpanOutcome,
    TimelineEvent,
)

_SPAN_KINDS: Final[Mapping[str, SpanKind]] = {
    EventKind.CREATED: SpanKind.WAIT,
    EventKind.SCHEDULED: SpanKind.WAIT,
    EventKind.STARTED: SpanKind.RUN,
    EventKind.ATTEMPT_STARTED: SpanKind.RUN,
    EventKind.RETRY: SpanKind.BACKOFF,
    EventKind.TIMER_STARTED: SpanKind.TIMER,
    EventKind.CHILD_STARTED: SpanKind.CHILD,
}
_LAYER_KINDS: Final[Mapping[str, SpanKind]] = {
    EventKind.WAITING: SpanKind.WAIT,
    EventKind.THROTTLED: SpanKind.THROTTLED,
    EventKind.DENIED: SpanKind.DENIED,
    EventKind.PAUSED: SpanKind.PAUSED,
}
_OUTCOMES: Final[Mapping[str, SpanOutcome]] = {
    EventKind.ATTEMPT_FAILED: SpanOutcome.BAD,
    EventKind.ATTEMPT_TIMED_OUT: SpanOutcome.BAD,
    EventKind.STEP_COMPLETED: SpanOutcome.OK,
    EventKind.TIMER_FIRED: SpanOutcome.OK,
    EventKind.CHILD_CLOSED: SpanOutcome.OK,
    EventKind.SUCCEEDED: SpanOutcome.OK,
    EventKind.FAILED: SpanOutcome.BAD,
    EventKind.TIMED_OUT: SpanOutcome.BAD,
    EventKind.LOST: SpanOutcome.BAD,
    EventKind.DELETED: SpanOutcome.BAD,
    EventKind.CANCELLED: SpanOutcome.STOPPED,
    EventKind.TERMINATED: SpanOutcome.STOPPED,
    EventKind.CONTINUED: SpanOutcome.STOPPED,
}
_ATTEMPTS: Final = frozenset(
    {
        EventKind.SCHEDULED,
        EventKind.ATTEMPT_STARTED,
        EventKind.ATTEMPT_FAILED,
        EventKind.ATTEMPT_TIMED_OUT,
        EventKind.RETRY,
        EventKind.STEP_COMPLETED,
    }
)
_KEEP_LAYER: Final = frozenset(
    {EventKind.SIGNAL, EventKind.UPDATE, EventKind.NOTE, EventKind.GAP, EventKind.CANCEL_REQUESTED}
)
_TRIED: Final = frozenset(
    {EventKind.ATTEMPT_STARTED, EventKind.ATTEMPT_FAILED, EventKind.ATTEMPT_TIMED_OUT}
)
_UNDRAWN: Final = frozenset({EventKind.NOTE, EventKind.CREATED, EventKind.STARTED})


class _LaneBuilder:
    """A lane while its events come in."""

    __slots__ = ("first", "last", "layer", "marks", "name", "span", "spans", "step")

    def __init__(self, step: str, name: str, at: datetime) -> None:
        self.step, self.name = step, name
        self.first = self.last = at
        self.spans: list[Span] = []
        self.marks: list[Mark] = []
        self.span: tuple[datetime, SpanKind, int, str] | None = None
        self.layer: tuple[datetime, SpanKind, str] | None = None

    def add(self, event: TimelineEvent) -> None:
        kind, at = event.kind, max(event.at, self.first)
        self.last = max(self.last, at)
        if kind in _LAYER_KINDS:
            self._layer(_LAYER_KINDS[kind], event, at)
            return
        if kind not in _KEEP_LAYER:
            self.end_layer(at)
        if kind in _SPAN_KINDS:
            self.end_span(at, SpanOutcome.NONE)
            self.span = (at, _SPAN_KINDS[kind], event.attempt, event.message or event.title)
        elif kind in _OUTCOMES:
            self._close(_OUTCOMES[kind], event, at)
        elif kind not in _UNDRAWN:
            self.marks.append(Mark(at, kind, event.message or event.title))

    def _layer(self, span_kind: SpanKind, event: TimelineEvent, at: datetime) -> None:
        note = event.message or event.title
        if span_kind is SpanKind.DENIED or span_kind is SpanKind.THROTTLED:
            self.marks.append(Mark(at, event.kind, note))
        if self.layer is not None and self.layer[1] is span_kind:
            return
        self.end_layer(at)
        self.layer = (at, span_kind, note)

    def _close(self, outcome: SpanOutcome, event: TimelineEvent, at: datetime) -> None:
        if outcome is SpanOutcome.OK and event.kind == EventKind.CHILD_CLOSED and event.message:
            outcome = SpanOutcome.BAD
        if self.span is not None and self.span[1] in (SpanKind.RUN, SpanKind.TIMER, SpanKind.CHILD):
            self.end_span(at, outcome, event.message)
            return
        if self.span is not None and event.kind in _ATTEMPTS:
            # It ran within this time; when it began was not recorded.
            self.span = (self.span[0], SpanKind.UNSEEN, event.attempt, "")
            self.end_span(at, outcome, event.message)
            return
        self.end_span(at, SpanOutcome.NONE)
        self.marks.append(Mark(at, event.kind, event.message or event.title))

    def end_span(self, at: datetime, outcome: SpanOutcome, note: str = "") -> None:
        if self.span is None:
            return
        start, span_kind, attempt, start_note = self.span
        self.spans.append(
            Span(start, max(at, start), span_kind, outcome, attempt, note or start_note)
        )
        self.span = None

    def end_layer(self, at: datetime, outcome: SpanOutcome = SpanOutcome.NONE) -> None:
        if self.layer is None:
            return
        start, span_kind, note = self.layer
        self.spans.append(Span(start, max(at, start), span_kind, outcome, 0, note))
        self.layer = None

    def build(self, until: datetime, *, is_open: bool) -> Lane:
        """What is still open reaches to `until`."""
        until = max(until, self.last)
        outcome = SpanOutcome.OPEN if is_open else SpanOutcome.NONE
        if self.span is not None or self.layer is not None:
            self.last = until
        self.end_span(until, outcome)
        self.end_layer(until, outcome)
        return Lane(
            step=self.step,
            name=self.name,
            spans=tuple(self.spans),
            marks=tuple(self.marks),
            first=self.first,
            last=self.last,
        )


# Where no step is named: what the row says better, and what begins or ends beside the run.
_MARKED: Final = frozenset(
    {
        EventKind.TIMER_STARTED,
        EventKind.TIMER_FIRED,
        EventKind.CHILD_STARTED,
        EventKind.CHILD_CLOSED,
    }
)
_OF_THE_RUN: Final = (
    frozenset({*_OUTCOMES, EventKind.CREATED, EventKind.STARTED}) - _MARKED - _ATTEMPTS
)


def make_lanes(times: RunTimes, events: Iterable[TimelineEvent], *, now: datetime) -> list[Lane]:
    """The lane of the run itself, then one per step in the order in which they appear.

    The first one is drawn from the run's row, which is there even when the trail has holes; what
    happened to no step in particular is marked on it.
    """
    until, tried = times.closed_at or max(now, times.created_at), False
    run_lane = _LaneBuilder("", "The run", times.created_at)
    steps: dict[str, _LaneBuilder] = {}
    for event in events:
        tried = tried or event.kind in _TRIED
        if event.step or event.kind in _ATTEMPTS:
            lane = steps.get(event.step)
            if lane is None:
                lane = steps[event.step] = _LaneBuilder(event.step, _name(event), event.at)
            lane.add(event)
            if event.kind == EventKind.ATTEMPT_STARTED:
                run_lane.end_layer(max(event.at, run_lane.first))
        elif event.kind in _MARKED:
            run_lane.marks.append(Mark(event.at, event.kind, event.message or event.title))
        elif event.kind not in _OF_THE_RUN:
            run_lane.add(event)
        elif event.kind in _OUTCOMES and "" in steps:
            # Attempts of no step, as Celery has them, end as the run does.
            steps[""].add(event)
    lanes = [_run_lane(run_lane, times, until, tried=tried)]
    lanes.extend(lane.build(until, is_open=times.is_open) for lane in steps.values())
    return lanes


def _name(event: TimelineEvent) -> str:
    """What a lane is called: timers have but a number, and Celery's attempts no step at all."""
    name = event.step_name or event.step or "Attempts"
    return f"Timer {name}" if event.kind == EventKind.TIMER_STARTED else name


def _run_lane(run_lane: _LaneBuilder, times: RunTimes, until: datetime, *, tried: bool) -> Lane:
    began = times.began_at
    if began is None and tried:
        run_lane.span = (times.created_at, SpanKind.UNSEEN, 0, "")
    elif began is None:
        run_lane.span = (times.created_at, SpanKind.WAIT, 0, "not started")
    else:
        if began > times.created_at:
            run_lane.spans.append(
                Span(times.created_at, began, SpanKind.WAIT, SpanOutcome.NONE, 0, "to start")
            )
        run_lane.span = (max(began, times.created_at), SpanKind.WHOLE, 0, "")
    if times.closed_at is not None:
        run_lane.end_layer(until)
        run_lane.end_span(until, _OUTCOMES.get(times.status, SpanOutcome.NONE))
        run_lane.last = max(run_lane.last, until)
    return run_lane.build(until, is_open=times.is_open)
