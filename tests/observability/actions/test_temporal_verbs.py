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
from tests.observability.actions.patients import Ward
from tests.waiting import until

pytestmark = pytest.mark.temporal
Handle = WorkflowHandle[Any, Any]


@pytest.fixture(scope="module")
def target(temporal_address: str) -> TargetRef:
    return TargetRef(1, "jobs", "temporal", temporal_address, "")


@pytest.fixture(scope="module")
def ward(temporal_address: str) -> Iterator[Ward]:
    made = Ward(temporal_address)
    yield made
    made.stop()


def facts(handle: Handle) -> RunFacts:
    run_id = str(handle.result_run_id or handle.run_id)
    return RunFacts(1, Engine.TEMPORAL, "", handle.id, run_id, "default", "Patient", Status.RUNNING)


def do(target: TargetRef, handle: Handle, verb: str, *, uid: str = "", **arguments: Any) -> Answer:
    request = ActionRequest(uid or str(uuid4()), verb, arguments, "it hangs", "olga")
    return TemporalControls().perform(run=facts(handle), target=target, request=request)


def test_cancel_names_the_operator_and_twice_is_once(ward: Ward, target: TargetRef) -> None:
    handle = ward.admit()
    uid = str(uuid4())
    do(target, handle, "cancel", uid=uid)
    do(target, handle, "cancel", uid=uid)
    asked = ward.events(handle, "WORKFLOW_EXECUTION_CANCEL_REQUESTED")
    assert len(asked) == 1
    said = asked[0].workflow_execution_cancel_requested_event_attributes
    assert said.identity == "headroom:olga"
    assert said.cause == "it hangs (by olga through Headroom)"
    until(lambda: ward.status(handle) == "canceled")


def test_terminate_keeps_operator_and_reason_and_a_second_one_is_a_conflict(
    ward: Ward, target: TargetRef
) -> None:
    handle = ward.admit()
    assert "terminated" in do(target, handle, "terminate").message
    ended = ward.events(handle, "WORKFLOW_EXECUTION_TERMINATED")[0]
    said = ended.workflow_execution_terminated_event_attributes
    assert said.identity == "headroom:olga"
    assert "olga" in said.reason
    with pytest.raises(Conflict, match="ended already"):
        do(target, handle, "terminate")
    with pytest.raises(Conflict, match="ended already"):
        do(target, handle, "signal", name="go")


def test_a_termination_whose_answer_was_lost_is_known_for_ours_when_it_is_tried_again(
    ward: Ward, target: TargetRef
) -> None:
    handle, uid = ward.admit(), str(uuid4())
    do(target, handle, "terminate", uid=uid)
    assert "terminated" in do(target, handle, "terminate", uid=uid).message
    assert len(ward.events(handle, "WORKFLOW_EXECUTION_TERMINATED")) == 1


def test_a_signal_brings_its_input_and_twice_is_once(ward: Ward, target: TargetRef) -> None:
    handle = ward.admit()
    uid = str(uuid4())
    do(target, handle, "signal", uid=uid, name="other", input="[1]")
    do(target, handle, "signal", uid=uid, name="other", input="[1]")
    do(target, handle, "signal", name="go", input='{"approved": [true, "ü"]}')
    assert ward.run(handle.result()) == {"approved": [True, "ü"]}
    signals = ward.events(handle, "WORKFLOW_EXECUTION_SIGNALED")
    names = [event.workflow_execution_signaled_event_attributes.signal_name for event in signals]
    assert names == ["other", "go"]
    identity = signals[0].workflow_execution_signaled_event_attributes.identity
    assert identity == "headroom:olga"


def test_a_signal_without_input(ward: Ward, target: TargetRef) -> None:
    handle = ward.admit()
    do(target, handle, "signal", name="go")
    assert ward.run(handle.result()) is None


def resets(ward: Ward, handle: Handle, answer: Answer) -> Any:
    """The new run's event that says what it was reset to, and why."""
    new = ward.handle(handle.id, str(answer.result["run_id"]))
    failed = ward.events(new, "WORKFLOW_TASK_FAILED")[0]
    return failed.workflow_task_failed_event_attributes, new


def test_reset_to_the_first_the_last_and_an_event(ward: Ward, target: TargetRef) -> None:
    handle = ward.admit()
    ends = [event.event_id for event in ward.events(handle, "WORKFLOW_TASK_COMPLETED")]
    do(target, handle, "signal", name="go", input="7")
    assert ward.run(handle.result()) == 7
    ends = [event.event_id for event in ward.events(handle, "WORKFLOW_TASK_COMPLETED")]
    assert len(ends) == 3
    for arguments, event in (
        ({"point": "first"}, ends[0]),
        ({"point": "last"}, ends[-1]),
        ({"point": "event", "event": ends[1]}, ends[1]),
    ):
        answer = do(target, handle, "reset", **arguments)
        assert answer.result["event"] == event
        said, new = resets(ward, handle, answer)
        assert said.base_run_id == handle.result_run_id
        assert "by olga through Headroom" in said.failure.message
        assert ward.run(new.result()) == 7


def test_an_event_that_cannot_be_gone_back_to_names_the_nearest(
    ward: Ward, target: TargetRef
) -> None:
    handle = ward.admit()
    ends = [event.event_id for event in ward.events(handle, "WORKFLOW_TASK_COMPLETED")]
    with pytest.raises(Refused, match=f"event 5 is no end .* {ends[0]} or {ends[1]}"):
        do(target, handle, "reset", point="event", event=5)
    with pytest.raises(Refused, match="event 999"):
        do(target, handle, "reset", point="event", event=999)
    do(target, handle, "terminate")


def test_resetting_an_open_run_ends_it_and_a_new_one_goes_on(ward: Ward, target: TargetRef) -> None:
    handle = ward.admit()
    answer = do(target, handle, "reset", point="last")
    old = ward.handle(handle.id, str(handle.result_run_id))
    until(lambda: ward.status(old) == "terminated")
    new = ward.handle(handle.id, str(answer.result["run_id"]))
    assert ward.status(new) == "running"
    do(target, new, "terminate")


def test_an_activity_is_paused_goes_on_and_begins_anew(ward: Ward, target: TargetRef) -> None:
    handle = ward.admit(activity=True)
    until(lambda: ward.pending(handle).attempt >= 2)
    do(target, handle, "pause_activity", activity="broken")
    paused = PendingActivityState.PENDING_ACTIVITY_STATE_PAUSED
    until(lambda: ward.pending(handle).state == paused)
    assert "olga" in ward.pending(handle).pause_info.manual.reason
    assert ward.pending(handle).pause_info.manual.identity == "headroom:olga"
    do(target, handle, "reset_activity", activity="broken", keep_paused=True)
    until(lambda: ward.pending(handle).attempt == 1)
    assert ward.pending(handle).state == paused
    do(target, handle, "unpause_activity", activity="broken", reset_attempts=True)
    until(lambda: ward.pending(handle).attempt >= 2)
    with pytest.raises(NotFound):
        do(target, handle, "pause_activity", activity="no-such")
    do(target, handle, "terminate")


def test_priority_and_fairness_key_change(ward: Ward, target: TargetRef) -> None:
    handle = ward.admit()
    do(target, handle, "set_priority", priority_key=1, fairness_key="globex", fairness_weight=2.5)
    described = ward.run(handle.describe()).raw_description.workflow_execution_info.priority
    assert (described.priority_key, described.fairness_key) == (1, "globex")
    assert described.fairness_weight == 2.5
    do(target, handle, "terminate")


def test_a_run_that_does_not_exist_and_a_server_that_is_away(ward: Ward, target: TargetRef) -> None:
    handle = ward.handle("nobody", str(uuid4()))
    with pytest.raises(NotFound):
        do(target, handle, "cancel")
    away = TargetRef(
        2, "away", "temporal", "127.0.0.1:1", "", timeout=2.0
    )  # clock: nobody is there
    with pytest.raises(Unreachable):
        do(away, handle, "cancel")
