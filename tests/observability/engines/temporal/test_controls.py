"""Every verb on a real Temporal server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.client import WorkflowHandle

from console.errors import Conflict, NotFound, Refused, Unreachable
from observability.engines.contracts import Engine, Status
from observability.engines.temporal.controls import TemporalControls
from observability.engines.verbs import ActionRequest, Answer, RunFacts
from tenants.contracts import TargetRef
from tests.observability.waiting_workflows import WorkflowWorker
from tests.waiting import until

pytestmark = pytest.mark.temporal
Handle = WorkflowHandle[Any, Any]


@pytest.fixture(scope="module")
def target(temporal_address: str) -> TargetRef:
    return TargetRef(1, "jobs", "temporal", temporal_address, "")


@pytest.fixture(scope="module")
def worker(temporal_address: str) -> Iterator[WorkflowWorker]:
    made = WorkflowWorker(temporal_address)
    yield made
    made.stop()


def facts(handle: Handle) -> RunFacts:
    run_id = str(handle.result_run_id or handle.run_id)
    return RunFacts(
        1, Engine.TEMPORAL, "", handle.id, run_id, "default", "WaitingWorkflow", Status.RUNNING
    )


def do(target: TargetRef, handle: Handle, verb: str, *, uid: str = "", **arguments: Any) -> Answer:
    request = ActionRequest(uid or str(uuid4()), verb, arguments, "it hangs", "olga")
    return TemporalControls().perform(run=facts(handle), target=target, request=request)


def test_cancel_names_the_operator_and_twice_is_once(
    worker: WorkflowWorker, target: TargetRef
) -> None:
    handle = worker.start_waiting()
    uid = str(uuid4())
    do(target, handle, "cancel", uid=uid)
    do(target, handle, "cancel", uid=uid)
    requests = worker.events(handle, "WORKFLOW_EXECUTION_CANCEL_REQUESTED")
    assert len(requests) == 1
    details = requests[0].workflow_execution_cancel_requested_event_attributes
    assert details.identity == "headroom:olga"
    assert details.cause == "it hangs (by olga through Headroom)"
    until(lambda: worker.status(handle) == "canceled")


def test_terminate_keeps_operator_and_reason_and_a_second_one_is_a_conflict(
    worker: WorkflowWorker, target: TargetRef
) -> None:
    handle = worker.start_waiting()
    assert "terminated" in do(target, handle, "terminate").message
    ended = worker.events(handle, "WORKFLOW_EXECUTION_TERMINATED")[0]
    details = ended.workflow_execution_terminated_event_attributes
    assert details.identity == "headroom:olga"
    assert "olga" in details.reason
    with pytest.raises(Conflict, match="ended already"):
        do(target, handle, "terminate")
    with pytest.raises(Conflict, match="ended already"):
        do(target, handle, "signal", name="go")


def test_a_termination_whose_answer_was_lost_is_known_for_ours_when_it_is_tried_again(
    worker: WorkflowWorker, target: TargetRef
) -> None:
    handle, uid = worker.start_waiting(), str(uuid4())
    do(target, handle, "terminate", uid=uid)
    assert "terminated" in do(target, handle, "terminate", uid=uid).message
    assert len(worker.events(handle, "WORKFLOW_EXECUTION_TERMINATED")) == 1


def test_a_signal_brings_its_input_and_twice_is_once(
    worker: WorkflowWorker, target: TargetRef
) -> None:
    handle = worker.start_waiting()
    uid = str(uuid4())
    do(target, handle, "signal", uid=uid, name="other", input="[1]")
    do(target, handle, "signal", uid=uid, name="other", input="[1]")
    do(target, handle, "signal", name="go", input='{"approved": [true, "ü"]}')
    assert worker.run(handle.result()) == {"approved": [True, "ü"]}
    signals = worker.events(handle, "WORKFLOW_EXECUTION_SIGNALED")
    names = [event.workflow_execution_signaled_event_attributes.signal_name for event in signals]
    assert names == ["other", "go"]
    identity = signals[0].workflow_execution_signaled_event_attributes.identity
    assert identity == "headroom:olga"


def test_a_signal_without_input(worker: WorkflowWorker, target: TargetRef) -> None:
    handle = worker.start_waiting()
    do(target, handle, "signal", name="go")
    assert worker.run(handle.result()) is None


def resets(worker: WorkflowWorker, handle: Handle, answer: Answer) -> Any:
    """The new run's event that says what it was reset to, and why."""
    new = worker.handle(handle.id, str(answer.result["run_id"]))
    failed = worker.events(new, "WORKFLOW_TASK_FAILED")[0]
    return failed.workflow_task_failed_event_attributes, new


def test_reset_to_the_first_the_last_and_an_event(
    worker: WorkflowWorker, target: TargetRef
) -> None:
    handle = worker.start_waiting()
    ends = [event.event_id for event in worker.events(handle, "WORKFLOW_TASK_COMPLETED")]
    do(target, handle, "signal", name="go", input="7")
    assert worker.run(handle.result()) == 7
    ends = [event.event_id for event in worker.events(handle, "WORKFLOW_TASK_COMPLETED")]
    assert len(ends) == 3
    for arguments, event in (
        ({"point": "first"}, ends[0]),
        ({"point": "last"}, ends[-1]),
        ({"point": "event", "event": ends[1]}, ends[1]),
    ):
        answer = do(target, handle, "reset", **arguments)
        assert answer.result["event"] == event
        details, new = resets(worker, handle, answer)
        assert details.base_run_id == handle.result_run_id
        assert "by olga through Headroom" in details.failure.message
        assert worker.run(new.result()) == 7


def test_an_event_that_cannot_be_gone_back_to_names_the_nearest(
    worker: WorkflowWorker, target: TargetRef
) -> None:
    handle = worker.start_waiting()
    ends = [event.event_id for event in worker.events(handle, "WORKFLOW_TASK_COMPLETED")]
    with pytest.raises(Refused, match=f"event 5 is no end .* {ends[0]} or {ends[1]}"):
        do(target, handle, "reset", point="event", event=5)
    with pytest.raises(Refused, match="event 999"):
        do(target, handle, "reset", point="event", event=999)
    do(target, handle, "terminate")


def test_resetting_an_open_run_ends_it_and_a_new_one_goes_on(
    worker: WorkflowWorker, target: TargetRef
) -> None:
    handle = worker.start_waiting()
    answer = do(target, handle, "reset", point="last")
    old = worker.handle(handle.id, str(handle.result_run_id))
    until(lambda: worker.status(old) == "terminated")
    new = worker.handle(handle.id, str(answer.result["run_id"]))
    assert worker.status(new) == "running"
    do(target, new, "terminate")


def test_an_activity_is_paused_goes_on_and_begins_anew(
    worker: WorkflowWorker, target: TargetRef
) -> None:
    handle = worker.start_waiting(activity=True)
    until(lambda: worker.pending(handle).attempt >= 2)
    do(target, handle, "pause_activity", activity="broken")
    paused = PendingActivityState.PENDING_ACTIVITY_STATE_PAUSED
    until(lambda: worker.pending(handle).state == paused)
    assert "olga" in worker.pending(handle).pause_info.manual.reason
    assert worker.pending(handle).pause_info.manual.identity == "headroom:olga"
    do(target, handle, "reset_activity", activity="broken", keep_paused=True)
    until(lambda: worker.pending(handle).attempt == 1)
    assert worker.pending(handle).state == paused
    do(target, handle, "unpause_activity", activity="broken", reset_attempts=True)
    until(lambda: worker.pending(handle).attempt >= 2)
    with pytest.raises(NotFound):
        do(target, handle, "pause_activity", activity="no-such")
    do(target, handle, "terminate")


def test_priority_and_fairness_key_change(worker: WorkflowWorker, target: TargetRef) -> None:
    handle = worker.start_waiting()
    do(target, handle, "set_priority", priority_key=1, fairness_key="globex", fairness_weight=2.5)
    described = worker.run(handle.describe()).raw_description.workflow_execution_info.priority
    assert (described.priority_key, described.fairness_key) == (1, "globex")
    assert described.fairness_weight == 2.5
    do(target, handle, "terminate")


def test_a_run_that_does_not_exist_and_a_server_that_is_away(
    worker: WorkflowWorker, target: TargetRef
) -> None:
    handle = worker.handle("nobody", str(uuid4()))
    with pytest.raises(NotFound):
        do(target, handle, "cancel")
    away = TargetRef(
        2, "away", "temporal", "127.0.0.1:1", "", timeout=2.0
    )  # clock: nobody is there
    with pytest.raises(Unreachable):
        do(away, handle, "cancel")
