"""Every ending of a Job and of its pods reads as what it is, from objects as a cluster has them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from observability.engines.contracts import (
    EventKind,
    FailureKind,
    KnownRun,
    LinkKind,
    RunSnapshot,
    Status,
)
from observability.engines.kubernetes.runs import run_of
from observability.engines.kubernetes.state import JobSnapshot, revision_of, type_of
from observability.engines.quota_refusals import refusal_of

Object = dict[str, Any]
NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
CREATED, STARTED, ENDED = "2026-11-22T10:00:00Z", "2026-11-22T10:00:02Z", "2026-11-22T10:05:00Z"
LATER = "2026-11-22T10:20:00Z"
REFUSED = (
    'Error creating: pods "job-x" is forbidden: exceeded quota: headroom, requested: '
    "requests.cpu=2,pods=1, used: requests.cpu=4,pods=1, limited: requests.cpu=4,pods=10"
)


def job(*conditions: Object, name: str = "job", **spec: Any) -> Object:
    """A Job with conditions."""
    metadata = spec.pop("metadata", {})
    return {
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": "acme",
            "uid": "u1",
            "resourceVersion": "100",
            "creationTimestamp": CREATED,
            **metadata,
        },
        "spec": {"backoffLimit": 0, "template": {"spec": {"containers": []}}, **spec},
        "status": {"startTime": CREATED, "conditions": list(conditions)},
    }


def condition(kind: str, reason: str = "", status: str = "True") -> Object:
    """A condition of a Job or a pod."""
    entry = {"type": kind, "status": status, "reason": reason, "message": f"because of {reason}"}
    return {**entry, "lastTransitionTime": ENDED}


def pod(uid: str = "p1", phase: str = "Running", reason: str = "", **more: Any) -> Object:
    """A pod of the Job; `code`, `why`: how its container ended."""
    code, why = more.pop("code", None), more.pop("why", "Error")
    ended = {"exitCode": code, "reason": why, "startedAt": STARTED, "finishedAt": ENDED}
    state = {"terminated": ended} if code is not None else {"running": {"startedAt": STARTED}}
    state = more.pop("state", state)
    return {
        "metadata": {
            "name": f"job-{uid}",
            "namespace": "acme",
            "uid": uid,
            "resourceVersion": "101",
            "creationTimestamp": CREATED,
            "annotations": more.pop("annotations", {}),
        },
        "spec": {"nodeName": "node-1"},
        "status": {
            "phase": phase,
            "reason": reason,
            "conditions": more.pop("conditions", []),
            "containerStatuses": [{"name": "main", "image": "busybox:1", "state": state, **more}],
        },
    }


def seen(manifest: Object, *pods: Object, **more: Any) -> RunSnapshot:
    """The run of a Job."""
    return run_of(JobSnapshot(manifest, pods, **more), NOW)


LATE = condition("Failed", "DeadlineExceeded")
SPENT = condition("Failed", "BackoffLimitExceeded")
DISRUPTED = [condition("DisruptionTarget", "PreemptionByScheduler")]
TAINTED = [condition("DisruptionTarget", "DeletionByTaintManager")]
FAILURES: dict[str, tuple[Object, Object, Status, FailureKind]] = {
    "exit code": (SPENT, pod(phase="Failed", code=3), Status.FAILED, FailureKind.APPLICATION),
    "out of memory": (
        *(SPENT, pod(phase="Failed", code=137, why="OOMKilled")),
        *(Status.FAILED, FailureKind.OUT_OF_MEMORY),
    ),
    "evicted": (SPENT, pod(phase="Failed", reason="Evicted"), Status.FAILED, FailureKind.EVICTED),
    "preempted": (
        *(SPENT, pod(phase="Failed", code=143, conditions=DISRUPTED)),
        *(Status.FAILED, FailureKind.EVICTED),
    ),
    "node lost": (
        *(SPENT, pod(phase="Failed", conditions=TAINTED)),
        *(Status.FAILED, FailureKind.WORKER_LOST),
    ),
    "deadline": (LATE, pod(phase="Failed", code=143), Status.TIMED_OUT, FailureKind.DEADLINE),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_reads_as_what_it_is(name: str) -> None:
    why, last, status, kind = FAILURES[name]
    run = seen(job(why), last)
    assert (run.status, run.failure_kind) == (status, kind)
    assert run.closed_at == datetime.fromisoformat(ENDED)
    assert run.document is not None
    assert "because of" in run.failure


def test_what_the_pod_died_of_comes_before_that_it_was_the_last_try() -> None:
    run = seen(job(SPENT), pod(phase="Failed", code=137, why="OOMKilled"))
    assert run.failure == "OOMKilled (exit code 137). because of BackoffLimitExceeded"


def test_a_message_that_ends_in_a_full_stop_has_one() -> None:
    evicted = pod(phase="Failed", reason="Evicted", conditions=[])
    evicted["status"]["message"] = "The node was low on resource: ephemeral-storage."
    words = "Evicted: The node was low on resource: ephemeral-storage. because of"
    assert seen(job(SPENT), evicted).failure.startswith(words)


def test_a_deadline_comes_before_what_it_did_to_the_pod() -> None:
    run = seen(job(LATE), pod(phase="Failed", code=143))
    assert run.failure == "because of DeadlineExceeded. The last pod: Error (exit code 143)"


def test_pods_side_by_side_that_all_failed_are_as_many_attempts() -> None:
    manifest = job(SPENT, parallelism=2, completions=2)
    manifest["status"]["failed"] = 2
    run = seen(manifest, pod("p1", phase="Failed", code=1), pod("p2", phase="Failed", code=1))
    assert run.attempts == 2


def test_pods_side_by_side_that_go_on_after_a_failure_are_one_attempt_more() -> None:
    manifest = job(parallelism=2, completions=2)
    manifest["status"]["failed"] = 1
    assert seen(manifest, pod("p1", phase="Failed", code=1), pod("p2")).attempts == 2


def warning(count: int, name: str = "w") -> Object:
    """A refusal, as the Job controller tells it."""
    times = {"firstTimestamp": CREATED, "lastTimestamp": ENDED}
    metadata = {"name": name, "resourceVersion": "102"}
    return {
        "reason": "FailedCreate", "message": REFUSED, "count": count, "metadata": metadata, **times
    }  # fmt: skip


def test_refusals_of_one_job_are_one_event_with_their_number() -> None:
    run = seen(job(), warnings=(warning(1), warning(4, "x")))
    denied = [event for event in run.events if event.kind is EventKind.DENIED]
    assert [event.detail["count"] for event in denied] == [5]
    assert denied[0].detail["used"] == {"requests.cpu": "4", "pods": "1"}
    assert run.status is Status.WAITING


def test_a_refusal_counts_on_and_what_the_cluster_forgot_is_remembered() -> None:
    run = seen(job(), warnings=(warning(1), warning(4, "x")))
    known = KnownRun(attributes=run.attributes)
    (first,) = [event for event in run.events if event.kind is EventKind.DENIED]
    later = {**warning(9), "firstTimestamp": ENDED, "lastTimestamp": LATER}
    later["message"] = REFUSED.replace("used: requests.cpu=4", "used: requests.cpu=3800m")
    again = seen(job(), warnings=(later,), before=run.revision, known=known)
    (moved,) = [event for event in again.events if event.kind is EventKind.DENIED]
    assert (moved.key, moved.seq, moved.at) == (first.key, first.seq, first.at)
    assert moved.message == "requests.cpu: asked 2, used 3800m of 4; pods: asked 1, used 1 of 10"
    denials = again.attributes["denials"]
    assert (denials["count"], denials["words"]) == (13, moved.message)
    assert (denials["first_at"], denials["last_at"]) == (
        datetime.fromisoformat(CREATED).isoformat(),
        datetime.fromisoformat(LATER).isoformat(),
    )


def test_a_refusal_for_another_reason_is_another_event_and_counts_with_the_first() -> None:
    capped = {**warning(2, "y"), "firstTimestamp": LATER, "lastTimestamp": LATER}
    capped["message"] = (
        'Error creating: pods "job-y" is forbidden: maximum cpu usage per Container is 1, but '
        "limit is 2"
    )
    run = seen(job(), warnings=(capped, warning(3)))
    denied = [event for event in run.events if event.kind is EventKind.DENIED]
    assert [event.detail["kind"] for event in denied] == ["quota", "limit_range"]
    denials = run.attributes["denials"]
    assert (denials["count"], denials["kind"]) == (5, "limit_range")
    assert run.failure_kind is FailureKind.LIMIT_RANGE


def test_an_api_server_that_was_busy_refused_nothing() -> None:
    busy = warning(1)
    busy["message"] = (
        'Error creating: Operation cannot be fulfilled on resourcequotas "headroom": the object '
        "has been modified; please apply your changes to the latest version and try again"
    )
    run = seen(job(), warnings=(busy,))
    assert "denials" not in run.attributes
    assert run.failure == ""
    assert run.attributes["situation"].startswith(
        "its pods could not be created so far: Operation cannot be fulfilled on resourcequotas"
    )


def test_a_job_that_was_never_let_in_failed_by_the_quota() -> None:
    run = seen(job(LATE), warnings=(warning(3),))
    assert (run.status, run.failure_kind) == (Status.TIMED_OUT, FailureKind.QUOTA)
    assert "asked 2, used 4 of 4" in run.failure


@pytest.mark.parametrize(
    "message", ["", "exceeded quota", "exceeded quota: q, requested: ", "x" * 9]
)
def test_other_messages_are_no_refusal_by_a_quota(message: str) -> None:
    assert refusal_of(message) is None


def test_a_pod_that_waits_says_what_for() -> None:
    unschedulable = condition("PodScheduled", "Unschedulable", "False")
    state = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
    run = seen(
        job(parallelism=2),
        pod("p1", "Pending", conditions=[unschedulable], state={}),
        pod("p2", "Pending", state=state),
    )
    waits = [event.detail["for"] for event in run.events if event.kind is EventKind.WAITING]
    assert sorted(waits) == ["image", "node"]
    assert run.status is Status.WAITING


def test_a_container_that_was_started_again_is_an_attempt_that_failed() -> None:
    before = {"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": ENDED}}
    run = seen(job(), pod(restartCount=2, lastState=before))
    failed = next(event for event in run.events if event.kind is EventKind.ATTEMPT_FAILED)
    assert (failed.detail["restarts"], failed.detail["failure"]) == (2, "out_of_memory")


def test_a_pod_that_is_removed_early_was_stopped_or_lost() -> None:
    gone = frozenset({"p1"})
    lost = seen(job(), pod(), removed=gone)
    assert EventKind.LOST in [event.kind for event in lost.events]
    stopped = seen(job(suspend=True), pod(), removed=gone)
    assert EventKind.LOST not in [event.kind for event in stopped.events]
    assert stopped.status is Status.PAUSED


def test_what_the_starter_declared_is_read_from_labels_and_annotations() -> None:
    metadata = {
        "labels": {"headroom.dev/tenant": "acme", "headroom.dev/trace-id": "t1"},
        "annotations": {"headroom.dev/parent-run": "temporal/ns/order-1/r1"},
    }
    run = seen(job(metadata=metadata))
    assert (run.tenant, run.parent) == ("acme", "temporal/ns/order-1/r1")
    assert run.links == {LinkKind.TRACE: "t1"}


def test_a_job_of_a_workflow_belongs_to_it() -> None:
    owner = {"kind": "Workflow", "name": "wf", "uid": "w1", "controller": True}
    run = seen(job(metadata={"ownerReferences": [owner]}))
    assert run.parent == "argo/acme/wf/w1"
    assert run.started_by == "Workflow/wf"


@pytest.mark.parametrize(
    ("name", "metadata", "type"),
    [
        ("nightly-28391040", {}, "nightly"),
        ("report-x7k2p", {"generateName": "report-"}, "report"),
        ("report-x7k2p", {"labels": {"app": "reports"}}, "reports"),
        ("a", {"ownerReferences": [{"kind": "CronJob", "name": "nightly"}]}, "nightly"),
        ("plain", {}, "plain"),
    ],
)
def test_jobs_of_one_kind_have_one_type(name: str, metadata: Object, type: str) -> None:
    assert type_of(job(name=name, metadata=metadata)) == type


def test_revisions_never_go_down_when_pods_and_events_go() -> None:
    full = JobSnapshot(job(), (pod(),), (warning(1),))
    before = revision_of(full, frozenset("q"))
    assert before == "100.101.102 q"
    assert revision_of(JobSnapshot(job(), before=before), frozenset("q")) == before


def test_a_clean_up_is_planned_overdue_or_done() -> None:
    done = job(condition("Complete"), ttlSecondsAfterFinished=60)
    run = seen(done)
    assert run.cleanup_at == datetime.fromisoformat(ENDED) + timedelta(seconds=60)
    assert [event.key for event in run.events if event.kind is EventKind.CLEANUP] == ["overdue"]
    gone = seen(done, deleted=True, before=run.revision)
    assert [event.key for event in gone.events if event.kind is EventKind.CLEANUP] == ["cleaned"]
    assert gone.document is None
    assert gone.cleaned_at == NOW


HOSTILE: list[Any] = [None, [], "text", 7, {"conditions": "x", "startTime": 5}]


@pytest.mark.parametrize("status", HOSTILE)
def test_objects_of_any_shape_are_read_without_harm(status: Any) -> None:
    odd = {"metadata": {"uid": "p", "name": "<b>" * 500}, "status": status, "spec": []}
    run = seen({**job(), "status": status}, odd)
    assert run.external_id == "job"
    assert all(len(event.key) <= 160 and len(event.title) <= 200 for event in run.events)
