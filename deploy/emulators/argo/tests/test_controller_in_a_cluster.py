"""The emulated workflow controller at work in a cluster, emulated and real."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from console.errors import NotFound
from deploy.emulators.argo import names
from deploy.emulators.argo.__main__ import main
from deploy.emulators.argo.cluster import Cluster
from deploy.emulators.argo.controller import Controller
from tests.cluster_admin import Administrator
from tests.waiting import until

LEASE = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}


@pytest.fixture
def space(site: Administrator) -> Iterator[str]:
    name = f"flow-{uuid4().hex[:8]}"
    site.client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    site.client.delete("Namespace", name)


@pytest.fixture
def cluster(site: Administrator, space: str) -> Cluster:
    """With the definition of Workflows served. Other tests share it: only `space` is managed."""
    managed = Cluster(f"kubeconfig:{site.kubeconfig}", space)
    assert managed.install()
    until(lambda: "argoproj.io/v1alpha1/Workflow" in site.client.probe().kinds)
    return managed


def submit(site: Administrator, space: str, name: str, **spec: Any) -> None:
    template = {"name": "main", "container": {"image": "example.invalid/work:1"}}
    site.client.create(
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Workflow",
            "metadata": {"name": name, "namespace": space},
            "spec": {"entrypoint": "main", "templates": [template], **spec},
        }
    )


def end_pod(site: Administrator, space: str, name: str, code: int) -> None:
    """What a kubelet would write, by the status subresource."""
    terminated = {
        "exitCode": code,
        "reason": "Completed" if code == 0 else "Error",
        "startedAt": "2026-11-22T12:00:00Z",
        "finishedAt": "2026-11-22T12:00:09Z",
    }
    status = {
        "phase": "Failed" if code else "Succeeded",
        "containerStatuses": [
            {
                "name": "main",
                "state": {"terminated": terminated},
                "image": "",
                "imageID": "",
                "ready": False,
                "restartCount": 0,
            }
        ],
    }
    patch = json.dumps({"status": status})
    site.kubectl(
        "-n", space, "patch", "pod", name, "--subresource=status", "--type=merge", "-p", patch
    )


def test_a_workflow_is_run_through_the_api(
    site: Administrator, cluster: Cluster, space: str
) -> None:
    submit(site, space, "one")
    controller = Controller(cluster)
    controller.round(datetime.now(UTC))
    workflow = site.client.get("Workflow", "one", namespace=space)
    assert workflow["status"]["phase"] == "Running"
    assert workflow["metadata"]["labels"][names.PHASE] == "Running"
    pod = site.client.get("Pod", "one", namespace=space)
    assert pod["metadata"]["ownerReferences"][0]["uid"] == workflow["metadata"]["uid"]
    managers = {entry["manager"] for entry in workflow["metadata"]["managedFields"]}
    assert names.FIELD_MANAGER in managers
    end_pod(site, space, "one", 1)
    controller.round(datetime.now(UTC))
    workflow = site.client.get("Workflow", "one", namespace=space)
    assert (workflow["status"]["phase"], workflow["status"]["message"]) == (
        "Failed",
        "main: Error (exit code 1)",
    )
    assert workflow["metadata"]["labels"][names.COMPLETED] == "true"
    reasons = {event["reason"] for event in site.client.events(space)}
    assert {"WorkflowRunning", "WorkflowFailed"} <= reasons


def test_a_quota_refusal_is_seen_as_a_wait(
    site: Administrator, cluster: Cluster, space: str
) -> None:
    site.client.create(
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "none", "namespace": space},
            "spec": {"hard": {"pods": "0"}},
        }
    )
    until(
        lambda: (
            "hard" in site.client.get("ResourceQuota", "none", namespace=space).get("status", {})
        )
    )
    submit(site, space, "q")
    Controller(cluster).round(datetime.now(UTC))
    node = site.client.get("Workflow", "q", namespace=space)["status"]["nodes"]["q"]
    assert node["phase"] == "Pending"
    assert "exceeded quota: none" in node["message"]


def test_the_label_and_the_lock_of_a_namespace_bind(
    site: Administrator, cluster: Cluster, space: str
) -> None:
    site.kubectl("label", "namespace", space, f"{names.LIMIT}=1")
    site.client.create(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "headroom-limits", "namespace": space},
            "data": {"gpu": "1"},
        }
    )
    ref = {"configMapKeyRef": {"name": "headroom-limits", "key": "gpu"}}
    for name in ("a", "b"):
        submit(site, space, name, synchronization={"semaphores": [ref]})
    controller = Controller(cluster)
    controller.round(datetime.now(UTC))
    messages = {
        name: site.client.get("Workflow", name, namespace=space)["status"].get("message")
        for name in ("a", "b")
    }
    assert sorted(map(str, messages.values())) == ["None", names.POSTPONED]
    site.kubectl("label", "--overwrite", "namespace", space, f"{names.LIMIT}=2")
    controller.round(datetime.now(UTC))
    waits = [
        str(site.client.get("Workflow", name, namespace=space)["status"].get("message"))
        for name in ("a", "b")
    ]
    assert any(
        text.startswith(f"Waiting for {space}/ConfigMap/headroom-limits/gpu") for text in waits
    )


def test_it_refuses_to_start_where_a_real_controller_is_at_work(
    site: Administrator, cluster: Cluster, space: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lease = {
        **LEASE,
        "metadata": {"name": "workflow-controller", "namespace": space},
        "spec": {
            "holderIdentity": "workflow-controller-7d",
            "leaseDurationSeconds": 15,
            "renewTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000000Z"),
        },
    }
    assert cluster.real_controller(space, datetime.now(UTC)) == ""
    assert cluster.create(lease)
    later = datetime.now(UTC) + timedelta(minutes=5)
    assert cluster.real_controller(space, datetime.now(UTC)) == "workflow-controller-7d"
    assert cluster.real_controller(space, later) == ""
    arguments = ["--kubeconfig", str(site.kubeconfig), "--controller-namespace", space]
    arguments += ["--managed-namespace", space]
    assert main(arguments) == 3
    assert "A real workflow controller is at work here" in capsys.readouterr().err


def test_it_leaves_namespaces_alone_that_it_does_not_manage(
    site: Administrator, cluster: Cluster, space: str
) -> None:
    other = f"{space}-other"
    site.client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": other}})
    try:
        submit(site, space, "managed")
        submit(site, other, "stranger")
        Controller(cluster).round(datetime.now(UTC))
        managed = site.client.get("Workflow", "managed", namespace=space)
        stranger = site.client.get("Workflow", "stranger", namespace=other)
        assert managed["status"]["phase"] == "Running"
        assert "status" not in stranger
    finally:
        site.client.delete("Namespace", other)


def test_a_write_to_what_is_gone_is_no_trouble(cluster: Cluster, space: str) -> None:
    gone = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": "gone", "namespace": space},
        "spec": {},
    }
    assert cluster.update(gone) is False
    with pytest.raises(NotFound):
        cluster.workflow(space, "gone")
