"""A sidecar that Kubernetes starts before the job: while it is not ready the job cannot begin, and
that is said as it is; beside a job that began it is never the cause."""

from __future__ import annotations

from typing import Any

import pytest

from observability.engines.contracts import SITUATION, EventKind, FailureKind, RunSnapshot, Status
from observability.engines.kubernetes.runs import run_of
from observability.engines.kubernetes.state import JobSnapshot
from tests.observability.engines.kubernetes.described_jobs import (
    NOW,
    Object,
    at,
    condition,
    ended,
    job,
    of_kind,
    pod,
    runs,
)

LATE = "Job was active longer than specified deadline"
SPENT = "Job has reached the specified backoff limit"
INITIALIZING = {"name": "main", "state": {"waiting": {"reason": "PodInitializing"}}}
STARTING = {**runs("proxy"), "started": False}
CREATING = "its containers are being created (images are pulled, volumes mounted)"
UNREADY = "sidecar proxy runs and has not passed its startup probe"
BACK_OFF = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}}


def end(code: int, clock: str = "09:01:00", **more: Any) -> Object:
    """How the sidecar ended."""
    state: Object = ended("proxy", code, clock, "cannot bind", **more)["state"]
    return state


def again(state: Object, code: int = 1, **more: Any) -> Object:
    """The status of the sidecar after its third end."""
    return {"name": "proxy", "restartCount": 3, "state": state, "lastState": end(code), **more}


def with_sidecar(proxy: Object, *containers: Object, phase: str = "Pending", **more: Any) -> Object:
    """A pod on a node with a native sidecar in that state."""
    placed = {"type": "PodScheduled", "status": "True", "lastTransitionTime": at("09:00:00")}
    item = pod("p", *(containers or (INITIALIZING,)), phase=phase, conditions=[placed], **more)
    item["spec"]["initContainers"] = [{"name": "proxy", "restartPolicy": "Always"}]
    item["status"]["initContainerStatuses"] = [proxy]
    return item


def of_open(item: Object) -> RunSnapshot:
    """The run of a Job that goes on."""
    return run_of(JobSnapshot(job({"active": 1}), (item,)), NOW)


def of_failed(reason: str, message: str, item: Object) -> RunSnapshot:
    """The run of a Job that failed at 09:05."""
    failed = condition("Failed", "09:05:00", reason, message)
    return run_of(JobSnapshot(job({"failed": 1, "conditions": [failed]}), (item,)), NOW)


@pytest.mark.parametrize(
    ("proxy", "words"),
    [
        (STARTING, UNREADY),
        (
            again(STARTING["state"], 137, started=False),
            f"{UNREADY} (it last ended: exit code 137: cannot bind)",
        ),
        (
            {"name": "proxy", "started": False, "state": end(1)},
            "sidecar proxy ended (exit code 1: cannot bind) and is to be started again",
        ),
        (again(BACK_OFF, started=False), "sidecar proxy: CrashLoopBackOff: back-off 40s"),
        ({**runs("proxy"), "started": True}, CREATING),
        (runs("proxy"), CREATING),
        ({"name": "proxy", "state": {"waiting": {"reason": "PodInitializing"}}}, CREATING),
    ],
)
def test_a_job_that_waits_for_its_sidecar_says_so(proxy: Object, words: str) -> None:
    run = of_open(with_sidecar(proxy))
    assert run.attributes[SITUATION] == f"pod p has a node since 09:00:00 UTC, {words}"


@pytest.mark.parametrize(
    "proxy",
    [
        again(BACK_OFF, started=False),
        again(STARTING["state"], started=False),
        {"name": "proxy", "started": False, "state": end(1)},
    ],
)
def test_a_sidecar_that_keeps_the_job_from_starting_is_what_fails(proxy: Object) -> None:
    run = of_open(with_sidecar(proxy))
    assert run.failure == "sidecar proxy: exit code 1: cannot bind"
    assert run.failure_kind is FailureKind.APPLICATION
    (event,) = of_kind(run, EventKind.ATTEMPT_FAILED)
    assert event.title == "sidecar proxy failed: exit code 1"
    assert event.message == run.failure
    assert (event.attempt, run.attempts) == (1, 1)
    assert of_kind(run, EventKind.RETRY) == []


def test_that_a_sidecar_will_be_started_again_is_no_new_attempt() -> None:
    run = of_open(with_sidecar(again(BACK_OFF, started=False)))
    notes = [(event.title, event.message, event.attempt) for event in of_kind(run, EventKind.NOTE)]
    assert notes == [("sidecar proxy will be started again", "back-off 40s", 1)]


@pytest.mark.parametrize(
    ("proxy", "main"),
    [
        (again(STARTING["state"], started=True), INITIALIZING),
        (again(BACK_OFF, started=False), runs()),
        (again(STARTING["state"], started=False), ended("main", 0, "09:04:00")),
    ],
)
def test_a_sidecar_that_keeps_nothing_from_starting_fails_nothing(
    proxy: Object, main: Object
) -> None:
    run = of_open(with_sidecar(proxy, main, phase="Running"))
    assert (run.failure, run.failure_kind) == ("", FailureKind.NONE)
    assert of_kind(run, EventKind.ATTEMPT_FAILED) == []


DELETED: Object = {"deletionTimestamp": at("09:05:30"), "deletionGracePeriodSeconds": 30}


@pytest.mark.parametrize(
    "item",
    [
        with_sidecar(again(BACK_OFF, started=False), **DELETED),
        with_sidecar(again(end(1, "09:04:30")), phase="Failed", **DELETED),
        with_sidecar({"name": "proxy", "state": end(1)}, phase="Failed", **DELETED),
    ],
)
def test_a_deadline_names_the_sidecar_that_kept_the_job_from_starting(item: Object) -> None:
    run = of_failed("DeadlineExceeded", LATE, item)
    assert (run.status, run.failure_kind) == (Status.TIMED_OUT, FailureKind.DEADLINE)
    assert run.failure == f"{LATE}. The last pod: sidecar proxy: exit code 1: cannot bind"


@pytest.mark.parametrize(("code", "clock"), [(143, "09:04:59"), (137, "09:05:30")])
def test_a_sidecar_that_ended_with_its_deleted_pod_is_no_cause(code: int, clock: str) -> None:
    item = with_sidecar({"name": "proxy", "state": end(code, clock)}, phase="Failed", **DELETED)
    item["status"]["conditions"].append(condition("PodReadyToStartContainers", "09:05:31"))
    assert of_failed("DeadlineExceeded", LATE, item).failure == LATE


def test_a_pod_that_only_its_sidecar_failed_says_which_and_how() -> None:
    item = with_sidecar({"name": "proxy", "state": end(1)}, phase="Failed")
    run = of_failed("BackoffLimitExceeded", SPENT, item)
    assert run.failure == f"sidecar proxy: exit code 1: cannot bind. {SPENT}"
    (event,) = of_kind(run, EventKind.ATTEMPT_FAILED)
    assert (event.title, event.detail["exit_code"]) == ("Pod p failed: exit code 1", 1)
    assert event.at.isoformat() == "2026-11-30T09:01:00+00:00"


@pytest.mark.parametrize(
    ("main", "words"),
    [
        (ended("main", 3, "09:00:50", "no input"), "exit code 3: no input"),
        (ended("main", 0, "09:00:50"), "Error"),
    ],
)
def test_a_sidecar_beside_a_job_that_began_is_not_the_cause(main: Object, words: str) -> None:
    item = with_sidecar({"name": "proxy", "state": end(1)}, main, phase="Failed")
    assert of_failed("BackoffLimitExceeded", SPENT, item).failure == f"{words}. {SPENT}"


def test_what_the_cluster_took_away_was_not_ended_by_its_sidecar() -> None:
    item = with_sidecar({"name": "proxy", "state": end(137)}, phase="Failed")
    item["status"] |= {"reason": "Evicted", "message": "low on memory"}
    run = of_failed("BackoffLimitExceeded", SPENT, item)
    assert run.failure == f"Evicted: low on memory. {SPENT}"
