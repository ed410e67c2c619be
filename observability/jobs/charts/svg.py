"""A timeline as SVG, one fragment for each element, coloured by the classes of the sheet. Pure.

`left` and `width` are percentages of the picture, `top` is the upper edge of a lane in pixels. All
texts are escaped here.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Final

from console.pages.visible import visible
from observability.jobs.charts.elements import (
    Lane,
    Span,
    SpanKind,
    SpanOutcome,
)
from observability.jobs.charts.labels import glyph_for

TOP: Final = 22
LANE: Final = 24
WIDE: Final = 97.5
"""Percent of the picture that time takes: the rest is for the sign of the end."""
_MIDDLE: Final = LANE // 2
_NARROWEST: Final = 0.15

_GLYPHS: Final = {
    "ok": '<path d="M-4 0l3 3L4.500-3.500"/>',
    "bad": '<path d="M-3.500-3.500l7 7M3.500-3.500l-7 7"/>',
    "stopped": '<rect class="tl-solid" x="-3" y="-3" width="6" height="6"/>',
    "checkpoint": '<path class="tl-solid" d="M0-5L4.500 0 0 5-4.500 0z"/>',
    "signal": '<path class="tl-solid" d="M-4-3.500h8L0 4z"/>',
    "timer": '<circle r="4"/><path d="M0-2.200V0l1.600 1"/>',
    "child": '<path d="M-3.500-4.500v6h6M.500-1l2.500 2.500L.500 4"/>',
    "worker": '<circle cy="-1.800" r="2"/><path d="M-4 4.500c.4-5.500 7.600-5.500 8 0"/>',
    "hand": '<path d="M-3.500 5v-10h6.500l-1.800 2.700L3 .500h-6.500"/>',
    "limit": '<circle r="4"/><path d="M-2.800 2.800l5.600-5.600"/>',
    "dot": '<circle class="tl-solid" r="2"/>',
    "gap": '<path d="M-3-4.500v9M3-4.500v9" stroke-dasharray="2 1.500"/>',
}
_LEGEND: Final = {
    "ok": "succeeded",
    "bad": "failed",
    "stopped": "stopped",
    "checkpoint": "checkpoint",
    "signal": "signal or update",
    "timer": "timer",
    "child": "child",
    "worker": "worker took over",
    "hand": "intervention",
    "limit": "limit at work",
    "dot": "event",
    "gap": "gap",
    SpanKind.WHOLE: "the run",
    SpanKind.WAIT: "waiting",
    SpanKind.RUN: "attempt",
    SpanKind.UNSEEN: "attempt, its start unknown",
    SpanKind.BACKOFF: "backoff",
    SpanKind.THROTTLED: "throttled",
    SpanKind.DENIED: "denied",
    SpanKind.PAUSED: "paused",
}
DEFINITIONS: Final = (
    "<defs>"
    + "".join(f'<g id="tl-{name}">{drawing}</g>' for name, drawing in _GLYPHS.items())
    + '<pattern id="tl-hatch" width="5" height="5" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(45)"><rect class="tl-ground" width="5" height="5"/>'
    '<rect class="tl-line" width="2.2" height="5"/></pattern></defs>'
)


def tick(left: float, label: str, height: int) -> str:
    """A line of the axis with its label."""
    return (
        f'<line class="tl-grid" x1="{left:.2f}%" x2="{left:.2f}%" y1="16" y2="{height}"/>'
        f'<text class="tl-tick" x="{left:.2f}%" dx="3" y="12">{escape(label)}</text>'
    )


def ruler(top: int) -> str:
    """The faint line that a lane stands on."""
    y = top + LANE - 0.5
    return f'<line class="tl-ruler" x1="0" x2="100%" y1="{y}" y2="{y}"/>'


def now_edge(height: int) -> str:
    """The edge of now."""
    return f'<line class="tl-now" x1="{WIDE}%" x2="{WIDE}%" y1="0" y2="{height}"/>'


def gap(left: float, width: float, height: int, title: str) -> str:
    """A time in which nobody looked, over all lanes."""
    return (
        f'<rect class="tl-gap" x="{left:.2f}%" width="{max(width, _NARROWEST):.2f}%" y="16" '
        f'height="{height - 16}"><title>{escape(visible(title))}</title></rect>'
    )


def mark(glyph: str, left: float, top: int, title: str) -> str:
    """A point in time."""
    return (
        f'<use class="tl-mark tl-mark-{glyph}" href="#tl-{glyph}" x="{left:.2f}%" '
        f'y="{top + _MIDDLE}"><title>{escape(visible(title))}</title></use>'
    )


def span_bar(span: Span, left: float, width: float, top: int, title: str) -> str:
    """A span of time by its kind, with a sign where it ended well or badly."""
    tooltip = f"<title>{escape(visible(title[:1].upper() + title[1:]))}</title>"
    right = left + width
    if span.kind in (SpanKind.WAIT, SpanKind.BACKOFF):
        y = top + _MIDDLE
        body = (
            f'<line class="tl-{span.kind}" x1="{left:.2f}%" x2="{right:.2f}%" y1="{y}" '
            f'y2="{y}">{tooltip}</line>'
        )
    else:
        tone = " tl-is-bad" if span.outcome is SpanOutcome.BAD and span.kind in _ATTEMPTS else ""
        high = 6 if span.kind in _LAYERS else 12
        body = (
            f'<rect class="tl-{span.kind}{tone}" x="{left:.2f}%" '
            f'width="{max(width, _NARROWEST):.2f}%" y="{top + (LANE - high) // 2}" '
            f'height="{high}" rx="2">{tooltip}</rect>'
        )
    if span.outcome in (SpanOutcome.OK, SpanOutcome.BAD, SpanOutcome.STOPPED):
        body += (
            f'<use class="tl-end tl-end-{span.outcome}" href="#tl-{span.outcome}" x="{right:.2f}%" '
            f'y="{top + _MIDDLE}" transform="translate(8)"/>'
        )
    return body


_ATTEMPTS: Final = (SpanKind.RUN, SpanKind.UNSEEN)
_LAYERS: Final = (SpanKind.THROTTLED, SpanKind.DENIED, SpanKind.PAUSED)


def is_layer(span: Span) -> bool:
    """Whether it lies over other spans and has to be drawn after them."""
    return span.kind in _LAYERS


def legend(lanes: Iterable[Lane], *, gaps: bool) -> list[tuple[str, str]]:
    """The kinds of span and glyphs in use, as (name, label)."""
    used: set[str] = {"gap"} if gaps else set()
    for lane in lanes:
        used.update(span.kind.value for span in lane.spans)
        used.update(span.outcome.value for span in lane.spans)
        used.update(glyph_for(item.kind) for item in lane.marks)
    return [(str(name), label) for name, label in _LEGEND.items() if name in used]


def legend_sample(name: str) -> str:
    """A small picture of one sign, for the legend."""
    if name in _GLYPHS:
        inner = f'<use class="tl-mark tl-mark-{name}" href="#tl-{name}" x="9" y="7"/>'
    elif name in (SpanKind.WAIT, SpanKind.BACKOFF):
        inner = f'<line class="tl-{name}" x1="1" x2="17" y1="7" y2="7"/>'
    else:
        high = 6 if name in _LAYERS else 10
        inner = (
            f'<rect class="tl-{name}" x="1" width="16" y="{7 - high // 2}" height="{high}" rx="2"/>'
        )
    return f'<svg class="tl-sample" aria-hidden="true" width="18" height="14">{inner}</svg>'
