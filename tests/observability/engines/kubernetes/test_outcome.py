"""A Job that failed is no error of the job's own where nothing says so."""

from __future__ import annotations

from typing import Any

import pytest

from observability.engines.contracts import DENIALS, SITUATION, FailureKind, KnownRun
from observability.engines.kubernetes.runs import run_of
from observability.engines.kubernetes.state import JobSnapshot
from tests.observability.engines.kubernetes.described_jobs import NOW, at, condition, job, pod

SPENT = "Job has reached the specified backoff limit"
BY_CODE = "Container main for pod acme/x failed with exit code 42 matching FailJob rule at index 1"
BY_CONDITION = "Pod acme/x has condition DisruptionTarget matching FailJob rule at index 0"


@pytest.mark.parametrize(
    ("reason", "message", "spec", "kind"),
    [
        ("BackoffLimitExceeded", SPENT, {"managedBy": "kueue.x-k8s.io/multikueue"}, "other"),
        ("BackoffLimitExceeded", SPENT, {}, "other"),
        ("FailedIndexes", "Job has failed indexes", {"completionMode": "Indexed"}, "other"),
        ("PodFailurePolicy", BY_CODE, {}, "application"),
        ("PodFailurePolicy", BY_CONDITION, {}, "other"),
    ],
)
def test_a_job_whose_pods_nobody_read_failed_as_far_as_it_says_itself(
    reason: str, message: str, spec: dict[str, Any], kind: str
) -> None:
    status = {"failed": 1, "conditions": [condition("Failed", "10:00:00", reason, message)]}
    run = run_of(JobSnapshot(job(status, **spec)), NOW)
    assert (run.failure, run.failure_kind) == (message, kind)


def test_what_was_known_of_its_pods_stays_the_cause() -> None:
    status = {
        "failed": 1,
        "conditions": [condition("Failed", "10:00:00", "BackoffLimitExceeded", SPENT)],
    }
    known = KnownRun(failure="exit code 2: boom", failure_kind="application", attempts=1)
    run = run_of(JobSnapshot(job(status), known=known), NOW)
    assert (run.failure_kind, run.failure) == (
        *(FailureKind.APPLICATION, f"exit code 2: boom. {SPENT}"),
    )


def test_an_api_server_that_goes_away_denies_nobody() -> None:
    words = "Internal error occurred: rpc error: code = Unavailable desc = transport is closing"
    warning = {
        "metadata": {"name": "E", "uid": "E"},
        "reason": "FailedCreate",
        "message": f"Error creating: {words}",
        "firstTimestamp": at("11:59:30"),
        "lastTimestamp": at("11:59:50"),
        "count": 3,
    }
    run = run_of(JobSnapshot(job(), (), [warning]), NOW)
    assert (run.failure, run.failure_kind) == ("", FailureKind.NONE)
    assert DENIALS not in run.attributes
    assert run.attributes[SITUATION] == f"its pods could not be created so far: {words}"


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("ErrImagePull", "not found"),
        ("RegistryUnavailable", "pull failed: connection refused"),
        ("SignatureValidationFailed", "A signature was required, but no signature exists"),
    ],
)
def test_an_image_that_no_node_takes_is_what_fails(reason: str, words: str) -> None:
    waits = {"name": "main", "state": {"waiting": {"reason": reason, "message": words}}}
    run = run_of(JobSnapshot(job({"active": 1}), (pod("p", waits, phase="Pending"),)), NOW)
    assert (run.failure_kind, run.failure) == (FailureKind.IMAGE, f"main: {reason}: {words}")
    assert "main waits for its image" in [event.title for event in run.events]
