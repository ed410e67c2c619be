"""Attempts and causes of Jobs as a real cluster runs them: by index, by policy, elsewhere, beside
sidecars. The pods' statuses are written as a kubelet writes them."""

from __future__ import annotations

from typing import Any

import pytest

from observability.engines.contracts import EventKind, FailureKind, RunEvent, Status
from tests.observability.engines.kubernetes.played_jobs import (
    ENDED,
    STARTED,
    PlayedJobs,
    container,
    played_jobs,
    running,
    status,
    terminated,
)
from tests.servers import Cluster

pytestmark = pytest.mark.cluster

FAILED_BY_THREE = status(
    "Failed",
    container(terminated(3, "input file is empty")),
    initContainerStatuses=[container(terminated(137, at="2026-11-29T12:01:30Z"), "proxy")],
)
CRASHES = container(
    {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting"}},
    restartCount=7,
    lastState=terminated(2, "cannot reach database"),
)


@pytest.fixture
def jobs(kube: Cluster) -> PlayedJobs:
    return played_jobs(kube)


def kinds(events: list[RunEvent], *wanted: EventKind) -> list[RunEvent]:
    return [event for event in events if event.kind in wanted]


def gone(jobs: PlayedJobs, name: str) -> list[RunEvent]:
    """What is told of pods of a Job that were removed before they had ended."""
    return [event for event in jobs.events(name) if event.key.endswith(":gone")]


def test_each_index_is_tried_once_and_which_failed_is_said(jobs: PlayedJobs) -> None:
    spec: dict[str, Any] = {"completionMode": "Indexed", "completions": 5, "parallelism": 5}
    jobs.create("indexed", backoffLimitPerIndex=0, **spec)
    for index in range(5):
        code = 1 if index in (0, 2, 3) else 0
        phase = "Failed" if code else "Succeeded"
        jobs.play(jobs.pod("indexed", index, of=5), status(phase, container(terminated(code))))
    run = jobs.ended("indexed")
    assert (run.status, run.attempts) == (Status.FAILED, 1)
    assert run.failure_kind is FailureKind.APPLICATION
    assert "indexes 0, 2–3 failed, 2 of 5 succeeded" in run.failure
    assert run.failure.startswith("Error (exit code 1); indexes ")
    assert run.failure.endswith("Job has failed indexes")
    assert run.attributes["failed_indexes"] == "0,2,3"


def test_an_index_that_is_tried_again_counts_its_own_tries(jobs: PlayedJobs) -> None:
    spec: dict[str, Any] = {"completionMode": "Indexed", "completions": 2, "parallelism": 2}
    jobs.create("again", backoffLimitPerIndex=2, **spec)
    first = jobs.pod("again", 0, of=2)
    jobs.play(jobs.pod("again", 1, of=2), status("Succeeded", container(terminated(0))))
    jobs.play(first, status("Failed", container(terminated(4, "lost the lease"))))
    run = jobs.run("again", lambda run: run.attempts == 2)
    assert run.attributes["situation"].startswith("1 of 2 succeeded; ")
    assert (run.failure, run.failure_kind) == ("exit code 4: lost the lease", "application")


def test_an_index_that_a_policy_fails_at_once_is_said_while_the_others_go_on(
    jobs: PlayedJobs,
) -> None:
    rules = [{"action": "FailIndex", "onExitCodes": {"operator": "In", "values": [42]}}]
    spec: dict[str, Any] = {"completionMode": "Indexed", "completions": 3, "parallelism": 3}
    jobs.create("one-bad", backoffLimitPerIndex=3, podFailurePolicy={"rules": rules}, **spec)
    jobs.play(jobs.pod("one-bad", 0, of=3), status("Failed", container(terminated(42, "no input"))))
    run = jobs.run("one-bad", lambda run: "failed" in run.attributes["situation"])
    assert run.attributes["situation"].startswith("index 0 failed, 0 of 3 succeeded; ")
    words = "exit code 42: no input; rule 0 of the pod failure policy fails its index at once"
    assert run.failure == words
    assert run.attempts == 1


def test_restarts_inside_a_pod_are_attempts_and_the_last_failure_is_kept(jobs: PlayedJobs) -> None:
    jobs.create("restarts", {"restartPolicy": "OnFailure"}, backoffLimit=20)
    jobs.play(jobs.pod("restarts"), status("Running", CRASHES))
    run = jobs.run("restarts", lambda run: run.failure)
    assert (run.status, run.attempts) == (Status.RUNNING, 8)
    assert (run.failure, run.failure_kind) == ("exit code 2: cannot reach database", "application")
    failed = kinds(jobs.events("restarts"), EventKind.ATTEMPT_FAILED)
    assert [(event.attempt, event.message) for event in failed] == [
        (8, "exit code 2: cannot reach database")
    ]
    retry = kinds(jobs.events("restarts"), EventKind.RETRY)
    assert [event.attempt for event in retry] == [9]


def test_a_job_that_used_up_its_restarts_says_what_its_pod_died_of(jobs: PlayedJobs) -> None:
    jobs.create("onfailure", {"restartPolicy": "OnFailure"}, backoffLimit=6)
    pod = jobs.pod("onfailure")
    early = {**CRASHES, "restartCount": 5}
    jobs.play(pod, status("Running", early))
    jobs.run("onfailure", lambda run: run.attempts == 6)
    jobs.play(pod, status("Running", CRASHES))  # the controller removes the pod, and gives up
    jobs.ended("onfailure")
    attempts, failure, kind = jobs.known("onfailure")
    assert attempts in (6, 8)  # what the pod had come to may have gone unseen, with the pod
    assert failure.startswith("exit code 2: cannot reach database. ")
    assert failure.endswith("Job has reached the specified backoff limit")
    assert kind == FailureKind.APPLICATION


def test_the_rule_that_failed_a_job_at_once_is_named(jobs: PlayedJobs) -> None:
    rules = [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]},
        {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}},
    ]
    jobs.create("by-code", backoffLimit=6, podFailurePolicy={"rules": rules})
    pod = jobs.pod("by-code")
    jobs.play(pod, status("Failed", container(terminated(42, "bad config"))))
    run = jobs.ended("by-code")
    assert run.failure == (
        "exit code 42: bad config; rule 1 of the pod failure policy fails the Job at once. "
        f"Container main for pod {jobs.site.namespace}/{pod} failed with exit code 42 matching "
        "FailJob rule at index 1"
    )
    assert (run.attempts, run.failure_kind) == (1, FailureKind.APPLICATION)


def test_a_rule_about_evictions_fails_a_job_by_the_eviction(jobs: PlayedJobs) -> None:
    rules = [{"action": "FailJob", "onPodConditions": [{"type": "DisruptionTarget"}]}]
    jobs.create("by-eviction", backoffLimit=6, podFailurePolicy={"rules": rules})
    evicted = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
        "lastTransitionTime": ENDED,
    }
    jobs.play(
        jobs.pod("by-eviction"),
        status("Failed", container(terminated(143)), conditions=[evicted]),
    )
    run = jobs.ended("by-eviction")
    assert run.failure_kind is FailureKind.EVICTED
    assert run.failure.startswith(
        "EvictionByEvictionAPI (exit code 143): Eviction API: evicting; rule 0 of the pod failure "
        "policy fails the Job at once. "
    )
    assert run.failure.endswith("matching FailJob rule at index 0")


def test_a_failure_that_a_policy_does_not_count_is_a_try_all_the_same(jobs: PlayedJobs) -> None:
    rules = [{"action": "Ignore", "onExitCodes": {"operator": "In", "values": [75]}}]
    jobs.create("ignored", backoffLimit=0, podFailurePolicy={"rules": rules})
    jobs.play(jobs.pod("ignored"), status("Failed", container(terminated(75, "try later"))))
    run = jobs.run("ignored", lambda run: run.attempts == 2)
    failed = kinds(jobs.events("ignored"), EventKind.ATTEMPT_FAILED)
    assert [event.detail["policy"] for event in failed] == [{"rule": 0, "action": "Ignore"}]
    assert run.closed_at is None
    assert run.failure.endswith("rule 0 of the pod failure policy does not count it")


def test_success_by_policy_says_so_and_stopped_pods_are_no_failures(jobs: PlayedJobs) -> None:
    policy = {"rules": [{"succeededIndexes": "0", "succeededCount": 1}]}
    spec: dict[str, Any] = {"completionMode": "Indexed", "completions": 3, "parallelism": 3}
    jobs.create("enough", successPolicy=policy, **spec)
    jobs.play(jobs.pod("enough", 1, of=3), status("Running", container(running())))
    jobs.play(jobs.pod("enough", 0, of=3), status("Succeeded", container(terminated(0))))
    run = jobs.ended("enough")
    assert (run.status, run.failure, run.attempts) == (Status.SUCCEEDED, "", 1)
    words = "by its success policy (Matched rules at index 0): index 0 succeeded, "
    assert run.attributes["situation"].startswith(words)
    assert not kinds(jobs.events("enough"), EventKind.LOST, EventKind.ATTEMPT_FAILED)


def test_a_killed_sidecar_is_not_why_a_job_failed(jobs: PlayedJobs) -> None:
    proxy = {"name": "proxy", "image": "proxy:1", "restartPolicy": "Always"}
    jobs.create("sidecar", {"initContainers": [proxy]}, backoffLimit=0)
    jobs.play(jobs.pod("sidecar"), FAILED_BY_THREE)
    run = jobs.ended("sidecar")
    assert run.failure.startswith("exit code 3: input file is empty. ")
    assert "137" not in run.failure
    assert (run.failure_kind, run.attempts) == (FailureKind.APPLICATION, 1)
    (failed,) = kinds(jobs.events("sidecar"), EventKind.ATTEMPT_FAILED)
    sidecar = failed.detail["containers"][0]
    assert (sidecar["name"], sidecar["role"], sidecar["exit_code"]) == ("proxy", "sidecar", 137)


def test_a_proxy_that_keeps_a_pod_alive_is_said(jobs: PlayedJobs) -> None:
    names = ("main", "istio-proxy")
    jobs.create("proxied", {"containers": [{"name": name, "image": "job:1"} for name in names]})
    jobs.play(
        jobs.pod("proxied"),
        status("Running", container(terminated(0)), container(running(), "istio-proxy")),
    )
    run = jobs.run("proxied", lambda run: run.began_at)
    assert run.status is Status.RUNNING
    assert run.attributes["situation"] == (
        "container main ended at 12:01:00 UTC (exit code 0); istio-proxy still runs and keeps the "
        "pod alive"
    )


def test_a_job_that_is_managed_elsewhere_runs_there(jobs: PlayedJobs) -> None:
    jobs.create("elsewhere", managedBy="kueue.x-k8s.io/multikueue")
    waiting = jobs.run("elsewhere", lambda run: True)
    manager = "managed by kueue.x-k8s.io/multikueue"
    words = f"{manager}, which reports no pods so far"
    assert (waiting.status, waiting.attributes["situation"]) == (Status.WAITING, words)
    jobs.write_job_status("elsewhere", {"active": 1, "ready": 1, "startTime": STARTED})
    run = jobs.run("elsewhere", lambda run: run.status is Status.RUNNING)
    assert run.attributes["situation"] == f"{manager}, pods in another cluster"
    assert run.began_at is not None


def test_pods_with_labels_of_their_own_belong_to_the_job_that_owns_them(jobs: PlayedJobs) -> None:
    labels = {"app": "legacy-import"}
    jobs.create(
        "by-hand",
        manualSelector=True,
        selector={"matchLabels": labels},
        template={"metadata": {"labels": labels}},
    )
    pod = jobs.pod("by-hand")
    jobs.run("by-hand", lambda run: pod in run.attributes["situation"])
    jobs.play(pod, status("Running", container(running())))
    # The Job's own status says no more than before: nothing but its pod has changed.
    run = jobs.run("by-hand", lambda run: run.status is Status.RUNNING and run.began_at)
    assert run.attempts == 1
    jobs.play(pod, status("Failed", container(terminated(9, "old schema"))))
    assert jobs.run("by-hand", lambda run: run.failure).failure == "exit code 9: old schema"


def test_a_suspended_job_says_who_suspended_it(jobs: PlayedJobs) -> None:
    jobs.create("held", suspend=True)
    held = jobs.run("held", lambda run: run.status is Status.PAUSED)
    assert held.attributes["situation"] == "suspended by headroom when it was created"
    jobs.create("stopped")
    jobs.play(jobs.pod("stopped"), status("Running", container(running())))
    jobs.run("stopped", lambda run: run.status is Status.RUNNING)
    jobs.change("stopped", suspend=True)
    # Since when is the Job controller's to say, a moment after the Job was changed.
    run = jobs.run("stopped", lambda run: " at " in str(run.attributes.get("situation")))
    assert run.status is Status.PAUSED
    assert run.attributes["situation"].startswith("suspended by kubectl-edit at 20")
    jobs.run("stopped", lambda _: kinds(jobs.events("stopped"), EventKind.PAUSED))
    (paused,) = kinds(jobs.events("stopped"), EventKind.PAUSED)
    assert paused.actor == "kubectl-edit"
    assert not kinds(jobs.events("stopped"), EventKind.LOST)


def test_a_job_that_is_made_smaller_loses_no_pods(jobs: PlayedJobs) -> None:
    spec: dict[str, Any] = {"completionMode": "Indexed", "completions": 4, "parallelism": 4}
    jobs.create("elastic", **spec)
    for index in range(4):
        jobs.play(jobs.pod("elastic", index, of=4), status("Running", container(running())))
    jobs.run("elastic", lambda run: run.attributes["lacking_pods"] == 0 and run.began_at)
    jobs.change("elastic", completions=2, parallelism=2)
    jobs.run("elastic", lambda _: len(gone(jobs, "elastic")) == 2)
    notes = gone(jobs, "elastic")
    assert sorted(event.message for event in notes) == [
        "The Job was made smaller: 2 completions, its index is 2.",
        "The Job was made smaller: 2 completions, its index is 3.",
    ]
    assert not kinds(jobs.events("elastic"), EventKind.LOST, EventKind.ATTEMPT_FAILED)
    assert jobs.known("elastic") == (1, "", "")


def test_pods_side_by_side_that_are_stopped_are_no_attempts_of_one_another(
    jobs: PlayedJobs,
) -> None:
    jobs.create("workers", parallelism=3)
    for number in range(3):
        jobs.play(jobs.pod("workers", number, of=3), status("Running", container(running())))
    jobs.run("workers", lambda run: run.began_at and run.attributes["lacking_pods"] == 0)
    jobs.change("workers", parallelism=1)
    jobs.run("workers", lambda _: len(gone(jobs, "workers")) == 2)
    assert jobs.known("workers") == (1, "", "")
    assert not kinds(jobs.events("workers"), EventKind.LOST)


PULL = {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image: not there"}}


def test_a_job_whose_image_never_came_failed_by_that(jobs: PlayedJobs) -> None:
    jobs.create("imageless")
    jobs.play(jobs.pod("imageless"), status("Pending", container(PULL)))
    open_run = jobs.run("imageless", lambda run: run.failure)
    words = "main: ImagePullBackOff: Back-off pulling image: not there"
    assert (open_run.status, open_run.failure, open_run.failure_kind) == (
        *(Status.WAITING, words, FailureKind.IMAGE),
    )
    jobs.change("imageless", activeDeadlineSeconds=1)
    run = jobs.ended("imageless")
    assert (run.status, run.failure_kind) == (Status.TIMED_OUT, FailureKind.IMAGE)
    assert run.failure == (f"Job was active longer than specified deadline. The last pod: {words}")


def test_an_image_that_came_in_the_end_is_no_failure_any_more(jobs: PlayedJobs) -> None:
    jobs.create("late-image")
    pod = jobs.pod("late-image")
    jobs.play(pod, status("Pending", container(PULL)))
    jobs.run("late-image", lambda run: run.failure)
    jobs.play(pod, status("Running", container(running())))
    run = jobs.run("late-image", lambda run: run.status is Status.RUNNING)
    assert (run.is_well, jobs.known("late-image")) == (True, (1, "", ""))


def test_a_job_that_waited_for_a_node_until_its_deadline_says_so(jobs: PlayedJobs) -> None:
    jobs.create("nodeless")
    unschedulable = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/3 nodes are available: 3 Insufficient cpu.",
        "lastTransitionTime": STARTED,
    }
    pod = jobs.pod("nodeless")
    jobs.play(pod, {"phase": "Pending", "conditions": [unschedulable]})
    run = jobs.run("nodeless", lambda run: "Insufficient cpu" in run.attributes["situation"])
    assert run.status is Status.WAITING
    jobs.change("nodeless", activeDeadlineSeconds=1)
    late = jobs.ended("nodeless")
    assert late.failure_kind is FailureKind.DEADLINE
    assert "0/3 nodes are available: 3 Insufficient cpu." in late.failure
