"""How runs began, by the first event of their histories."""

from __future__ import annotations

from typing import Any

import pytest

from console.clients.temporal.records import Failure
from observability.engines.temporal.history import reduce_history
from observability.engines.temporal.history_runs import hold_of
from observability.engines.temporal.runs import from_history
from tests.observability.engines.temporal.test_history import event, ref

SCHEDULE: dict[str, Any] = {"schedule": "nightly", "scheduled_for": "2026-11-22T03:00:00Z"}


def began(attempt: int = 1, failure: Failure | None = None, **detail: Any) -> Any:
    return event(
        1,
        "workflow_execution_started",
        name="Chain",
        actor="w1",
        attempt=attempt,
        failure=failure,
        detail=detail,
    )


@pytest.mark.parametrize(
    ("first", "title", "started_by"),
    [
        (
            began(**SCHEDULE),
            "Chain was started by schedule nightly, for 2026-11-22T03:00:00Z",
            "schedule nightly",
        ),
        (began(**SCHEDULE, initiator="workflow"), "Chain goes on as new", "w1"),
        (
            began(2, **SCHEDULE, initiator="retry"),
            "Chain was started again by its retry policy: retry 1",
            "w1",
        ),
        (
            began(3, initiator="retry", cron="0 3 * * *"),
            "Chain was started again by its retry policy: retry 2",
            "w1",
        ),
        (began(cron="0 3 * * *", initiator="workflow"), "Chain goes on as new", "w1"),
        (
            began(cron="0 3 * * *", initiator="cron_schedule"),
            "Chain was started, with the cron schedule 0 3 * * *",
            "w1",
        ),
        (began(), "Chain was started", "w1"),
    ],
)
def test_a_run_that_goes_on_for_another_one_was_not_started_by_its_schedule(
    first: Any, title: str, started_by: str
) -> None:
    story = reduce_history([first])
    run = from_history(ref(), story)
    assert (story.events[0].title, run.started_by) == (title, started_by)
    assert story.events[0].detail == first.detail


def test_the_second_attempt_of_a_run_is_its_first_retry() -> None:
    boom = Failure("boom", "application", type="E")
    hold = hold_of(began(2, boom, initiator="retry", first_task_delay=60))
    assert hold is not None
    assert hold.reason == "retry 1 after E: boom"
