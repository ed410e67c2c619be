"""Which steps of a run are open at the end of its events, and what for. Pure; one pass."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from console.pages.plural import plural
from observability.engines.contracts import EventKind
from observability.jobs.charts.elements import TimelineEvent

_BEGINS: Final = frozenset(
    {
        EventKind.SCHEDULED,
        EventKind.ATTEMPT_STARTED,
        EventKind.TIMER_STARTED,
        EventKind.CHILD_STARTED,
    }
)
_ENDS: Final = frozenset(
    {
        EventKind.STEP_COMPLETED,
        EventKind.ATTEMPT_FAILED,
        EventKind.ATTEMPT_TIMED_OUT,
        EventKind.TIMER_FIRED,
        EventKind.CHILD_CLOSED,
    }
)


@dataclass(frozen=True, slots=True)
class OpenSteps:
    """The event that each open step is at, the oldest first. `scheduled` ones wait to be started;
    one that waits for its next attempt is none of these (see RunSummary.retry)."""

    under_way: tuple[TimelineEvent, ...] = ()
    scheduled: tuple[TimelineEvent, ...] = ()
    timers: tuple[TimelineEvent, ...] = ()
    children: tuple[TimelineEvent, ...] = ()

    @property
    def waits(self) -> tuple[TimelineEvent, ...]:
        """What the run waits for when nothing of it is under way, the most telling first."""
        return () if self.under_way else (*self.scheduled, *self.children, *self.timers)


def open_steps(events: Iterable[TimelineEvent]) -> OpenSteps:
    """The steps that are open after these events, oldest first."""
    at: dict[str, TimelineEvent] = {}
    for event in events:
        if not event.step:
            continue
        if event.kind in _BEGINS:
            at[event.step] = event
        elif event.kind in _ENDS or _is_cancelled_timer(event, at.get(event.step)):
            at.pop(event.step, None)
    steps = sorted(at.values(), key=lambda event: event.at)

    def of_kind(kind: EventKind) -> tuple[TimelineEvent, ...]:
        return tuple(event for event in steps if event.kind == kind)

    return OpenSteps(
        under_way=of_kind(EventKind.ATTEMPT_STARTED),
        scheduled=of_kind(EventKind.SCHEDULED),
        timers=of_kind(EventKind.TIMER_STARTED),
        children=of_kind(EventKind.CHILD_STARTED),
    )


def _is_cancelled_timer(event: TimelineEvent, open_at: TimelineEvent | None) -> bool:
    """A note on a timer says that it is no more."""
    is_timer = open_at is not None and open_at.kind == EventKind.TIMER_STARTED
    return is_timer and event.kind == EventKind.NOTE


def describe_waits(steps: OpenSteps) -> str:
    """What a run waits for of which nothing is under way, in a sentence; empty when nothing is
    open."""
    waits = steps.waits
    if not waits:
        return ""
    first, rest = waits[0], len(waits) - 1
    what = first.title or first.step_name or first.step
    if first.kind == EventKind.SCHEDULED:
        what += ", not started yet"
    more = f", and {plural(rest, 'more step')}" if rest else ""
    return f"{what}{more}."
