"""Whoever refuses a Job's pods is named, as what it is, and refusals are counted on."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.demo.parts.programs import kube_binaries
from observability.engines.contracts import EventKind, FailureKind, RunSnapshot, Status
from tests.observability.engines.kubernetes.played_jobs import (
    PlayedJobs,
    container,
    played_jobs,
    running,
    status,
)
from tests.servers import NO_CLUSTER, Cluster, kube_control_plane
from tests.waiting import until

Object = dict[str, Any]
ADMISSION = "/apis/admissionregistration.k8s.io/v1"


@pytest.fixture
def jobs(kube: Cluster) -> PlayedJobs:
    return played_jobs(kube)


def refused(jobs: PlayedJobs, name: str) -> RunSnapshot:
    """The run of a Job once a pod of it was refused."""
    return jobs.run(name, lambda run: run.attributes.get("denials"))


def resources(**cpu: str) -> Object:
    """A pod with requests and limits of CPU and a little memory."""
    amounts = {which: {"cpu": amount, "memory": "64Mi"} for which, amount in cpu.items()}
    return {"containers": [{"name": "main", "image": "job:1", "resources": amounts}]}


@pytest.mark.cluster
def test_a_quota_refuses_until_it_is_raised_and_the_newest_amounts_are_told(
    jobs: PlayedJobs,
) -> None:
    jobs.site.limit("1")
    jobs.create("wide", resources(requests="3"))
    first = refused(jobs, "wide")
    assert (first.status, first.failure_kind) == (Status.WAITING, FailureKind.QUOTA)
    assert first.failure == "requests.cpu: asked 3, used 0 of 1"
    again = jobs.run("wide", lambda run: run.attributes["denials"]["count"] > 3)
    assert again.attributes["denials"]["last_at"] > first.attributes["denials"]["first_at"]
    raise_quota(jobs, "2")
    later = jobs.run("wide", lambda run: run.attributes["denials"]["limited"][CPU] == "2")
    assert later.failure == "requests.cpu: asked 3, used 0 of 2"
    assert later.attributes["denials"]["first_at"] == first.attributes["denials"]["first_at"]
    denied = [event for event in jobs.events("wide") if event.kind is EventKind.DENIED]
    assert [event.detail["limited"][CPU] for event in denied] == ["1", "2"]
    assert denied[0].detail["count"] > 3
    raise_quota(jobs, "4")
    let_in = jobs.run("wide", lambda run: run.is_well)
    assert (let_in.failure, jobs.known("wide")[1:]) == ("", ("", ""))
    noted = [event for event in jobs.events("wide") if event.key.startswith("let-in")]
    assert [event.title for event in noted] == ["Its pods are no longer refused"]


CPU = "requests.cpu"


def raise_quota(jobs: PlayedJobs, amount: str) -> None:
    """Sets the quota, and waits until it is enforced."""
    site = jobs.site
    patch = {"spec": {"hard": {CPU: amount}}}
    site.client.patch_merge("ResourceQuota", "headroom", patch, namespace=site.namespace)
    until(
        lambda: (
            site.client.get("ResourceQuota", "headroom", namespace=site.namespace)["status"]["hard"]
            == {CPU: amount}
        )
    )


@pytest.mark.cluster
def test_a_quota_that_wants_requests_says_of_what(jobs: PlayedJobs) -> None:
    jobs.site.limit("4")
    jobs.create("bare")
    run = refused(jobs, "bare")
    assert run.failure == "failed quota: headroom: must specify requests.cpu for: main"
    assert run.failure_kind is FailureKind.QUOTA


@pytest.mark.cluster
def test_a_limit_range_refuses_as_one(jobs: PlayedJobs) -> None:
    limits = [{"type": "Container", "max": {"cpu": "1"}}]
    body = {"metadata": {"name": "team-caps"}, "spec": {"limits": limits}}
    assert jobs.api.post("limitranges", body)[0] == 201
    jobs.create("capped", resources(requests="2", limits="2"))
    run = refused(jobs, "capped")
    assert run.failure == "maximum cpu usage per Container is 1, but limit is 2"
    assert run.failure_kind is FailureKind.LIMIT_RANGE
    assert run.attributes["denials"]["kind"] == "limit_range"


@pytest.mark.cluster
def test_pod_security_refuses_as_such(jobs: PlayedJobs) -> None:
    labels = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "baseline"}}}
    jobs.site.client.patch_merge("Namespace", jobs.site.namespace, labels)
    jobs.create("on-host", {"hostNetwork": True})
    run = refused(jobs, "on-host")
    words = 'violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)'
    assert (run.failure, run.failure_kind) == (words, FailureKind.POD_SECURITY)
    (denied,) = [event for event in jobs.events("on-host") if event.kind is EventKind.DENIED]
    assert denied.title == "Pods refused by Pod Security baseline:latest"


@pytest.mark.cluster
def test_a_webhook_that_cannot_be_called_refuses_as_one(jobs: PlayedJobs) -> None:
    name = f"deny-{jobs.site.namespace}"
    hook = {
        "name": "deny.example.com",
        "clientConfig": {"url": "https://127.0.0.1:1/x"},
        "rules": [RULE],
        "namespaceSelector": {"matchLabels": only(jobs)},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    path = f"{ADMISSION}/validatingwebhookconfigurations"
    assert jobs.api.call("POST", path, {"metadata": {"name": name}, "webhooks": [hook]})[0] == 201
    try:
        until(lambda: trial(jobs) == 500)
        jobs.create("hooked")
        run = refused(jobs, "hooked")
    finally:
        jobs.api.call("DELETE", f"{path}/{name}")
    assert run.failure_kind is FailureKind.WEBHOOK
    assert run.attributes["denials"]["by"] == "deny.example.com"
    assert 'failed calling webhook "deny.example.com"' in run.failure


@pytest.mark.cluster
def test_an_admission_policy_refuses_as_one_with_its_whole_message(jobs: PlayedJobs) -> None:
    name = f"no-latest-{jobs.site.namespace}"
    message = "image tags are pinned here; ask platform-sec"
    policy = {
        "matchConstraints": {"resourceRules": [RULE]},
        "validations": [{"expression": "false", "message": message}],
    }
    binding = {
        "policyName": name,
        "validationActions": ["Deny"],
        "matchResources": {"namespaceSelector": {"matchLabels": only(jobs)}},
    }
    paths = [f"{ADMISSION}/validatingadmissionpolic{end}" for end in ("ies", "ybindings")]
    for path, spec in zip(paths, (policy, binding), strict=True):
        assert jobs.api.call("POST", path, {"metadata": {"name": name}, "spec": spec})[0] == 201
    try:
        until(lambda: trial(jobs) == 422)
        jobs.create("policed")
        run = refused(jobs, "policed")
    finally:
        for path in reversed(paths):
            jobs.api.call("DELETE", f"{path}/{name}")
    assert run.failure_kind is FailureKind.ADMISSION_POLICY
    assert run.failure == (
        f"ValidatingAdmissionPolicy '{name}' with binding '{name}' denied request: {message}"
    )


RULE = {
    "apiGroups": [""],
    "apiVersions": ["v1"],
    "operations": ["CREATE"],
    "resources": ["pods"],
}


def only(jobs: PlayedJobs) -> dict[str, str]:
    """A selector of the test's own namespace."""
    return {"kubernetes.io/metadata.name": jobs.site.namespace}


def trial(jobs: PlayedJobs) -> int:
    """How a pod would fare that is not really made."""
    pod = {"metadata": {"name": "trial"}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
    code, _ = jobs.api.post("pods", pod, query="?dryRun=All")
    return code


@pytest.mark.cluster
@pytest.mark.skipif(kube_binaries() is None, reason=NO_CLUSTER)
def test_a_missing_service_account_is_why_a_job_never_ran() -> None:
    with kube_control_plane(service_accounts=True) as plane:
        jobs = played_jobs(plane.cluster)
        jobs.create("accountless", {"serviceAccountName": "does-not-exist"})
        words = (
            f"error looking up service account {jobs.site.namespace}/does-not-exist: "
            'serviceaccount "does-not-exist" not found'
        )
        waiting = refused(jobs, "accountless")
        assert (waiting.failure, waiting.failure_kind) == (words, FailureKind.SERVICE_ACCOUNT)
        jobs.change("accountless", activeDeadlineSeconds=1)
        run = jobs.ended("accountless")
    assert (run.status, run.failure_kind) == (Status.TIMED_OUT, FailureKind.SERVICE_ACCOUNT)
    assert run.failure == (
        f"Job was active longer than specified deadline. No pod was ever admitted: {words}"
    )


@pytest.mark.cluster
def test_pods_that_run_are_not_denied_because_others_are(jobs: PlayedJobs) -> None:
    jobs.site.limit("2")
    jobs.create("partly", resources(requests="1"), parallelism=3, completions=3)
    for number in range(2):
        jobs.play(jobs.pod("partly", number, of=2), status("Running", container(running())))
    run = jobs.run("partly", lambda run: run.began_at and run.failure)
    assert (run.status, run.failure_kind) == (Status.RUNNING, FailureKind.QUOTA)
    assert run.failure == "requests.cpu: asked 1, used 2 of 2"
    assert run.attributes["lacking_pods"] == 1
