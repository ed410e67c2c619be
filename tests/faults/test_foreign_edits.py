"""Somebody else at our objects: seen, named, healed or held, and never forced in silence."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from console.audit.models import Entry
from quotas.changes.kinds.adjustments import SetOverride
from quotas.changes.kinds.repairs import Repair, TakeOver
from quotas.enforcement.models import Condition, Drift, ItemState, PlacementState, RolloutItem
from quotas.enforcement.reconcile.queue import process_queue
from quotas.enforcement.reconcile.sweep import sweep
from tenants.models import DriftPolicy, Placement
from tests.faults.installation import Installation
from tests.faults.kubectl_user import KubectlUser, quota
from tests.servers import Cluster
from tests.waiting import until

pytestmark = pytest.mark.cluster
PODS = "spec.hard[pods]"


@dataclass(frozen=True)
class Scene:
    """One tenant whose limits are enforced on the real API server, and somebody with kubectl."""

    installation: Installation
    placement: Placement
    kubectl_user: KubectlUser

    @property
    def where(self) -> str:
        """The namespace."""
        return self.placement.location

    @property
    def state(self) -> PlacementState:
        """As the console shows it."""
        return PlacementState.objects.get(placement=self.placement)

    def look(self) -> None:
        """A sweep, and what it orders."""
        assert sweep(self.placement.target_id, force=True) is not None

    def entry(self, action: str) -> Entry:
        """The one entry of the ledger about it."""
        return Entry.objects.get(action=action, tenant=self.placement.tenant.slug)


@pytest.fixture
def scene(installation: Installation, kube: Cluster) -> Scene:
    target = installation.cluster(kube.kubeconfig)
    version = installation.plan(pods=10, container__default__cpu=250)
    (placement,) = installation.place(installation.tenants(1, version), target)
    rollout = installation.order([placement])
    process_queue(target.pk)
    installation.finished(rollout)
    made = Scene(installation, placement, KubectlUser(kube.kubeconfig))
    made.look()
    assert made.state.condition == Condition.SYNCED
    return made


def hold(scene: Scene) -> None:
    """Drift waits for a person here."""
    Placement.objects.filter(pk=scene.placement.pk).update(drift_policy=DriftPolicy.HOLD)


def sides(entry: Entry) -> tuple[list[str], list[str]]:
    """What an entry says was there, and is there now."""
    return list((entry.before or {}).values()), list((entry.after or {}).values())


def test_an_edit_is_healed_and_the_ledger_says_whose_it_was(scene: Scene) -> None:
    scene.kubectl_user.edit(scene.where, pods="99")
    scene.look()
    assert scene.kubectl_user.hard(scene.where) == {"pods": "10"}
    assert scene.state.condition == Condition.SYNCED
    drift = Drift.objects.get(placement=scene.placement)
    assert (drift.outcome, drift.owner) == ("healed", "kubectl-edit")
    assert [field["path"] for field in drift.changes[0]["fields"]] == [PODS]
    entry = scene.entry("drift.heal")
    assert sides(entry) == (["99"], ["10"])
    assert "kubectl-edit" in entry.message


def test_an_edit_is_shown_and_held_until_somebody_repairs_it(scene: Scene) -> None:
    hold(scene)
    scene.kubectl_user.edit(scene.where, pods="99")
    scene.look()
    scene.look()
    assert scene.kubectl_user.hard(scene.where) == {"pods": "99"}
    assert scene.state.condition == Condition.DRIFTED
    assert "kubectl-edit" in scene.state.message
    assert Drift.objects.get(placement=scene.placement).outcome == "open"
    assert sides(scene.entry("drift.found")) == (["10"], ["99"])
    scene.installation.change(Repair((scene.placement.pk,)))
    process_queue(scene.placement.target_id)
    assert scene.kubectl_user.hard(scene.where) == {"pods": "10"}
    assert scene.state.condition == Condition.SYNCED
    assert Drift.objects.get(placement=scene.placement).outcome == "healed"


def test_a_field_that_argocd_applies_is_named_left_alone_and_can_be_taken_over(
    scene: Scene,
) -> None:
    scene.kubectl_user.declare(scene.where, "argocd", pods="99")
    scene.look()
    assert scene.state.condition == Condition.CONFLICT
    assert scene.state.owners == {PODS: "argocd"}
    rollout = scene.installation.change(SetOverride((scene.placement.tenant.slug,), "pods", 12))
    process_queue(scene.placement.target_id)
    item = RolloutItem.objects.get(rollout=rollout)
    assert (item.state, item.owners) == (ItemState.CONFLICT, {PODS: "argocd"})
    assert "argocd" in item.message
    assert scene.kubectl_user.hard(scene.where) == {"pods": "99"}

    taking = scene.installation.change(
        TakeOver((scene.placement.pk,)), reason="agreed with the team"
    )
    process_queue(scene.placement.target_id)
    scene.installation.finished(taking)
    assert scene.kubectl_user.hard(scene.where) == {"pods": "12"}
    assert scene.state.condition == Condition.SYNCED
    entry = scene.entry("fields.takeover")
    assert sides(entry) == (["99"], ["12"])
    assert entry.reason == "agreed with the team"
    assert "argocd" in entry.message


def test_a_namespace_deleted_behind_our_back_comes_back_with_everything(scene: Scene) -> None:
    before = scene.kubectl_user.ours(scene.where)
    assert {kind for kind, _ in before} >= {"Namespace", "ResourceQuota", "LimitRange"}
    scene.kubectl_user.kubectl("delete", "namespace", scene.where, "--wait=true")
    scene.look()
    assert scene.kubectl_user.ours(scene.where) == before
    assert scene.kubectl_user.hard(scene.where) == {"pods": "10"}
    assert scene.state.condition == Condition.SYNCED
    assert scene.entry("drift.heal").object_label == f"lab/{scene.where}"


def test_a_deleted_object_is_made_again(scene: Scene) -> None:
    before = scene.kubectl_user.ours(scene.where)
    scene.kubectl_user.kubectl("-n", scene.where, "delete", "resourcequota,networkpolicy", "--all")
    assert scene.kubectl_user.ours(scene.where) < before
    scene.look()
    assert scene.kubectl_user.ours(scene.where) == before
    assert Drift.objects.get(placement=scene.placement).outcome == "healed"


def test_the_quota_of_gke_is_counted_and_left_alone(scene: Scene) -> None:
    name = "gke-resource-quotas"
    theirs = quota(name, scene.where, pods="4", services="5")
    scene.kubectl_user.kubectl("create", "-f", "-", stdin=json.dumps(theirs))

    def gke() -> tuple[object, set[str]]:
        manifest = scene.kubectl_user.client.get("ResourceQuota", name, namespace=scene.where)
        managers = {entry["manager"] for entry in manifest["metadata"]["managedFields"]}
        return manifest["spec"], managers

    def counted() -> bool:
        scene.look()
        return bool(scene.state.limits["pods"].get("enforced") == 4)

    until(counted)
    assert any("gke-resource-quotas" in line for line in scene.state.foreign)
    assert scene.state.condition == Condition.SYNCED
    scene.installation.change(SetOverride((scene.placement.tenant.slug,), "pods", 12))
    process_queue(scene.placement.target_id)
    scene.look()
    assert scene.kubectl_user.hard(scene.where) == {"pods": "12"}
    spec, managers = gke()
    assert spec == theirs["spec"]
    assert not any(manager.startswith("headroom") for manager in managers)
    assert not Drift.objects.filter(placement=scene.placement).exists()
