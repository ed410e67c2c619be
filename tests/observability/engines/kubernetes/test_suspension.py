"""Who suspended a Job and since when is told as the Job has it, not by who wrote it last."""

from __future__ import annotations

from typing import Any

import pytest

from observability.engines.contracts import SITUATION, EventKind
from observability.engines.kubernetes.runs import run_of
from observability.engines.kubernetes.state import JobSnapshot
from tests.observability.engines.kubernetes.described_jobs import (
    NOW,
    condition,
    job,
    of_kind,
    written,
)

APPLY = "kubectl-client-side-apply"
QUEUE = {"labels": {"kueue.x-k8s.io/queue-name": "q"}}
ANN = {
    "annotations": {
        "headroom.dev/last-action": "suspend",
        "headroom.dev/last-actor": "ann",
        "headroom.dev/last-reason": "INC-1",
    }
}
CASES: dict[str, tuple[str, dict[str, Any], str]] = {
    "suspended when it was created, a label applied later": (
        "09:00:00",
        written(APPLY, "11:30:00", "suspend"),
        f"suspended by {APPLY} when it was created",
    ),
    "never changed since, whenever its controller came to it": (
        "10:00:00",
        {"generation": 1, **written("helm", "09:00:00", "suspend")},
        "suspended by helm when it was created",
    ),
    "later, and a label applied after that": (
        "11:00:00",
        {"generation": 2, **written("kubectl-edit", "11:30:00", "suspend")},
        "suspended by kubectl-edit at 2026-11-30 11:00:00 UTC",
    ),
    "by us, of a Job with a queue": (
        "11:30:00",
        {"generation": 2, **written("headroom", "11:30:00", "suspend"), **QUEUE, **ANN},
        "suspended by headroom at 2026-11-30 11:30:00 UTC",
    ),
    "by Kueue": (
        "11:30:00",
        {"generation": 2, **written("kueue", "11:30:00", "suspend"), **QUEUE},
        "suspended until Kueue admits it from the queue q",
    ),
    "when it was created, with a queue of a Kueue that may not be there": (
        "09:00:00",
        {"generation": 1, **written(APPLY, "09:00:00", "suspend"), **QUEUE},
        f"suspended by {APPLY} when it was created; its label names the Kueue queue q",
    ),
    "by nobody knows whom": ("11:30:00", {}, "suspended at 2026-11-30 11:30:00 UTC"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_suspended_job_tells_since_when_it_is(name: str) -> None:
    since, metadata, words = CASES[name]
    status = {"conditions": [condition("Suspended", since, "JobSuspended")]}
    run = run_of(JobSnapshot(job(status, metadata=metadata, suspend=True)), NOW)
    assert run.attributes[SITUATION] == words


def test_a_suspension_that_its_controller_has_not_noted_yet_has_no_time() -> None:
    metadata = {"generation": 2, **written("kubectl-edit", "11:30:00", "suspend")}
    run = run_of(JobSnapshot(job(metadata=metadata, suspend=True)), NOW)
    assert run.attributes[SITUATION] == "suspended by kubectl-edit"


def test_the_event_of_our_own_suspension_has_our_reason() -> None:
    _, metadata, _ = CASES["by us, of a Job with a queue"]
    status = {"conditions": [condition("Suspended", "11:30:00", "JobSuspended")]}
    run = run_of(JobSnapshot(job(status, metadata=metadata, suspend=True)), NOW)
    (paused,) = of_kind(run, EventKind.PAUSED)
    assert (paused.actor, paused.message) == ("ann", "INC-1")
