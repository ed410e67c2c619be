"""When the attempts of an activity that no workflow runs began and ended, by what it is described
with: only of its present, or last, attempt is anything known."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from temporalio.api.activity.v1 import ActivityExecutionInfo
from temporalio.api.workflowservice.v1 import DescribeActivityExecutionResponse

from console.clients.temporal.records import ActivityDescription, Failure
from console.clients.temporal.standalone import activity_description
from observability.engines.contracts import EventKind, RunEvent
from observability.engines.temporal.standalone import described, history_of
from tests.observability.engines.temporal.test_history import BEGIN


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def activity(
    status: str, attempt: int, began: float | None, ended: float | None, closed: float | None = None
) -> ActivityDescription:
    info = ActivityExecutionInfo(activity_id="alone", run_id="r", attempt=attempt)
    info.schedule_time.FromDatetime(BEGIN)
    answer = DescribeActivityExecutionResponse(info=info)
    description = activity_description(answer)
    state = "" if closed is not None else "scheduled" if status == "waits" else "started"
    return replace(
        description,
        row=replace(
            description.row,
            status="running" if closed is None else status,
            closed_at=None if closed is None else at(closed),
        ),
        activity=replace(
            description.activity,
            state=state,
            started_at=None if began is None else at(began),
            attempt_ended_at=None if ended is None else at(ended),
            failure=Failure("busy", "application") if attempt > 1 else None,
        ),
    )


def moments(description: ActivityDescription) -> list[tuple[EventKind, int, datetime]]:
    def of_attempt(event: RunEvent) -> bool:
        return event.attempt > 0 and event.step != ""

    events = filter(of_attempt, history_of(description, "default").events)
    return sorted((event.kind, event.attempt, event.at) for event in events)


def test_of_the_attempt_before_the_last_it_is_known_that_it_was_over_by_then() -> None:
    assert moments(activity("completed", 3, 6.1, 7.2, 7.2003)) == [
        (EventKind.ATTEMPT_FAILED, 2, at(6.1)),
        (EventKind.ATTEMPT_STARTED, 3, at(6.1)),
        (EventKind.RETRY, 3, at(6.1)),
        (EventKind.STEP_COMPLETED, 3, at(7.2003)),
    ]


def test_one_that_is_ended_while_it_waits_for_an_attempt_never_began_that() -> None:
    assert moments(activity("terminated", 2, 0.1, 1.2, 60)) == [
        (EventKind.ATTEMPT_FAILED, 1, at(1.2)),
        (EventKind.RETRY, 2, at(1.2)),
        (EventKind.STEP_COMPLETED, 2, at(60)),
    ]


def test_one_that_is_ended_at_work_keeps_the_end_of_the_attempt_before() -> None:
    assert moments(activity("terminated", 2, 4.0, 1.2, 60)) == [
        (EventKind.ATTEMPT_FAILED, 1, at(1.2)),
        (EventKind.ATTEMPT_STARTED, 2, at(4.0)),
        (EventKind.RETRY, 2, at(1.2)),
        (EventKind.STEP_COMPLETED, 2, at(60)),
    ]


@pytest.mark.parametrize(
    ("description", "began"),
    [
        (activity("runs", 1, 0.1, None), 0.1),
        (activity("waits", 2, 0.1, 1.2), 0.1),
        (activity("runs", 2, 3.2, 1.2), None),
        (activity("waits", 3, 3.2, 4.2), None),
        (activity("waits", 1, None, None), None),
        (activity("completed", 1, 0.1, 1.2, 1.2003), 0.1),
        (activity("completed", 3, 6.1, 7.2, 7.2003), None),
        (activity("terminated", 2, 0.1, 1.2, 60), 0.1),
        (activity("terminated", 1, None, None, 60), None),
    ],
)
def test_it_began_with_its_first_attempt(
    description: ActivityDescription, began: float | None
) -> None:
    expected = None if began is None else at(began)
    assert described(description, "default").began_at == expected
