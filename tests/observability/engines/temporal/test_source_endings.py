"""Every way to end, on a real server, as the trail tells it."""

from __future__ import annotations

import pytest

from observability.engines.contracts import (
    MOST_DETAIL,
    EventKind,
    FailureKind,
    LinkKind,
    Status,
    run_key,
)
from observability.jobs.rules.bounding import to_json
from tests.observability.engines.temporal.conftest import Endings

pytestmark = pytest.mark.temporal

ENDS = {
    "success": Status.SUCCEEDED,
    "failure": Status.FAILED,
    "cause": Status.FAILED,
    "heartbeat-timeout": Status.SUCCEEDED,
    "continued": Status.SUCCEEDED,
    "family": Status.FAILED,
    "timeout": Status.TIMED_OUT,
    "haul": Status.SUCCEEDED,
    "signal": Status.SUCCEEDED,
    "cancel": Status.CANCELLED,
    "terminate": Status.TERMINATED,
    "reset": Status.SUCCEEDED,
    "non-determinism": Status.RUNNING,
}


@pytest.mark.parametrize("ending", ENDS)
def test_a_run_is_read_with_its_ending(endings: Endings, ending: str) -> None:
    run = endings.run(ending)
    assert run.status is ENDS[ending]
    assert (run.closed_at is None) == (ending == "non-determinism")
    assert run.began_at is None or run.began_at >= run.created_at


@pytest.mark.parametrize("ending", ENDS)
def test_every_run_says_whose_it_is_and_what_it_belongs_to(endings: Endings, ending: str) -> None:
    run = endings.run(ending)
    assert (run.tenant, run.fairness_key) == ("acme", "acme")
    assert run.links[LinkKind.REQUEST].startswith("req-")
    assert len(run.links[LinkKind.TRACE]) == 32
    assert run.queue.startswith("endings")


def test_a_success_tells_its_steps_in_order(endings: Endings) -> None:
    kinds = endings.kinds("success")
    assert kinds == [
        EventKind.CREATED,
        EventKind.STARTED,
        EventKind.STEP_COMPLETED,
        EventKind.SCHEDULED,
        EventKind.ATTEMPT_STARTED,
        EventKind.STEP_COMPLETED,
        EventKind.TIMER_STARTED,
        EventKind.TIMER_FIRED,
        EventKind.SCHEDULED,
        EventKind.ATTEMPT_STARTED,
        EventKind.STEP_COMPLETED,
        EventKind.SUCCEEDED,
    ]
    run = endings.run("success")
    assert "@" in run.started_by
    assert "@" in run.worker
    assert run.build != ""
    local = endings.first("success", EventKind.STEP_COMPLETED)
    assert (local.step_name, local.detail["local"]) == ("look_up", True)


def test_the_events_of_one_step_share_its_name_and_its_key(endings: Endings) -> None:
    steps: dict[str, set[str]] = {}
    for event in endings.story("success"):
        if event.step.startswith("activity-"):
            steps.setdefault(event.step, set()).add(event.step_name)
    assert list(steps.values()) == [{"charge_card"}, {"charge_card"}]


def test_a_failure_after_retries_tells_attempts_message_and_stack(endings: Endings) -> None:
    run = endings.run("failure")
    assert run.failure == "NoAddress: no postal address for order 7"
    assert (run.failure_kind, run.attempts) == (FailureKind.APPLICATION, 3)
    failed = [event for event in endings.story("failure") if event.kind is EventKind.ATTEMPT_FAILED]
    assert [event.attempt for event in failed] == [2, 3]
    assert "send_letter" in failed[-1].detail["stack"]
    assert failed[-1].detail["retry_state"] == "maximum_attempts_reached"
    assert failed[-1].detail["details"] == [{"order": 7}]


def test_a_failure_is_told_by_its_deepest_cause(endings: Endings) -> None:
    assert endings.run("cause").failure == "ValueError: row 12 has no amount"
    failed = endings.first("cause", EventKind.FAILED)
    assert failed.detail["causes"][-2:] == ["import failed", "row 12 has no amount"]


def test_a_lost_attempt_times_out_for_want_of_heartbeats_and_another_resumes(
    endings: Endings,
) -> None:
    lost = endings.first("heartbeat-timeout", EventKind.ATTEMPT_TIMED_OUT)
    assert (lost.attempt, lost.message) == (1, "Heartbeat timeout")
    assert lost.detail["timeout"] == "heartbeat"
    assert endings.run("heartbeat-timeout").attempts == 2


def test_who_cancelled_and_who_terminated_is_told_with_the_reason(endings: Endings) -> None:
    assert "@" in endings.first("cancel", EventKind.CANCEL_REQUESTED).actor
    terminated = endings.first("terminate", EventKind.TERMINATED)
    assert "@" in terminated.actor
    assert terminated.message == "wrong customer"
    run = endings.run("terminate")
    assert (run.failure, run.failure_kind) == ("wrong customer", FailureKind.TERMINATED)


def test_a_chain_of_continued_runs_has_one_name(endings: Endings) -> None:
    first, second, third = endings.runs("continued")
    assert [run.status for run in (first, second)] == [Status.CONTINUED] * 2
    where = endings.reading.target.options["namespace"]
    name = run_key("temporal", where, first.external_id, first.run_id)
    assert {run.links[LinkKind.CHAIN] for run in (first, second, third)} == {name}
    onward = endings.reading.rows.story(first)[-1]
    assert (onward.kind, onward.detail["run_id"]) == (EventKind.CONTINUED, second.run_id)


def test_children_name_their_parent_and_the_parent_tells_of_them(endings: Endings) -> None:
    parent = endings.run("family")
    own = run_key("temporal", parent.location, parent.external_id, parent.run_id)
    for name in ("invoice", "letter"):
        child = endings.reading.rows.of(f"{parent.external_id}-{name}")[0]
        assert child.parent == own
    closed = [event for event in endings.story("family") if event.kind is EventKind.CHILD_CLOSED]
    assert [event.detail["workflow_id"] for event in closed] == [
        f"{parent.external_id}-invoice",
        f"{parent.external_id}-letter",
    ]
    assert parent.failure == "NoAddress: no postal address for order 7"


def test_signals_and_updates_are_told_with_their_sender(endings: Endings) -> None:
    signal = endings.first("signal", EventKind.SIGNAL)
    assert (signal.title, signal.detail["input"]) == ("Signal release", ["go on"])
    assert "@" in signal.actor
    accepted, completed = (
        event for event in endings.story("signal") if event.kind is EventKind.UPDATE
    )
    assert accepted.title == "Update approve accepted"
    assert completed.detail["result"] == ["approved by alice"]
    assert accepted.step == completed.step


def test_the_workflows_own_timeout_is_a_deadline(endings: Endings) -> None:
    run = endings.run("timeout")
    assert run.failure_kind is FailureKind.DEADLINE
    assert endings.kinds("timeout")[-1] is EventKind.TIMED_OUT


def test_a_reset_is_told_on_both_sides(endings: Endings) -> None:
    base, again = endings.runs("reset")
    onward = next(
        event for event in endings.reading.rows.story(base) if event.kind is EventKind.RESET
    )
    assert onward.detail["new_run_id"] == again.run_id
    back = next(
        event for event in endings.reading.rows.story(again) if event.kind is EventKind.RESET
    )
    assert back.detail["base_run_id"] == base.run_id
    assert back.message == "the second charge was wrong"
    assert base.links[LinkKind.CHAIN] == again.links[LinkKind.CHAIN]


def test_code_that_no_longer_fits_is_told_while_the_run_is_stuck(endings: Endings) -> None:
    run = endings.run("non-determinism")
    assert run.failure_kind is FailureKind.NON_DETERMINISM
    assert "TMPRL1100" in run.failure
    worker = endings.first("non-determinism", EventKind.WORKER)
    assert (worker.actor, worker.detail["before"]) == ("worker-of-build-b", "worker-of-build-a")
    assert worker.detail["build_before"] == "build-a"
    # The build that does not fit, not the one that did last.
    assert (run.worker, run.build) == ("worker-of-build-b", "build-b")
    failed = endings.first("non-determinism", EventKind.ATTEMPT_FAILED)
    assert failed.title == "Workflow task failed: the code no longer fits the history"


def test_large_payloads_are_shown_by_how_they_begin(endings: Endings) -> None:
    results = [event for event in endings.story("haul") if event.kind is EventKind.STEP_COMPLETED]
    assert len(results) == 5
    for event in results:
        shown = event.detail["result"][0]
        assert shown["bytes"] == 1_900_002
        assert len(to_json(event.detail)) < MOST_DETAIL
    history = endings.reading.fetch(_name(endings, "haul"), after=0)
    assert len(history.document) > 9_000_000


def _name(endings: Endings, ending: str) -> tuple[str, str]:
    run = endings.run(ending)
    return run.external_id, run.run_id


@pytest.mark.parametrize("ending", ENDS)
def test_reading_a_history_again_changes_nothing(endings: Endings, ending: str) -> None:
    before = dict(endings.reading.rows.events[_name(endings, ending)])
    history = endings.reading.fetch(_name(endings, ending), after=0)
    resets = {key for key in before if key[1].startswith("reset/")}
    assert {(event.seq, event.key) for event in history.events} == set(before) - resets
    assert history.complete == (ending != "non-determinism")
    seqs = [event.seq for event in history.events]
    assert seqs == sorted(seqs)
