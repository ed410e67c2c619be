"""Somebody else's admission policy rewrites what we send: told as that, never as anything else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.utils import timezone

from console.audit.models import Entry
from quotas.changes.kinds.adjustments import EndOverride, SetOverride
from quotas.changes.kinds.repairs import Repair
from quotas.enforcement.models import (
    Condition,
    Drift,
    ItemState,
    PlacementState,
    Rollout,
    RolloutItem,
)
from quotas.enforcement.reconcile.queue import process_queue
from quotas.enforcement.reconcile.sweep import sweep
from quotas.enforcement.selectors.tenant_page import tenant_page
from quotas.plans.models import Override
from tenants.models import Placement
from tests.faults.installation import Installation
from tests.faults.kubectl_user import KubectlUser, quota
from tests.servers import Cluster
from tests.waiting import until

pytestmark = pytest.mark.cluster
CAPPED = (
    "has(object.spec.hard) && 'pods' in object.spec.hard"
    " && quantity(object.spec.hard['pods']).isGreaterThan(quantity('10'))"
    " ? [JSONPatch{op: 'replace', path: '/spec/hard/pods', value: '10'}] : []"
)
"""kyverno#5077: at most 10 pods, whatever anybody asks for."""
ADDED = (
    "has(object.spec.hard) && !('services' in object.spec.hard)"
    " ? [JSONPatch{op: 'add', path: '/spec/hard/services', value: '3'}] : []"
)


@dataclass(frozen=True)
class Scene:
    """One tenant whose limits are enforced on the real API server, and who rules the cluster."""

    installation: Installation
    placement: Placement
    user: KubectlUser

    @property
    def slug(self) -> str:
        return self.placement.tenant.slug

    @property
    def policy(self) -> str:
        return f"cap-{self.slug}"

    @property
    def state(self) -> PlacementState:
        return PlacementState.objects.get(placement=self.placement)

    def look(self) -> None:
        """A sweep, and what it orders."""
        assert sweep(self.placement.target_id, force=True) is not None

    def order(self, pods: int) -> RolloutItem:
        """Another number of pods, pushed."""
        rollout = self.installation.change(SetOverride((self.slug,), "pods", pods))
        process_queue(self.placement.target_id)
        return RolloutItem.objects.get(rollout=rollout)

    def install(self, expression: str, probe: dict[str, str], shows: dict[str, str]) -> None:
        """A mutating policy for quotas in the tenant's namespace, once it is in force there: a
        quota that is only tried out comes back with what `shows`."""
        rule = {
            "apiGroups": [""],
            "apiVersions": ["v1"],
            "operations": ["CREATE", "UPDATE"],
            "resources": ["resourcequotas"],
        }
        for kind, spec in (
            (
                "MutatingAdmissionPolicy",
                {
                    "matchConstraints": {
                        "namespaceSelector": {"matchLabels": {"headroom.dev/tenant": self.slug}},
                        "resourceRules": [rule],
                    },
                    "failurePolicy": "Ignore",
                    "reinvocationPolicy": "Never",
                    "mutations": [
                        {"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}
                    ],
                },
            ),
            ("MutatingAdmissionPolicyBinding", {"policyName": self.policy}),
        ):
            self.user.kubectl("apply", "-f", "-", stdin=json.dumps(_admission(kind, self, spec)))

        def in_force() -> bool:
            tried = json.dumps(quota("tried", self.placement.location, **probe))
            out = self.user.kubectl(
                "create", "--dry-run=server", "-o", "json", "-f", "-", stdin=tried
            )
            hard = json.loads(out)["spec"]["hard"]
            return all(hard.get(name) == value for name, value in shows.items())

        until(in_force)

    def uninstall(self) -> None:
        """The policy goes, and a quota comes through again as it is written."""
        for kind in ("mutatingadmissionpolicybinding", "mutatingadmissionpolicy"):
            self.user.attempt("delete", kind, self.policy, "--ignore-not-found")
        tried = json.dumps(quota("tried", self.placement.location, pods="11", secrets="1"))

        def gone() -> bool:
            out = self.user.attempt(
                "create", "--dry-run=server", "-o", "json", "-f", "-", stdin=tried
            )
            if out.returncode != 0:
                return True  # the namespace is gone, too
            spec: dict[str, Any] = json.loads(out.stdout)["spec"]
            return bool(spec["hard"] == {"pods": "11", "secrets": "1"})

        until(gone)


def _admission(kind: str, scene: Scene, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": scene.policy},
        "spec": spec,
    }


@pytest.fixture
def scene(installation: Installation, kube: Cluster) -> Iterator[Scene]:
    target = installation.cluster(kube.kubeconfig)
    version = installation.plan(pods=6)
    (placement,) = installation.place(installation.tenants(1, version), target)
    rollout = installation.order([placement])
    process_queue(target.pk)
    installation.finished(rollout)
    made = Scene(installation, placement, KubectlUser(kube.kubeconfig))
    yield made
    made.uninstall()


def test_a_quota_that_a_policy_caps_is_not_done_and_nobodys_drift(scene: Scene) -> None:
    scene.install(CAPPED, {"pods": "60"}, {"pods": "10"})
    item = scene.order(100)

    assert scene.user.hard(scene.placement.location) == {"pods": "10"}
    assert (item.state, item.code) == (ItemState.REFUSED, "altered")
    assert (
        f"ResourceQuota {scene.placement.location}/headroom: spec.hard[pods] 100 was sent, the"
        " cluster changed it to 10 on the way in."
    ) in item.message
    assert f"MutatingAdmissionPolicy {scene.policy}" in item.message
    ((field,),) = [change["fields"] for change in item.changes]
    assert (field["before"], field["after"]) == ("6", "10")
    rollouts = Rollout.objects.count()
    for _ in range(3):
        scene.look()
    state = scene.state
    assert (state.condition, state.code) == (Condition.REFUSED, "altered")
    assert "the cluster changed it to 10 on the way in" in state.message
    assert state.owners == {}
    assert state.limits["pods"]["enforced"] == 10
    assert Rollout.objects.count() == rollouts
    assert not Drift.objects.exists()
    assert not Entry.objects.filter(action__startswith="drift").exists()
    (panel,) = tenant_page(scene.placement.tenant, now=timezone.now()).placements
    (line,) = panel.usage
    assert (line.intended, line.enforced) == ("100", "10")
    assert line.gap == "changed by the target on the way in"


def test_once_the_policy_lets_it_through_a_repair_ends_it_without_a_word_of_drift(
    scene: Scene,
) -> None:
    scene.install(CAPPED, {"pods": "60"}, {"pods": "10"})
    scene.order(100)
    again = scene.installation.change(Repair((scene.placement.pk,)))
    process_queue(scene.placement.target_id)
    assert RolloutItem.objects.get(rollout=again).code == "altered"
    scene.uninstall()
    repaired = scene.installation.change(Repair((scene.placement.pk,)))
    process_queue(scene.placement.target_id)
    scene.installation.finished(repaired)

    scene.look()
    assert scene.user.hard(scene.placement.location) == {"pods": "100"}
    assert scene.state.condition == Condition.SYNCED
    assert not Drift.objects.exists()
    assert not Entry.objects.filter(action__startswith="drift").exists()


def test_less_than_the_policy_allows_is_done_again(scene: Scene) -> None:
    scene.install(CAPPED, {"pods": "60"}, {"pods": "10"})
    scene.order(100)
    override = Override.objects.get(ends_at=None)
    rollout = scene.installation.change(EndOverride(override.pk))
    process_queue(scene.placement.target_id)
    scene.installation.finished(rollout)

    scene.look()
    assert scene.user.hard(scene.placement.location) == {"pods": "6"}
    assert (scene.state.condition, scene.state.code) == (Condition.SYNCED, "")


def test_an_entry_that_a_policy_adds_is_told_as_added(scene: Scene) -> None:
    scene.install(ADDED, {"pods": "1"}, {"services": "3"})
    item = scene.order(7)

    assert item.code == "altered"
    assert "spec.hard[services] was not sent, the cluster added 3 on the way in" in item.message
    scene.look()
    assert scene.state.condition == Condition.REFUSED
    assert not Drift.objects.exists()


def test_what_a_policy_did_before_we_looked_is_named_and_not_blamed_on_anybody(
    scene: Scene,
) -> None:
    scene.order(100)
    scene.install(CAPPED, {"pods": "60"}, {"pods": "10"})
    # Another apply under our own name, by an older version say, which compared nothing.
    ours = scene.user.client.get("ResourceQuota", "headroom", namespace=scene.placement.location)
    written = quota("headroom", scene.placement.location, pods="100")
    written["metadata"]["labels"] = ours["metadata"]["labels"]
    scene.user.client.apply(written, "headroom-kubernetes")
    assert scene.user.hard(scene.placement.location) == {"pods": "10"}
    scene.look()
    scene.look()

    assert (scene.state.condition, scene.state.code) == (Condition.REFUSED, "altered")
    drift = Drift.objects.get()
    assert (drift.owner, drift.outcome) == ("the cluster itself", "open")
    assert not Entry.objects.filter(action="drift.heal").exists()
    sentences = [scene.state.message, *Entry.objects.values_list("message", flat=True)]
    assert not any("somebody" in text for text in sentences)
