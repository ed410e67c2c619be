"""What looks at a pending activity and its history tell of its attempts: each once."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from temporalio.api.workflow.v1 import PendingActivityInfo

from console.clients.temporal.records import Failure, PendingActivity
from console.clients.temporal.runs import pending_activity
from observability.engines.contracts import RunEvent
from observability.engines.temporal.activities import pending_activity_events
from observability.engines.temporal.history import reduce_history
from observability.engines.temporal.runs import snapshot
from tests.observability.engines.temporal.memory_reader import Rows
from tests.observability.engines.temporal.test_history import BEGIN, event
from tests.observability.engines.temporal.test_visibility import row

BUSY = Failure("503", "application")
RUN = snapshot(row(1, BEGIN), "default")


def at(seconds: float | None) -> datetime | None:
    return None if seconds is None else BEGIN + timedelta(seconds=seconds)


def pending(attempt: int, *, began: float | None = None, ended: float | None) -> PendingActivity:
    """An activity that waits for an attempt, or, once it began, is at it."""
    return replace(
        pending_activity(PendingActivityInfo(activity_id="1")),
        type="pay",
        state="scheduled" if began is None else "started",
        attempt=attempt,
        started_at=at(began),
        attempt_ended_at=at(ended),
        failure=BUSY if attempt > 1 else None,
    )


def story(*looks: PendingActivity, history: tuple[int, int] | None = None) -> list[RunEvent]:
    """What is stored after these looks, and after a history with this attempt, begun then."""
    rows = Rows()
    for activity in looks:
        rows.keep(RUN, list(pending_activity_events(activity, scheduled=5, now=BEGIN)))
    if history is not None:
        attempt, second = history
        late = event(second, "activity_task_started", ref=5, attempt=attempt, failure=BUSY)
        rows.keep(RUN, reduce_history([late]).events)
    return rows.story(RUN)


def short(events: list[RunEvent]) -> list[tuple[str, int, datetime]]:
    return [(item.kind.value, item.attempt, item.at) for item in events]


FIRST = (
    pending(1, began=1, ended=None),
    pending(2, ended=2),
    pending(2, began=3, ended=2),
    pending(3, ended=4),
)
SECOND = (
    pending(1, ended=4),
    pending(1, began=11, ended=4),
    pending(2, ended=12),
    pending(2, began=13, ended=12),
)


def test_each_attempt_of_both_rounds_is_told_once_and_in_its_order() -> None:
    events = short(story(*FIRST, *SECOND, history=(2, 13)))
    assert events == [
        ("attempt_started", 1, at(1)),
        ("attempt_failed", 1, at(2)),
        ("retry", 2, at(2)),
        ("attempt_started", 2, at(3)),
        ("attempt_failed", 2, at(4)),
        ("retry", 3, at(4)),
        ("attempt_started", 1, at(11)),
        ("attempt_failed", 1, at(12)),
        ("retry", 2, at(12)),
        ("attempt_started", 2, at(13)),
    ]


def test_what_only_the_history_tells_is_of_the_last_round() -> None:
    events = short(story(*FIRST, *SECOND[:2], history=(2, 13)))
    assert events[-3:] == [
        ("attempt_started", 1, at(11)),
        ("attempt_failed", 1, at(13)),
        ("attempt_started", 2, at(13)),
    ]


def test_without_a_reset_keys_are_those_that_are_stored_since_ever() -> None:
    keys = [item.key for item in story(*FIRST[:3], history=(2, 3))]
    assert keys == [
        "a000001/1-started",
        "a000001/3-failed",
        "a000002/0-retry",
        "a000002/1-started",
    ]


def test_a_failure_whose_time_is_not_known_begins_no_round() -> None:
    paused = replace(pending(2, ended=None), scheduled_at=at(30))
    resumed = replace(paused, scheduled_at=at(60))
    assert short(story(paused, resumed)) == [
        ("attempt_failed", 1, at(30)),
        ("retry", 2, at(30)),
    ]
