"""Which steps are open at the end of a run's events."""

from __future__ import annotations

from hypothesis import given

from observability.engines.contracts import EventKind
from observability.jobs.charts.elements import TimelineEvent
from observability.jobs.charts.open_steps import describe_waits, open_steps
from tests.observability.jobs.charts.test_timeline import EVENTS, moments
from tests.observability.jobs.factories import retried, seen


def test_a_child_that_has_not_closed_is_open() -> None:
    started = seen(1, EventKind.CHILD_STARTED, 1, step="child-5", title="Child Mail started")
    assert len(open_steps(moments([started])).children) == 1
    closed = seen(2, EventKind.CHILD_CLOSED, 2, step="child-5")
    assert open_steps(moments([started, closed])).waits == ()


def test_an_attempt_that_failed_is_not_under_way() -> None:
    assert len(open_steps(moments(retried()[:3])).under_way) == 1
    assert open_steps(moments(retried()[:4])).under_way == ()


@given(events=EVENTS)
def test_any_events_can_be_described(events: list[TimelineEvent]) -> None:
    steps = open_steps(events)
    assert bool(describe_waits(steps)) == bool(steps.waits)
