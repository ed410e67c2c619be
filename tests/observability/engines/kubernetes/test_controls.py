"""Jobs and Workflows on a real control plane: merge patches and deletions, bound to the uid."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from console.clients import pool
from console.clients.kubernetes.client import KubernetesClient
from console.errors import Conflict, NotFound, Refused
from deploy.emulators.argo.cluster import Cluster
from observability.engines.argo.controls import ArgoControls
from observability.engines.contracts import Engine, Status
from observability.engines.kubernetes.controls import KubernetesControls
from observability.engines.verbs import ActionRequest, Answer, RunFacts
from tenants.contracts import TargetRef
from tests.waiting import until

pytestmark = pytest.mark.cluster
ACTOR = "workflows.argoproj.io/"


@pytest.fixture(scope="module")
def client(kubeconfig: Path) -> KubernetesClient:
    Cluster(f"kubeconfig:{kubeconfig}").install()
    kubernetes = pool.kubernetes(f"kubeconfig:{kubeconfig}")
    until(lambda: "argoproj.io/v1alpha1/Workflow" in kubernetes.probe().kinds)
    return kubernetes


@pytest.fixture(scope="module")
def space(client: KubernetesClient) -> Iterator[str]:
    name = f"acts-{uuid4().hex[:8]}"
    client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    client.delete("Namespace", name)


@pytest.fixture(scope="module")
def target(kubeconfig: Path) -> TargetRef:
    return TargetRef(1, "prod", "kubernetes", "", f"kubeconfig:{kubeconfig}")


def facts(engine: Engine, made: dict[str, Any], **more: Any) -> RunFacts:
    metadata = made["metadata"]
    identity = {"name": metadata["name"], "uid": metadata["uid"], **more}
    return RunFacts(
        1, engine, "", identity["name"], identity["uid"], metadata["namespace"], "t", Status.RUNNING
    )


def request(verb: str, **arguments: Any) -> ActionRequest:
    return ActionRequest(str(uuid4()), verb, arguments, "make room", "olga", "olga@example.org")


def job(client: KubernetesClient, space: str, name: str = "") -> dict[str, Any]:
    template = {
        "spec": {
            "restartPolicy": "Never",
            "containers": [{"name": "main", "image": "example.invalid/work:1"}],
        }
    }
    return client.create(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": name or f"job-{uuid4().hex[:6]}", "namespace": space},
            "spec": {"template": template},
        }
    )


def workflow(client: KubernetesClient, space: str, **more: Any) -> dict[str, Any]:
    metadata = {"name": f"flow-{uuid4().hex[:6]}", "namespace": space, **more.pop("metadata", {})}
    return client.create(
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Workflow",
            "metadata": metadata,
            "spec": {"entrypoint": "main", **more.pop("spec", {})},
            **more,
        }
    )


# -- Jobs ----------------------------------------------------------------------------------------


def test_a_job_is_suspended_and_goes_on(
    client: KubernetesClient, space: str, target: TargetRef
) -> None:
    made = job(client, space)
    run = facts(Engine.KUBERNETES, made)
    controls = KubernetesControls()
    controls.perform(run=run, target=target, request=request("suspend"))
    manifest = client.get("Job", run.external_id, namespace=space)
    assert manifest["spec"]["suspend"] is True
    assert manifest["metadata"]["annotations"] == {
        "headroom.dev/last-action": "suspend",
        "headroom.dev/last-actor": "olga",
        "headroom.dev/last-reason": "make room",
    }
    controls.perform(run=run, target=target, request=request("resume"))
    assert client.get("Job", run.external_id, namespace=space)["spec"]["suspend"] is False


def test_only_that_very_job_is_touched(
    client: KubernetesClient, space: str, target: TargetRef
) -> None:
    made = job(client, space)
    other = facts(Engine.KUBERNETES, made, uid=str(uuid4()))
    for verb in ("suspend", "delete"):
        with pytest.raises(Conflict):
            KubernetesControls().perform(run=other, target=target, request=request(verb))
    manifest = client.get("Job", other.external_id, namespace=space)
    assert not manifest["spec"].get("suspend")
    assert "deletionTimestamp" not in manifest["metadata"]


def test_the_server_itself_refuses_a_patch_for_another_uid(
    client: KubernetesClient, space: str
) -> None:
    """What the uid in a merge patch is for: the object may be replaced after it was read."""
    for kind, made in (("Job", job(client, space)), ("Workflow", workflow(client, space))):
        patch = {"metadata": {"uid": str(uuid4())}, "spec": {"suspend": True}}
        with pytest.raises((Conflict, Refused)):
            client.patch_merge(kind, made["metadata"]["name"], patch, namespace=space)


def test_a_job_is_deleted_with_its_pods_and_only_once(
    client: KubernetesClient, space: str, target: TargetRef
) -> None:
    made = job(client, space)
    run = facts(Engine.KUBERNETES, made)
    KubernetesControls().perform(run=run, target=target, request=request("delete"))

    def gone() -> bool:
        try:
            client.get("Job", run.external_id, namespace=space)
        except NotFound:
            return True
        return False

    until(gone)
    with pytest.raises(NotFound):
        KubernetesControls().perform(run=run, target=target, request=request("delete"))
    with pytest.raises(NotFound):
        KubernetesControls().perform(run=run, target=target, request=request("suspend"))


def test_a_deletion_whose_answer_was_lost_is_not_called_a_refusal(
    client: KubernetesClient, space: str, target: TargetRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete = KubernetesClient.delete

    def unheard(self: KubernetesClient, *args: Any, **options: Any) -> bool:
        while delete(self, *args, **options):  # as the client does when a connection breaks
            pass
        return False

    monkeypatch.setattr(KubernetesClient, "delete", unheard)
    run = facts(Engine.KUBERNETES, job(client, space))
    answer = KubernetesControls().perform(run=run, target=target, request=request("delete"))
    assert answer.message.startswith("The Job is gone")


# -- Workflows -----------------------------------------------------------------------------------


def act(target: TargetRef, made: dict[str, Any], action_request: ActionRequest) -> Answer:
    return ArgoControls().perform(
        run=facts(Engine.ARGO, made), target=target, request=action_request
    )


@pytest.mark.parametrize(
    ("verb", "field", "value", "action"),
    [
        ("stop", "shutdown", "Stop", "Stop"),
        ("terminate", "shutdown", "Terminate", "Terminate"),
        ("suspend", "suspend", True, "Suspend"),
    ],
)
def test_a_merge_patch_says_what_and_who(
    client: KubernetesClient,
    space: str,
    target: TargetRef,
    verb: str,
    field: str,
    value: object,
    action: str,
) -> None:
    before = {f"{ACTOR}actor": "ann", f"{ACTOR}actor-preferred-username": "Ann"}
    made = workflow(client, space, metadata={"labels": {"team": "blue", **before}})
    act(target, made, request(verb))
    manifest = client.get("Workflow", made["metadata"]["name"], namespace=space)
    assert manifest["spec"] == {"entrypoint": "main", field: value}
    assert manifest["metadata"]["labels"] == {
        "team": "blue",
        f"{ACTOR}actor": "olga",
        f"{ACTOR}actor-email": "olga.at.example.org",
        f"{ACTOR}action": action,
    }
    assert manifest["metadata"]["annotations"]["headroom.dev/last-reason"] == "make room"
    managers = manifest["metadata"]["managedFields"]
    assert {entry["operation"] for entry in managers} == {"Update"}


@pytest.mark.parametrize(
    ("written", "label"),
    [
        ("ann@example.org", "ann.at.example.org"),
        ("sso:Ann Öst/7", "sso-Ann--st-7"),
        ("x" * 100, "x" * 63),
        (f"-{'y' * 62}", "y" * 62),
        ("@", "at"),
        ("<script>", "script"),
    ],
)
def test_whoever_acts_is_a_label_that_the_server_takes(
    client: KubernetesClient, space: str, target: TargetRef, written: str, label: str
) -> None:
    made = workflow(client, space, metadata={"labels": {f"{ACTOR}actor-email": "ann"}})
    act(target, made, ActionRequest(str(uuid4()), "stop", {}, "make room", written))
    manifest = client.get("Workflow", made["metadata"]["name"], namespace=space)
    labels = {f"{ACTOR}actor": label, f"{ACTOR}action": "Stop"}
    assert manifest["metadata"]["labels"] == labels
    assert manifest["metadata"]["annotations"]["headroom.dev/last-actor"] == written


def test_resuming_takes_the_suspension_away_and_a_suspend_step_is_left_alone(
    client: KubernetesClient, space: str, target: TargetRef
) -> None:
    made = workflow(client, space, spec={"suspend": True})
    act(target, made, request("resume"))
    manifest = client.get("Workflow", made["metadata"]["name"], namespace=space)
    assert "suspend" not in manifest["spec"]
    with pytest.raises(Refused, match="suspend step"):
        act(target, made, request("resume"))


def test_what_has_ended_or_is_another_is_a_conflict(
    client: KubernetesClient, space: str, target: TargetRef
) -> None:
    labels = {f"{ACTOR}completed": "true"}
    ended = workflow(client, space, metadata={"labels": labels})
    with pytest.raises(Conflict, match="ended already"):
        act(target, ended, request("stop"))
    running = workflow(client, space)
    with pytest.raises(Conflict, match="runs"):
        act(target, running, request("resubmit"))
    other = facts(Engine.ARGO, running, uid=str(uuid4()))
    with pytest.raises(Conflict, match="another one"):
        ArgoControls().perform(run=other, target=target, request=request("stop"))


def test_resubmitting_makes_a_new_one_without_what_belonged_to_the_old(
    client: KubernetesClient, space: str, target: TargetRef
) -> None:
    labels = {
        "team": "blue",
        f"{ACTOR}completed": "true",
        f"{ACTOR}phase": "Failed",
        f"{ACTOR}creator": "ann",
        f"{ACTOR}workflow-archiving-status": "Archived",
    }
    made = workflow(
        client,
        space,
        metadata={"labels": labels},
        spec={"shutdown": "Stop"},
        status={"phase": "Failed"},
    )
    resubmission = request("resubmit")
    answer = act(target, made, resubmission)
    again = act(target, made, resubmission)
    assert again.result["name"] == answer.result["name"]
    new = client.get("Workflow", answer.result["name"], namespace=space)
    assert new["spec"] == {"entrypoint": "main"}
    assert "status" not in new
    assert new["metadata"]["labels"] == {
        "team": "blue",
        f"{ACTOR}actor": "olga",
        f"{ACTOR}actor-email": "olga.at.example.org",
        f"{ACTOR}action": "Resubmit",
        f"{ACTOR}resubmitted-from-workflow": made["metadata"]["name"],
    }
