"""Spans and lanes of a timeline in words. Pure."""

from __future__ import annotations

from typing import Final

from console.pages.plural import plural
from observability.jobs.charts.elements import (
    Lane,
    Span,
    SpanKind,
    SpanOutcome,
)
from observability.jobs.charts.labels import format_duration, kind_label

_SPAN_VERBS: Final = {
    SpanKind.WAIT: "waited",
    SpanKind.WHOLE: "ran",
    SpanKind.RUN: "ran",
    SpanKind.UNSEEN: "waited and ran (when it began was not recorded)",
    SpanKind.BACKOFF: "paused before the next attempt",
    SpanKind.THROTTLED: "throttled",
    SpanKind.DENIED: "denied",
    SpanKind.PAUSED: "paused",
    SpanKind.TIMER: "timer",
    SpanKind.CHILD: "child",
}
_OUTCOME_LABELS: Final = {
    SpanOutcome.NONE: "",
    SpanOutcome.OK: "succeeded",
    SpanOutcome.BAD: "failed",
    SpanOutcome.STOPPED: "stopped",
    SpanOutcome.OPEN: "still going on",
}


def describe_span(span: Span) -> str:
    """A span in words: "attempt 2 ran 8 s, failed: PaymentDown"."""
    subject = f"attempt {span.attempt} " if span.attempt else ""
    text = f"{subject}{_SPAN_VERBS[span.kind]} {format_duration(span.seconds)}"
    if _OUTCOME_LABELS[span.outcome]:
        text += f", {_OUTCOME_LABELS[span.outcome]}"
    if span.note and (span.outcome is not SpanOutcome.OK or span.kind is not SpanKind.RUN):
        text += f": {shorten(span.note)}"
    return text


def describe_lane(lane: Lane) -> str:
    """A lane in words, its first spans each and the rest counted."""
    parts = [describe_span(span) for span in sorted(lane.spans, key=lambda span: span.start)[:8]]
    if len(lane.spans) > len(parts):
        parts.append(f"{plural(len(lane.spans) - len(parts), 'stretch', 'stretches')} more")
    kinds: dict[str, int] = {}
    for mark in lane.marks:
        kinds[mark.kind] = kinds.get(mark.kind, 0) + 1
    parts.extend(f"{kind_label(kind).lower()} × {number}" for kind, number in kinds.items())
    return "; ".join(parts)


def shorten(text: str, most: int = 120) -> str:
    """The text on one line, cut after `most` characters."""
    line = " ".join(text.split())
    return f"{line[:most]}…" if len(line) > most else line
