"""Stretches and lanes of a timeline in words. Pure."""

from __future__ import annotations

from typing import Final

from console.pages.plural import plural
from observability.jobs.charts.elements import (
    End,
    Lane,
    Shape,
    Span,
)
from observability.jobs.charts.labels import kind_words, span

_SHAPES: Final = {
    Shape.WAIT: "waited",
    Shape.WHOLE: "ran",
    Shape.RUN: "ran",
    Shape.UNSEEN: "waited and ran (when it began was not recorded)",
    Shape.BACKOFF: "paused before the next attempt",
    Shape.THROTTLED: "throttled",
    Shape.DENIED: "denied",
    Shape.PAUSED: "paused",
    Shape.TIMER: "timer",
    Shape.CHILD: "child",
}
_ENDS: Final = {
    End.NONE: "",
    End.OK: "succeeded",
    End.BAD: "failed",
    End.STOPPED: "stopped",
    End.OPEN: "still going on",
}


def span_words(part: Span) -> str:
    """A stretch in words: "attempt 2 ran 8 s, failed: PaymentDown"."""
    subject = f"attempt {part.attempt} " if part.attempt else ""
    said = f"{subject}{_SHAPES[part.shape]} {span(part.seconds)}"
    if _ENDS[part.how]:
        said += f", {_ENDS[part.how]}"
    if part.note and (part.how is not End.OK or part.shape is not Shape.RUN):
        said += f": {short(part.note)}"
    return said


def lane_words(lane: Lane) -> str:
    """A lane in words, its first stretches each and the rest counted."""
    said = [span_words(part) for part in sorted(lane.spans, key=lambda part: part.start)[:8]]
    if len(lane.spans) > len(said):
        said.append(f"{plural(len(lane.spans) - len(said), 'stretch', 'stretches')} more")
    kinds: dict[str, int] = {}
    for mark in lane.marks:
        kinds[mark.kind] = kinds.get(mark.kind, 0) + 1
    said.extend(f"{kind_words(kind).lower()} × {number}" for kind, number in kinds.items())
    return "; ".join(said)


def short(text: str, most: int = 120) -> str:
    line = " ".join(text.split())
    return f"{line[:most]}…" if len(line) > most else line
