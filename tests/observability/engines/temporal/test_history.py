"""Stories from events, without a server."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.enums.v1 import EventType

from console.clients.temporal.records import Failure, Heartbeat, HistoryEvent
from observability.engines.contracts import (
    EventKind,
    FailureKind,
    RunRef,
    Status,
)
from observability.engines.temporal.activities import progress
from observability.engines.temporal.failures import kind_of, root_message
from observability.engines.temporal.history import reduce_history
from observability.engines.temporal.runs import (
    covers,
    from_history,
    refined,
    snapshot,
)
from tests.observability.engines.temporal.test_visibility import row

BEGIN = datetime(2026, 11, 22, tzinfo=UTC)
TYPES = [
    name.removeprefix("EVENT_TYPE_").lower()
    for name in EventType.keys()  # noqa: SIM118  # no mapping
    if name != "EVENT_TYPE_UNSPECIFIED"
]


def event(number: int, type_: str, **more: Any) -> HistoryEvent:
    return HistoryEvent(id=number, at=BEGIN + timedelta(seconds=number), type=type_, **more)


LOST = Failure(
    "activity Heartbeat timeout",
    "timeout",
    timeout="heartbeat",
    heartbeat=Heartbeat(({"next": 57, "total": 100},), "abc"),
)
REFUSED = Failure("card refused", "application", type="CardRefused", stack="line 1")
LATE = Failure("operation timed out", "timeout", timeout="schedule_to_close")
HANDLER = Failure("handler error", "nexus", type="BAD_REQUEST", cause=REFUSED)
WRAPPED = Failure("Activity task failed", "activity", type="charge", cause=REFUSED)


@given(st.lists(st.tuples(st.sampled_from(TYPES), st.integers(0, 30)), max_size=30))
def test_no_order_of_events_breaks_the_story(pairs: list[tuple[str, int]]) -> None:
    events = [event(n + 1, kind, ref=ref) for n, (kind, ref) in enumerate(pairs)]
    story = reduce_history(events)
    keys = [(item.seq, item.key) for item in story.events]
    assert all(item.title for item in story.events)
    assert len(keys) >= len(set(keys))
    run = refined(snapshot(row(1, BEGIN), "default"), story)
    assert not run.needs_history


def test_a_final_timeout_keeps_the_last_checkpoint() -> None:
    story = reduce_history(
        [
            event(5, "activity_task_scheduled", name="count", subject="1"),
            event(6, "activity_task_started", ref=5, attempt=3, actor="worker-1", failure=LOST),
            event(7, "activity_task_timed_out", ref=5, failure=LOST, state="timeout"),
        ]
    )
    kinds = [item.kind for item in story.events]
    assert kinds.count(EventKind.CHECKPOINT) == 2
    attempts = {item.attempt for item in story.events if item.kind is EventKind.CHECKPOINT}
    assert attempts == {2, 3}
    assert story.progress is not None
    assert (story.progress.done, story.progress.total) == (57, 100)
    assert story.attempts == 3
    last = story.events[-1]
    assert (last.kind, last.actor, last.step_name) == (
        EventKind.ATTEMPT_TIMED_OUT,
        "worker-1",
        "count",
    )


def test_a_task_that_left_its_sticky_queue_never_hides_the_heartbeat_that_was_lost() -> None:
    story = reduce_history(
        [
            event(5, "activity_task_scheduled", name="train", subject="1"),
            event(6, "activity_task_started", ref=5, attempt=2, actor="worker-1", failure=LOST),
            event(7, "activity_task_timed_out", ref=5, failure=LOST, state="timeout"),
            event(9, "workflow_task_timed_out", ref=8, state="schedule_to_start"),
        ]
    )
    assert (story.events[-1].kind, story.events[-1].title) == (
        EventKind.NOTE,
        "The worker that kept it in memory did not take its task: any worker may now",
    )
    ends = [item for item in story.events if item.kind is EventKind.ATTEMPT_TIMED_OUT]
    assert {item.step_name for item in ends} == {"train"}
    run = refined(replace(snapshot(row(1, BEGIN), "default"), status=Status.RUNNING), story)
    assert "schedule" not in run.failure
    assert story.stuck is None


def test_a_task_that_any_worker_could_take_was_kept_by_none() -> None:
    story = reduce_history(
        [
            event(8, "workflow_task_scheduled"),
            event(9, "workflow_task_timed_out", ref=8, state="schedule_to_start"),
            event(11, "workflow_task_timed_out", ref=10, state="schedule_to_start"),
        ]
    )
    assert [(item.kind, item.title) for item in story.events] == [
        (EventKind.NOTE, "No worker took its task in time"),
        (
            EventKind.NOTE,
            "The worker that kept it in memory did not take its task: any worker may now",
        ),
    ]
    assert story.stuck is None


def test_a_task_that_its_worker_did_not_finish_is_what_it_is_stuck_on() -> None:
    story = reduce_history([event(9, "workflow_task_timed_out", ref=8, state="start_to_close")])
    assert story.events[-1].kind is EventKind.ATTEMPT_TIMED_OUT
    assert story.stuck is not None


def test_the_end_of_a_history_says_nothing_about_workers_it_does_not_know() -> None:
    story = reduce_history([event(40, "workflow_task_completed", actor="a", build="1")], after=30)
    assert story.events == []
    story = reduce_history(
        [
            event(30, "workflow_task_completed", actor="a", build="1"),
            event(40, "workflow_task_completed", actor="a", build="1"),
            event(50, "workflow_task_completed", actor="b", build="2"),
            event(60, "workflow_task_completed", actor="b", build="3"),
        ],
        after=30,
    )
    assert [item.title for item in story.events] == [
        "Another worker took over",
        "The worker came back with another build",
    ]
    assert (story.worker, story.build) == ("b", "3")


def test_events_that_are_known_are_only_referred_to() -> None:
    story = reduce_history(
        [
            event(5, "activity_task_scheduled", name="count", subject="1"),
            event(31, "activity_task_completed", ref=5, actor="w"),
        ],
        after=30,
    )
    (only,) = story.events
    assert (only.title, only.step, only.step_name) == ("count completed", "activity-5", "count")


def ref(status: Status = Status.FAILED) -> RunRef:
    return RunRef(1, "w", "r", "default", status, "failed:9:9", BEGIN)


@pytest.mark.parametrize(
    ("events", "status", "failure", "kind"),
    [
        (
            [event(9, "workflow_execution_failed", failure=WRAPPED)],
            Status.FAILED,
            "CardRefused: card refused",
            FailureKind.APPLICATION,
        ),
        (
            [event(9, "workflow_execution_failed", failure=Failure("x", "activity", cause=LOST))],
            Status.FAILED,
            "Heartbeat timeout",
            FailureKind.TIMEOUT,
        ),
        (
            [event(9, "workflow_execution_failed", failure=Failure("x", "nexus", cause=REFUSED))],
            Status.FAILED,
            "CardRefused: card refused",
            FailureKind.APPLICATION,
        ),
        (
            [event(9, "workflow_execution_failed", failure=Failure("x", "nexus", cause=LATE))],
            Status.FAILED,
            "Schedule to close timeout",
            FailureKind.TIMEOUT,
        ),
        (
            [event(9, "workflow_execution_failed", failure=Failure("x", "nexus", cause=HANDLER))],
            Status.FAILED,
            "CardRefused: card refused",
            FailureKind.APPLICATION,
        ),
        (
            [event(9, "workflow_execution_failed", failure=Failure("no such one", "nexus"))],
            Status.FAILED,
            "no such one",
            FailureKind.OTHER,
        ),
        (
            [event(9, "workflow_execution_timed_out")],
            Status.TIMED_OUT,
            "The workflow's own time was over",
            FailureKind.DEADLINE,
        ),
        (
            [
                event(8, "workflow_task_failed", state="non_deterministic_error", failure=REFUSED),
                event(9, "workflow_execution_timed_out"),
            ],
            Status.TIMED_OUT,
            "The workflow's own time was over: CardRefused: card refused",
            FailureKind.NON_DETERMINISM,
        ),
        (
            [
                event(7, "workflow_task_failed", state="non_deterministic_error", failure=REFUSED),
                event(8, "workflow_task_completed"),
                event(9, "workflow_execution_completed"),
            ],
            Status.SUCCEEDED,
            "",
            FailureKind.NONE,
        ),
        (
            [event(9, "workflow_execution_terminated", actor="ops")],
            Status.TERMINATED,
            "Terminated",
            FailureKind.TERMINATED,
        ),
        (
            [event(9, "workflow_execution_canceled")],
            Status.CANCELLED,
            "",
            FailureKind.CANCELLED,
        ),
    ],
)
def test_a_run_ends_as_its_last_event_says(
    events: list[HistoryEvent], status: Status, failure: str, kind: FailureKind
) -> None:
    run = from_history(ref(), reduce_history(events))
    assert (run.status, run.failure, run.failure_kind) == (status, failure, kind)
    assert run.closed_at == BEGIN + timedelta(seconds=9)


def test_a_timeout_over_a_failure_names_both() -> None:
    over = Failure("too late", "timeout", timeout="schedule_to_close", cause=REFUSED)
    assert (
        root_message(over) == "Schedule to close timeout; last failure: CardRefused: card refused"
    )
    assert kind_of(over) is FailureKind.TIMEOUT


@pytest.mark.parametrize(
    "failure",
    [
        Failure("[TMPRL1100] Nondeterminism error: …", "application"),
        Failure("no", "application", type="NondeterminismError"),
        Failure("no", "application", type="Non-deterministic-error"),
    ],
)
def test_non_determinism_is_known_by_any_of_its_names(failure: Failure) -> None:
    assert kind_of(Failure("outer", "child", cause=failure)) is FailureKind.NON_DETERMINISM


def test_a_failure_without_words_is_told_by_its_type() -> None:
    assert root_message(Failure("", "application", type="Gone")) == "Gone"
    assert root_message(None) == ""


@pytest.mark.parametrize(
    ("details", "done", "total"),
    [
        (({"next": 5, "total": 9},), 5, 9),
        (({"done": 5.0, "of": 9},), 5, 9),
        ((5, 9), 5, 9),
        ((5,), 5, None),
        (("half-way",), None, None),
        ((), None, None),
        (({"next": True, "total": "9"},), None, None),
        (({"next": float("inf")},), None, None),
        (({"next": 2**60},), None, None),
        (([1, 2],), None, None),
    ],
)
def test_progress_is_read_where_the_details_are_numbers(
    details: tuple[Any, ...], done: int | None, total: int | None
) -> None:
    result = progress(Heartbeat(details, "x"), BEGIN)
    assert (result.done, result.total) == (done, total)
    assert len(result.text) <= 200


def test_a_stored_revision_covers_what_is_as_old() -> None:
    closed = row(1, BEGIN)
    assert covers("completed:3:2", closed)
    assert covers("completed:3:7", closed)
    assert not covers("running:3:9:1795", closed)
    assert not covers("completed:2:9", closed)
    assert not covers("", closed)
    assert not covers("completed:x", replace(closed, history_length=1))
