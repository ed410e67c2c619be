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
    End,
    Lane,
    Mark,
    Moment,
    Outline,
    Shape,
    Span,
)

_SPANS: Final[Mapping[str, Shape]] = {
    EventKind.CREATED: Shape.WAIT,
    EventKind.SCHEDULED: Shape.WAIT,
    EventKind.STARTED: Shape.RUN,
    EventKind.ATTEMPT_STARTED: Shape.RUN,
    EventKind.RETRY: Shape.BACKOFF,
    EventKind.TIMER_STARTED: Shape.TIMER,
    EventKind.CHILD_STARTED: Shape.CHILD,
}
_LAYERS: Final[Mapping[str, Shape]] = {
    EventKind.WAITING: Shape.WAIT,
    EventKind.THROTTLED: Shape.THROTTLED,
    EventKind.DENIED: Shape.DENIED,
    EventKind.PAUSED: Shape.PAUSED,
}
_ENDS: Final[Mapping[str, End]] = {
    EventKind.ATTEMPT_FAILED: End.BAD,
    EventKind.ATTEMPT_TIMED_OUT: End.BAD,
    EventKind.STEP_COMPLETED: End.OK,
    EventKind.TIMER_FIRED: End.OK,
    EventKind.CHILD_CLOSED: End.OK,
    EventKind.SUCCEEDED: End.OK,
    EventKind.FAILED: End.BAD,
    EventKind.TIMED_OUT: End.BAD,
    EventKind.LOST: End.BAD,
    EventKind.DELETED: End.BAD,
    EventKind.CANCELLED: End.STOPPED,
    EventKind.TERMINATED: End.STOPPED,
    EventKind.CONTINUED: End.STOPPED,
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
_LAYERS_STAY: Final = frozenset(
    {EventKind.SIGNAL, EventKind.UPDATE, EventKind.NOTE, EventKind.GAP, EventKind.CANCEL_REQUESTED}
)
_UNDRAWN: Final = frozenset({EventKind.NOTE, EventKind.CREATED, EventKind.STARTED})


class _Making:
    """A lane while its events come in."""

    __slots__ = ("first", "last", "layer", "marks", "name", "span", "spans", "step")

    def __init__(self, step: str, name: str, at: datetime) -> None:
        self.step, self.name = step, name
        self.first = self.last = at
        self.spans: list[Span] = []
        self.marks: list[Mark] = []
        self.span: tuple[datetime, Shape, int, str] | None = None
        self.layer: tuple[datetime, Shape, str] | None = None

    def take(self, moment: Moment) -> None:
        kind, at = moment.kind, max(moment.at, self.first)
        self.last = max(self.last, at)
        if kind in _LAYERS:
            self._layer(_LAYERS[kind], moment, at)
            return
        if kind not in _LAYERS_STAY:
            self.end_layer(at)
        if kind in _SPANS:
            self.end_span(at, End.NONE)
            self.span = (at, _SPANS[kind], moment.attempt, moment.message or moment.title)
        elif kind in _ENDS:
            self._end(_ENDS[kind], moment, at)
        elif kind not in _UNDRAWN:
            self.marks.append(Mark(at, kind, moment.message or moment.title))

    def _layer(self, shape: Shape, moment: Moment, at: datetime) -> None:
        note = moment.message or moment.title
        if shape is Shape.DENIED or shape is Shape.THROTTLED:
            self.marks.append(Mark(at, moment.kind, note))
        if self.layer is not None and self.layer[1] is shape:
            return
        self.end_layer(at)
        self.layer = (at, shape, note)

    def _end(self, how: End, moment: Moment, at: datetime) -> None:
        if how is End.OK and moment.kind == EventKind.CHILD_CLOSED and moment.message:
            how = End.BAD
        if self.span is not None and self.span[1] in (Shape.RUN, Shape.TIMER, Shape.CHILD):
            self.end_span(at, how, moment.message)
            return
        if self.span is not None and moment.kind in _ATTEMPTS:
            # It ran within this time; when it began was not recorded.
            self.span = (self.span[0], Shape.UNSEEN, moment.attempt, "")
            self.end_span(at, how, moment.message)
            return
        self.end_span(at, End.NONE)
        self.marks.append(Mark(at, moment.kind, moment.message or moment.title))

    def end_span(self, at: datetime, how: End, note: str = "") -> None:
        if self.span is None:
            return
        start, shape, attempt, begun = self.span
        self.spans.append(Span(start, max(at, start), shape, how, attempt, note or begun))
        self.span = None

    def end_layer(self, at: datetime, how: End = End.NONE) -> None:
        if self.layer is None:
            return
        start, shape, note = self.layer
        self.spans.append(Span(start, max(at, start), shape, how, 0, note))
        self.layer = None

    def settle(self, until: datetime, *, goes_on: bool) -> Lane:
        """What is still open reaches to `until`."""
        until = max(until, self.last)
        how = End.OPEN if goes_on else End.NONE
        if self.span is not None or self.layer is not None:
            self.last = until
        self.end_span(until, how)
        self.end_layer(until, how)
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
_OWN: Final = frozenset({*_ENDS, EventKind.CREATED, EventKind.STARTED}) - _MARKED - _ATTEMPTS


def make_lanes(outline: Outline, moments: Iterable[Moment], *, now: datetime) -> list[Lane]:
    """The lane of the run itself, then one per step in the order in which they appear.

    The first one is drawn from the run's row, which is there even when the trail has holes; what
    happened to no step in particular is marked on it.
    """
    until = outline.closed_at or max(now, outline.created_at)
    whole = _Making("", "The run", outline.created_at)
    steps: dict[str, _Making] = {}
    for moment in moments:
        if moment.step or moment.kind in _ATTEMPTS:
            lane = steps.get(moment.step)
            if lane is None:
                lane = steps[moment.step] = _Making(moment.step, _name(moment), moment.at)
            lane.take(moment)
            if moment.kind == EventKind.ATTEMPT_STARTED:
                whole.end_layer(max(moment.at, whole.first))
        elif moment.kind in _MARKED:
            whole.marks.append(Mark(moment.at, moment.kind, moment.message or moment.title))
        elif moment.kind not in _OWN:
            whole.take(moment)
        elif moment.kind in _ENDS and "" in steps:
            # Attempts of no step, as Celery has them, end as the run does.
            steps[""].take(moment)
    lanes = [_outline_lane(whole, outline, until)]
    lanes.extend(lane.settle(until, goes_on=outline.is_open) for lane in steps.values())
    return lanes


def _name(moment: Moment) -> str:
    """What a lane is called: timers have but a number, and Celery's attempts no step at all."""
    name = moment.step_name or moment.step or "Attempts"
    return f"Timer {name}" if moment.kind == EventKind.TIMER_STARTED else name


def _outline_lane(whole: _Making, outline: Outline, until: datetime) -> Lane:
    began = outline.began_at
    if began is None:
        whole.span = (outline.created_at, Shape.WAIT, 0, "not started")
    else:
        if began > outline.created_at:
            whole.spans.append(Span(outline.created_at, began, Shape.WAIT, End.NONE, 0, "to start"))
        whole.span = (max(began, outline.created_at), Shape.WHOLE, 0, "")
    if outline.closed_at is not None:
        whole.end_layer(until)
        whole.end_span(until, _ENDS.get(outline.status, End.NONE))
        whole.last = max(whole.last, until)
    return whole.settle(until, goes_on=outline.is_open)
