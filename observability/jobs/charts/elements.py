"""What a timeline is made of: events, spans of time, marks, lanes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from observability.engines.contracts import OPEN
from observability.jobs.charts.labels import glyph_for


class TimelineEvent(NamedTuple):
    """An event as the timeline needs it."""

    at: datetime
    kind: str
    step: str = ""
    step_name: str = ""
    attempt: int = 0
    title: str = ""
    message: str = ""
    actor: str = ""


class SpanKind(StrEnum):
    """What a span of time was spent on."""

    WHOLE = "whole"
    WAIT = "wait"
    RUN = "run"
    UNSEEN = "unseen"
    BACKOFF = "backoff"
    THROTTLED = "throttled"
    DENIED = "denied"
    PAUSED = "paused"
    TIMER = "timer"
    CHILD = "child"


class SpanOutcome(StrEnum):
    """How a span ended; open ones go on, and of `none` the end was not recorded."""

    NONE = ""
    OK = "ok"
    BAD = "bad"
    STOPPED = "stopped"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Span:
    """One span of a lane. `note` is the engine's message, `attempt` 0 where it has none."""

    start: datetime
    end: datetime
    kind: SpanKind
    outcome: SpanOutcome = SpanOutcome.NONE
    attempt: int = 0
    note: str = ""

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.end - self.start).total_seconds()


@dataclass(frozen=True, slots=True)
class Mark:
    """One point in time of a lane."""

    at: datetime
    kind: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Lane:
    """One step. `step` is its key in the events; of the run itself both are empty."""

    step: str
    name: str
    spans: tuple[Span, ...]
    marks: tuple[Mark, ...]
    first: datetime
    last: datetime

    @property
    def is_bad(self) -> bool:
        """Whether any attempt failed."""
        return any(span.outcome is SpanOutcome.BAD for span in self.spans) or any(
            glyph_for(mark.kind) == "bad" for mark in self.marks
        )

    @property
    def is_open(self) -> bool:
        """Whether it goes on."""
        return any(span.outcome is SpanOutcome.OPEN for span in self.spans)

    @property
    def seconds(self) -> float:
        """From its first moment to its last."""
        return (self.last - self.first).total_seconds()


@dataclass(frozen=True, slots=True)
class RunTimes:
    """What the row of the run says. `closed_at` None is open; `status` as in contracts.Status."""

    status: str
    created_at: datetime
    began_at: datetime | None
    closed_at: datetime | None

    @property
    def is_open(self) -> bool:
        """Whether it goes on."""
        return self.closed_at is None and self.status in OPEN
