"""History events, rows and descriptions as plain values."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from temporalio.api.enums.v1 import (
    CancelExternalWorkflowExecutionFailedCause,
    EventType,
    SignalExternalWorkflowExecutionFailedCause,
    TaskQueueKind,
)
from temporalio.api.history.v1 import HistoryEvent as ProtoEvent
from temporalio.api.workflow.v1 import PendingActivityInfo, WorkflowExecutionInfo

from console.clients.temporal.events import (
    LEAST_ROOM,
    ROOM,
    is_closing,
    room_for,
    translate,
)
from console.clients.temporal.history_reader import REVERSE_PAGE, reaches_back
from console.clients.temporal.records import HistoryEvent
from console.clients.temporal.runs import pending_activity, visibility_row

QUIET = {"EVENT_TYPE_UNSPECIFIED"}
SIGNAL = "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE"
CANCEL = "CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE"
NAMES = [name for name in EventType.keys() if name not in QUIET]  # noqa: SIM118  # no mapping


def event(name: str, number: int = 7) -> ProtoEvent:
    made = ProtoEvent(event_id=number, event_type=EventType.Value(name))
    made.event_time.FromNanoseconds(1_795_000_000_123_456_789)
    attribute = f"{name.removeprefix('EVENT_TYPE_').lower()}_event_attributes"
    getattr(made, attribute).SetInParent()
    return made


def one(made: ProtoEvent) -> HistoryEvent:
    (history_event,) = translate([made], ROOM)
    return history_event


@pytest.mark.parametrize("name", NAMES)
def test_every_type_of_event_can_be_told(name: str) -> None:
    history_event = one(event(name))
    assert history_event.type == name.removeprefix("EVENT_TYPE_").lower()
    assert history_event.id == 7
    assert history_event.at == datetime(2026, 11, 18, 11, 6, 40, 123456, tzinfo=UTC)


def test_a_type_from_the_future_is_told_by_its_number() -> None:
    made = ProtoEvent(event_id=1, event_type=999)  # type: ignore[arg-type]  # from the wire
    assert one(made).type == "event_type_999"


def test_a_task_on_the_queue_of_one_worker_is_no_news() -> None:
    made = event("EVENT_TYPE_WORKFLOW_TASK_SCHEDULED")
    queue = made.workflow_task_scheduled_event_attributes.task_queue
    queue.kind = TaskQueueKind.TASK_QUEUE_KIND_NORMAL
    assert one(made).type == "workflow_task_scheduled"
    queue.kind = TaskQueueKind.TASK_QUEUE_KIND_STICKY
    assert translate([made], ROOM) == ()


@pytest.mark.parametrize(
    ("name", "cause", "words"),
    [
        (
            "signal_external_workflow_execution_failed",
            SignalExternalWorkflowExecutionFailedCause.Value(
                f"{SIGNAL}_EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND"
            ),
            "External workflow execution not found",
        ),
        (
            "request_cancel_external_workflow_execution_failed",
            CancelExternalWorkflowExecutionFailedCause.Value(f"{CANCEL}_NAMESPACE_NOT_FOUND"),
            "Namespace not found",
        ),
        ("signal_external_workflow_execution_failed", 99, "Cause 99"),
        ("signal_external_workflow_execution_failed", 0, ""),
    ],
)
def test_what_another_run_could_not_be_told_says_why(name: str, cause: int, words: str) -> None:
    made = event(f"EVENT_TYPE_{name.upper()}")
    getattr(made, f"{name}_event_attributes").cause = cause
    assert one(made).message == words


def test_an_operation_that_could_not_be_asked_to_cancel_says_why() -> None:
    made = event("EVENT_TYPE_NEXUS_OPERATION_CANCEL_REQUEST_FAILED")
    made.nexus_operation_cancel_request_failed_event_attributes.failure.message = "gone"
    made.nexus_operation_cancel_request_failed_event_attributes.scheduled_event_id = 5
    answered = one(made)
    assert answered.failure is not None
    assert (answered.ref, answered.failure.message) == (5, "gone")


def test_who_was_authenticated_counts_more_than_who_one_claims_to_be() -> None:
    made = event("EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED")
    made.workflow_execution_terminated_event_attributes.identity = "somebody"
    assert one(made).actor == "somebody"
    made.principal.name = "alice@example.com"
    assert one(made).actor == "alice@example.com"


def test_what_people_wrote_about_an_event_is_told() -> None:
    made = event("EVENT_TYPE_TIMER_STARTED")
    made.user_metadata.summary.metadata["encoding"] = b"json/plain"
    made.user_metadata.summary.data = b'"wait for the bank"'
    assert one(made).detail["summary"] == "wait for the bank"


def test_a_pause_says_who_and_why() -> None:
    made = event("EVENT_TYPE_WORKFLOW_EXECUTION_PAUSED")
    made.workflow_execution_paused_event_attributes.identity = "alice"
    made.workflow_execution_paused_event_attributes.reason = "the bank is down"
    history_event = one(made)
    assert (history_event.actor, history_event.message) == ("alice", "the bank is down")


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[1]", b'{"attempt": -1}', b'{"attempt": "x", "activity_id": [1]}']
)
def test_a_strange_marker_of_a_local_activity_is_told_as_far_as_it_goes(data: bytes) -> None:
    made = event("EVENT_TYPE_MARKER_RECORDED")
    attributes = made.marker_recorded_event_attributes
    attributes.marker_name = "core_local_activity"
    attributes.details["data"].payloads.add(data=data)
    assert one(made).attempt == 0


def test_looking_at_a_marker_adds_nothing_to_it() -> None:
    made = event("EVENT_TYPE_MARKER_RECORDED")
    made.marker_recorded_event_attributes.marker_name = "core_local_activity"
    before = made.SerializeToString()
    one(made)
    assert made.SerializeToString() == before


def test_long_histories_show_less_of_each_event() -> None:
    assert room_for(1) == room_for(0) == ROOM
    assert LEAST_ROOM < room_for(5000) < ROOM
    assert room_for(1_000_000) == LEAST_ROOM


def test_only_the_end_of_a_run_is_its_end() -> None:
    closing = {name for name in NAMES if is_closing(event(name))}
    assert {name.rsplit("_", 1)[-1] for name in closing} == {
        "COMPLETED", "FAILED", "OUT", "CANCELED", "TERMINATED", "NEW",
    }  # fmt: skip
    assert len(closing) == 6


def test_a_paused_run_can_be_read() -> None:
    info = WorkflowExecutionInfo(status=8)  # type: ignore[arg-type]  # the SDK fails on it
    assert visibility_row(info).status == "paused"
    later = WorkflowExecutionInfo(status=99)  # type: ignore[arg-type]  # from the future
    assert visibility_row(later).status == "unspecified"


def test_a_pending_activity_without_anything_can_be_read() -> None:
    activity = pending_activity(PendingActivityInfo(activity_id="1"))
    assert (activity.heartbeat, activity.failure, activity.next_attempt_at) == (None, None, None)


def test_a_rule_that_paused_an_activity_is_told() -> None:
    info = PendingActivityInfo(activity_id="1", paused=True)
    info.pause_info.rule.identity = "ops-bot"
    info.pause_info.rule.reason = "too many failures"
    activity = pending_activity(info)
    assert (activity.paused_by, activity.pause_reason) == ("ops-bot", "too many failures")


def backwards(first: int, last: int) -> list[ProtoEvent]:
    """Signals, newest first."""
    name = "EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED"
    return [event(name, number) for number in range(last, first - 1, -1)]


def test_reading_back_goes_on_until_what_is_known() -> None:
    assert not reaches_back(backwards(11, 20), 10, ())
    assert reaches_back(backwards(1, 20), 10, ())
    assert reaches_back([], 10, ())


def test_reading_back_goes_on_until_who_worked_before() -> None:
    assert not reaches_back(backwards(10, 20), 10, ())
    worked = event("EVENT_TYPE_WORKFLOW_TASK_COMPLETED", 9)
    assert reaches_back([*backwards(10, 20), worked], 10, ())
    # That no worker was ever there must not cost the whole history.
    assert reaches_back(backwards(300 - REVERSE_PAGE, 310), 300, ())


def test_reading_back_goes_on_until_the_schedules_that_are_needed() -> None:
    worked = event("EVENT_TYPE_WORKFLOW_TASK_COMPLETED", 9)
    done = event("EVENT_TYPE_ACTIVITY_TASK_COMPLETED", 21)
    done.activity_task_completed_event_attributes.scheduled_event_id = 5
    events = [done, *backwards(10, 20), worked]
    assert not reaches_back(events, 10, ())
    scheduled = event("EVENT_TYPE_ACTIVITY_TASK_SCHEDULED", 5)
    scheduled.activity_task_scheduled_event_attributes.activity_id = "one"
    events += [*backwards(6, 8), scheduled]
    assert reaches_back(events, 10, ())
    assert reaches_back(events, 10, ("one",))
    assert not reaches_back(events, 10, ("two",))
