"""The timeline of a run as SVG text: lanes, a time axis, and the same in words. Pure.

Positions along the axis are percentages, so the picture fills whatever width it is given; lanes
have a fixed height. The names of the lanes stand beside it as text of the page.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from html import escape
from typing import Final

from console.pages.plural import plural
from observability.jobs.charts import svg
from observability.jobs.charts.descriptions import describe_lane, describe_span, shorten
from observability.jobs.charts.elements import (
    Lane,
    Mark,
    RunTimes,
    Span,
    SpanOutcome,
    TimelineEvent,
)
from observability.jobs.charts.labels import format_duration, glyph_for, kind_label
from observability.jobs.charts.lanes import make_lanes

MOST_LANES: Final = 60
MOST_MARKS: Final = 1500
_STEPS: Final = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800),
    *(3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600),
)
_MOST_TICKS: Final = 7


@dataclass(frozen=True, slots=True)
class Gap:
    """A time in which the engine was not read, and why."""

    starts_at: datetime
    ends_at: datetime
    cause: str = ""


@dataclass(frozen=True, slots=True)
class LaneSummary:
    """One lane as the page lists it beside the picture: its name, and what is drawn in words."""

    step: str
    name: str
    description: str
    is_bad: bool


@dataclass(frozen=True, slots=True)
class Timeline:
    """What is drawn, bounded, between `start` and `end`; `is_open` draws the edge of now."""

    lanes: tuple[Lane, ...]
    start: datetime
    end: datetime
    is_open: bool
    gaps: tuple[Gap, ...] = ()
    folded_lanes: int = 0
    folded_marks: int = 0

    @property
    def height(self) -> int:
        """Of the picture, in pixels."""
        return svg.TOP + len(self.lanes) * svg.LANE + 4

    @property
    def lane_summaries(self) -> list[LaneSummary]:
        """The lanes for the list beside the picture."""
        return [
            LaneSummary(lane.step, lane.name, describe_lane(lane), lane.is_bad)
            for lane in self.lanes
        ]

    @property
    def text(self) -> str:
        """The picture in one sentence, for readers who do not see it."""
        steps = self.lanes[1:]
        failed = sum(1 for lane in steps for span in lane.spans if span.outcome is SpanOutcome.BAD)
        saved = sum(1 for lane in self.lanes for mark in lane.marks if mark.kind == "checkpoint")
        parts = [f"Timeline of {format_duration((self.end - self.start).total_seconds())}"]
        parts.append(plural(len(steps), "step"))
        if failed:
            parts.append(f"{plural(failed, 'attempt')} failed")
        if saved:
            parts.append(plural(saved, "checkpoint"))
        if self.gaps:
            parts.append(f"{plural(len(self.gaps), 'gap')} in what we saw")
        if self.is_open:
            parts.append("still going on")
        return ", ".join(parts) + ". Each line is described beside it."

    @property
    def folded(self) -> str:
        """What is left out, and by which rule; empty when nothing is."""
        parts = []
        if self.folded_lanes:
            more = "more steps are" if self.folded_lanes > 1 else "more step is"
            parts.append(
                f"{self.folded_lanes:,} {more} not drawn: chosen were those that failed, then "
                "those still open, then the longest."
            )
        if self.folded_marks:
            parts.append(
                f"{self.folded_marks:,} attempts and marks are left out of the lines: kept were "
                "failures, the longest attempts, and of the rest every so-manieth."
            )
        return " ".join(parts)

    @property
    def glyphs(self) -> list[tuple[str, str]]:
        """The signs in use, as (name, label), for the legend."""
        return svg.legend(self.lanes, gaps=bool(self.gaps))

    def svg(self) -> str:
        """The picture as one SVG element."""
        text = escape(self.text, quote=True)
        body = [self._axis()]
        body.extend(self._gap(gap) for gap in self.gaps)
        for index, lane in enumerate(self.lanes):
            body.append(self._lane(lane, svg.TOP + index * svg.LANE))
        if self.is_open:
            body.append(svg.now_edge(self.height))
        return (
            f'<svg class="tl" role="img" aria-label="{text}" width="100%" '
            f'height="{self.height}">{svg.DEFINITIONS}{"".join(body)}</svg>'
        )

    def _at(self, moment: datetime) -> float:
        """Where a moment is, in percent; what lies outside is drawn at the edge."""
        seconds = (self.end - self.start).total_seconds()
        if seconds <= 0:
            return 0.0
        share = (moment - self.start).total_seconds() / seconds
        return min(max(share, 0.0), 1.0) * svg.WIDE

    def _axis(self) -> str:
        seconds = (self.end - self.start).total_seconds()
        return "".join(
            svg.tick(at / seconds * svg.WIDE if seconds else 0.0, label, self.height)
            for at, label in ticks(seconds)
        )

    def _gap(self, gap: Gap) -> str:
        left = self._at(gap.starts_at)
        title = (
            f"Gap of {format_duration((gap.ends_at - gap.starts_at).total_seconds())}: {gap.cause}"
        )
        return svg.gap(left, self._at(gap.ends_at) - left, self.height, title)

    def _lane(self, lane: Lane, top: int) -> str:
        out = [svg.ruler(top)]
        for span in sorted(lane.spans, key=svg.is_layer):
            left = self._at(span.start)
            width = self._at(span.end) - left
            out.append(svg.span_bar(span, left, width, top, self._describe_span(span)))
        for mark in lane.marks:
            title = f"{kind_label(mark.kind)} at {self._offset(mark.at)}"
            title += f": {shorten(mark.note)}" if mark.note else ""
            out.append(svg.mark(glyph_for(mark.kind), self._at(mark.at), top, title))
        return f"<g>{''.join(out)}</g>"

    def _offset(self, moment: datetime) -> str:
        return f"+{format_duration(max((moment - self.start).total_seconds(), 0))}"

    def _describe_span(self, span: Span) -> str:
        return f"{describe_span(span)}, from {self._offset(span.start)}"


def draw(
    times: RunTimes,
    events: Iterable[TimelineEvent],
    *,
    now: datetime,
    gaps: Iterable[Gap] = (),
) -> Timeline:
    """The timeline of a run from its events, oldest first."""
    lanes = make_lanes(times, events, now=now)
    end = times.closed_at or max(now, times.created_at)
    end = max(end, times.created_at)
    kept, folded = _most_relevant(lanes)
    downsampled = [_downsample(lane, MOST_MARKS // len(kept)) for lane in kept]
    return Timeline(
        lanes=tuple(lane for lane, _ in downsampled),
        start=times.created_at,
        end=end,
        is_open=times.is_open,
        gaps=tuple(gaps)[:MOST_LANES],
        folded_lanes=folded,
        folded_marks=sum(left for _, left in downsampled),
    )


def _most_relevant(lanes: Sequence[Lane]) -> tuple[list[Lane], int]:
    """The run's own lane and as many steps as fit, in their order; how many were left out."""
    if len(lanes) <= MOST_LANES:
        return list(lanes), 0
    ranked = sorted(
        range(1, len(lanes)),
        key=lambda index: (
            not lanes[index].is_bad,
            not lanes[index].is_open,
            -lanes[index].seconds,
        ),
    )
    chosen = sorted(ranked[: MOST_LANES - 1])
    return [lanes[0], *(lanes[index] for index in chosen)], len(lanes) - 1 - len(chosen)


def _downsample(lane: Lane, room: int) -> tuple[Lane, int]:
    """The lane with at most `room` spans and marks; how many were left out."""
    size = len(lane.spans) + len(lane.marks)
    if size <= room:
        return lane, 0
    spans = sorted(
        lane.spans, key=lambda span: (span.outcome is not SpanOutcome.BAD, -span.seconds)
    )
    spans = sorted(spans[: room - room // 3], key=lambda span: span.start)
    bad = [mark for mark in lane.marks if glyph_for(mark.kind) == "bad"]
    rest = [mark for mark in lane.marks if glyph_for(mark.kind) != "bad"]
    left = room - len(spans)
    marks = bad[:left]
    marks += _evenly_spread(rest, left - len(marks))
    return replace(lane, spans=tuple(spans), marks=tuple(marks)), size - len(spans) - len(marks)


def _evenly_spread(items: list[Mark], room: int) -> list[Mark]:
    """At most `room` of the items, evenly spread."""
    if room <= 0:
        return []
    step = -(-len(items) // room)
    return items[:: max(step, 1)]


def ticks(seconds: float) -> list[tuple[float, str]]:
    """Where the axis of so many seconds has its ticks, and their words."""
    if seconds <= 0:
        return [(0.0, "0")]
    step = next((size for size in _STEPS if seconds / size <= _MOST_TICKS), None)
    if step is None:
        step = _STEPS[-1] * -(-seconds // (_STEPS[-1] * _MOST_TICKS))
    # The last tenth is left to the end itself.
    places = [index * step for index in range(int(seconds / step) + 1)]
    return [
        (at, format_duration(at) if at else "0") for at in places if not at or at <= seconds * 0.94
    ]
