"""A pod was stopped by its Job only where that was so: not where the cluster took it, nor where it
had ended by itself."""

from __future__ import annotations

from typing import Any

import pytest

from observability.engines.contracts import EventKind, FailureKind, Status
from observability.engines.kubernetes.runs import run_of
from observability.engines.kubernetes.state import JobSnapshot
from tests.observability.engines.kubernetes.described_jobs import (
    NOW,
    at,
    condition,
    ended,
    job,
    of_kind,
    pod,
    runs,
    written,
)

EVICTED = "Eviction API: evicting"
SPENT = "Job has reached the specified backoff limit"
INDEX = "batch.kubernetes.io/job-completion-index"


def evicted(clock: str) -> list[dict[str, Any]]:
    return [condition("DisruptionTarget", clock, "EvictionByEvictionAPI", EVICTED)]


def deleted(clock: str, grace: int = 0) -> dict[str, Any]:
    """Metadata of a pod whose deletion was asked for at a full minute, with a grace period."""
    minutes, seconds = divmod(grace, 60)
    due = f"{clock[:3]}{int(clock[3:5]) + minutes:02d}:{seconds:02d}"
    return {"deletionTimestamp": at(due), "deletionGracePeriodSeconds": grace}


def failed_at(clock: str, kind: str = "Failed") -> dict[str, Any]:
    return condition(kind, clock, "BackoffLimitExceeded", SPENT)


def test_an_eviction_that_fails_its_job_stays_the_cause() -> None:
    given = pod(
        "a",
        ended("main", 143, "10:00:05"),
        conditions=evicted("10:00:00"),
        **deleted("10:00:00", 30),
    )
    conditions = [failed_at("10:00:06", "FailureTarget"), failed_at("10:00:06")]
    run = run_of(
        JobSnapshot(job({"failed": 1, "conditions": conditions}, backoffLimit=0), [given]), NOW
    )
    words = f"EvictionByEvictionAPI (exit code 143): {EVICTED}"
    assert (run.failure_kind, run.failure) == (FailureKind.EVICTED, f"{words}. {SPENT}")
    (failed,) = of_kind(run, EventKind.ATTEMPT_FAILED)
    assert failed.message == words


def test_a_pod_that_somebody_deleted_is_why_its_job_failed_and_not_stopped_by_it() -> None:
    given = pod("a", ended("main", 143, "10:00:05"), **deleted("10:00:00", 30))
    conditions = [failed_at("10:00:06", "FailureTarget"), failed_at("10:00:06")]
    run = run_of(
        JobSnapshot(job({"failed": 1, "conditions": conditions}, backoffLimit=0), [given]), NOW
    )
    assert run.failure == f"exit code 143: its pod was being deleted. {SPENT}"
    assert len(of_kind(run, EventKind.ATTEMPT_FAILED)) == 1


def test_pods_that_are_tidied_up_later_failed_by_themselves() -> None:
    first = pod("a", ended("main", 2, "09:10:00", "boom"), **deleted("11:00:00"))
    second = pod("b", ended("main", 137, "09:59:58", "boom2"), **deleted("11:00:00"))
    second["metadata"]["creationTimestamp"] = at("09:10:10")
    run = run_of(
        JobSnapshot(job({"failed": 2, "conditions": [failed_at("10:00:00")]}), [first, second]), NOW
    )
    assert run.failure == f"exit code 137: boom2. {SPENT}"
    failed = of_kind(run, EventKind.ATTEMPT_FAILED)
    assert [(event.attempt, event.message) for event in failed] == [
        (1, "exit code 2: boom"),
        (2, "exit code 137: boom2"),
    ]


def test_what_was_killed_before_anybody_deleted_its_pod_was_not_killed_by_that() -> None:
    given = pod("a", ended("main", 137, "09:59:00"), **deleted("11:00:00"))
    run = run_of(JobSnapshot(job({"failed": 1}), [given]), NOW)
    assert run.failure == "Error (exit code 137)"


def test_a_pod_that_was_evicted_before_its_job_was_suspended_was_evicted() -> None:
    given = pod(
        "a", ended("main", 143, "10:00:00"), conditions=evicted("09:59:30"), **deleted("10:00:00")
    )
    suspended = {"failed": 1, "conditions": [condition("Suspended", "11:00:00", "JobSuspended")]}
    run = run_of(JobSnapshot(job(suspended, suspend=True), [given]), NOW)
    assert (run.status, run.failure_kind) == (Status.PAUSED, FailureKind.EVICTED)


def test_a_pod_that_somebody_deleted_before_its_job_was_suspended_was_not_stopped_by_that() -> None:
    given = pod("a", ended("main", 143, "10:00:10"), **deleted("10:00:00", 30))
    suspended = {"failed": 1, "conditions": [condition("Suspended", "11:00:00", "JobSuspended")]}
    run = run_of(JobSnapshot(job(suspended, suspend=True), [given]), NOW)
    assert run.failure == "exit code 143: its pod was being deleted"


def test_a_pod_that_was_evicted_soon_after_its_job_was_written_was_not_in_the_way() -> None:
    given = pod(
        "a",
        runs(),
        phase="Running",
        conditions=evicted("10:00:20"),
        deletionTimestamp=at("10:00:20"),
    )
    metadata = {"generation": 3, **written("kubectl-client-side-apply", "10:00:00", "parallelism")}
    run = run_of(
        JobSnapshot(
            job({"active": 3}, metadata=metadata, parallelism=3), [given], removed=frozenset({"a"})
        ),
        NOW,
    )
    (gone,) = of_kind(run, EventKind.ATTEMPT_FAILED)
    assert gone.message == f"EvictionByEvictionAPI: {EVICTED}"
    assert run.failure_kind is FailureKind.EVICTED


@pytest.mark.parametrize("grace", [0, 30, 120])
def test_a_pod_that_was_too_many_was_stopped_whatever_time_it_had_to_end(grace: int) -> None:
    given = pod("a", ended("main", 143, "10:00:40"), **deleted("10:00:00", grace))
    metadata = {"generation": 2, **written("kubectl-edit", "10:00:00", "parallelism")}
    status = {"active": 1, "failed": 1}
    other = pod("b", runs(), phase="Running")
    run = run_of(JobSnapshot(job(status, metadata=metadata, parallelism=1), [given, other]), NOW)
    assert (run.failure, run.failure_kind) == ("", FailureKind.NONE)
    (note,) = of_kind(run, EventKind.NOTE)
    assert note.message.startswith("The Job was made smaller: 1 pod at once.")


def test_an_index_that_failed_before_its_job_was_made_smaller_failed() -> None:
    given = pod(
        "x",
        ended("main", 2, "09:05:00", "boom"),
        annotations={INDEX: "4"},
        deletionTimestamp=at("09:10:00"),
    )
    sizes: dict[str, Any] = {"completionMode": "Indexed", "completions": 2, "parallelism": 2}
    run = run_of(JobSnapshot(job({"failed": 1, "active": 2}, **sizes), [given]), NOW)
    assert run.failure == "exit code 2: boom"
    assert [event.attempt for event in of_kind(run, EventKind.ATTEMPT_FAILED)] == [1]


@pytest.mark.parametrize("grace", [-(2**62), 2**62, "x", None])
def test_a_grace_period_of_any_size_is_read(grace: Any) -> None:
    given = pod("a", ended("main", 2, "09:05:00"), deletionTimestamp=at("09:10:00"))
    given["metadata"]["deletionGracePeriodSeconds"] = grace
    run = run_of(JobSnapshot(job(), [given]), NOW)
    assert run.failure == "Error (exit code 2)"


def test_no_rule_of_the_failure_policy_is_told_of_a_pod_that_its_job_stopped() -> None:
    rules = [{"action": "FailJob", "onExitCodes": {"operator": "NotIn", "values": [3]}}]
    conditions = [
        condition("SuccessCriteriaMet", "09:59:00", "SuccessPolicy", "Matched rules at index 0"),
        condition("Complete", "10:00:00", "SuccessPolicy", "Matched rules at index 0"),
    ]
    winner = pod("w0", ended("main", 0, "09:58:59"), phase="Succeeded", annotations={INDEX: "0"})
    loser = pod(
        "w1",
        ended("main", 143, "09:59:10"),
        annotations={INDEX: "1"},
        deletionTimestamp=at("09:59:30"),
        deletionGracePeriodSeconds=30,
    )
    run = run_of(
        JobSnapshot(
            job(
                {"succeeded": 1, "failed": 1, "completedIndexes": "0", "conditions": conditions},
                completionMode="Indexed",
                completions=2,
                podFailurePolicy={"rules": rules},
            ),
            [winner, loser],
        ),
        NOW,
    )
    assert run.status is Status.SUCCEEDED
    (note,) = of_kind(run, EventKind.NOTE)
    assert note.message == (
        "The Job had succeeded without it: SuccessPolicy. It ended so: exit code 143: its pod was "
        "being deleted"
    )
    assert "policy" not in note.detail
