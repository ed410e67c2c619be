"""Kubernetes, emulated and real: whose field is whose, and who gives way."""

from __future__ import annotations

import pytest

from console.errors import Conflict, Refused
from quotas.enforcement.ports import Operation
from tenants.contracts import PlacementRef
from tests.contract.adapter_harness import limits
from tests.contract.clusters import HARD, PLAN, POLICY, WANTED, Site, enforced, found


def test_onboarding_makes_everything_and_a_second_look_finds_nothing_to_do(
    site: Site, placement: PlacementRef
) -> None:
    first = site.push(WANTED, placement)
    assert first.error is None
    kinds = [change.ref.kind for change in first.done]
    assert sorted(set(kinds)) == [
        "LimitRange", "Namespace", "NetworkPolicy", "ResourceQuota", "RoleBinding",
    ]  # fmt: skip
    assert kinds.count("ResourceQuota") == 3
    assert first.calls == len(kinds)
    site.settle(WANTED, placement)
    labels = site.client.get("Namespace", placement.location)["metadata"]["labels"]
    assert labels["headroom.dev/tenant"] == "acme"
    assert labels["pod-security.kubernetes.io/enforce"] == "baseline"


def test_a_changed_limit_is_one_changed_object(site: Site, placement: PlacementRef) -> None:
    site.settle(WANTED, placement)
    more = limits({**PLAN, "requests.cpu": 6_500}, policy=POLICY)
    (change,) = site.differences(more, placement)
    assert [(item.path, item.before, item.after, item.key) for item in change.fields] == [
        (HARD, "4 cores", "6.5 cores", "requests.cpu")
    ]
    site.settle(more, placement)
    enforced(site, placement, "requests.cpu", "6500m")


def test_an_edit_by_kubectl_is_seen_with_its_owner_and_healed_only_by_force(
    site: Site, placement: PlacementRef
) -> None:
    site.settle(WANTED, placement)
    site.edit(placement, '{"spec":{"hard":{"requests.cpu":"9"}}}')
    (change,) = site.differences(WANTED, placement, everything=True)
    (field,) = change.fields
    assert (field.path, field.before, field.after) == (HARD, "9 cores", "4 cores")
    assert field.owner is not None
    assert (field.owner.manager, field.owner.declarative) == ("kubectl-edit", False)
    refused = site.push(WANTED, placement)
    assert isinstance(refused.error, Conflict)
    assert refused.error.owners == {HARD: "kubectl-edit"}
    assert site.quota(placement)["spec"]["hard"]["requests.cpu"] == "9"
    site.settle(WANTED, placement, force=True)
    assert site.quota(placement)["spec"]["hard"]["requests.cpu"] == "4"


def test_a_field_that_a_controller_applies_is_a_conflict_that_names_it(
    site: Site, placement: PlacementRef
) -> None:
    site.settle(WANTED, placement)
    foreign = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "headroom", "namespace": placement.location},
        "spec": {"hard": {"pods": "99"}},
    }
    site.client.apply(foreign, "argocd", force=True)
    (change,) = site.differences(WANTED, placement)
    assert change.fields[0].owner is not None
    assert change.fields[0].owner.declarative is True
    refused = site.push(WANTED, placement)
    assert isinstance(refused.error, Conflict)
    assert refused.error.owners == {"spec.hard[pods]": "argocd"}
    assert "argocd" in refused.error.message
    site.settle(WANTED, placement, force=True)


def test_an_entry_that_somebody_added_is_named_and_only_force_removes_it(
    site: Site, placement: PlacementRef
) -> None:
    site.settle(WANTED, placement)
    site.edit(placement, '{"spec":{"hard":{"secrets":"3"}}}')
    refused = site.push(WANTED, placement)
    assert isinstance(refused.error, Conflict)
    assert refused.error.owners == {"spec.hard[secrets]": "kubectl-edit"}
    site.settle(WANTED, placement, force=True)
    assert "secrets" not in site.quota(placement)["spec"]["hard"]


def test_a_label_that_was_torn_off_is_put_back(site: Site, placement: PlacementRef) -> None:
    site.settle(WANTED, placement)
    site.kubectl("label", "namespace", placement.location, "app.kubernetes.io/managed-by-")
    (change,) = site.differences(WANTED, placement, everything=True)
    assert change.operation is Operation.UPDATE
    assert found(site, placement, "Namespace").ours
    site.settle(WANTED, placement)


def test_suspending_refuses_new_pods_and_resuming_lets_them_in(
    site: Site, placement: PlacementRef
) -> None:
    wanted = limits({"pods": 2})
    site.settle(wanted, placement)
    enforced(site, placement, "pods", "2")
    running = site.pod(placement)
    site.settle(limits({"pods": 2}, suspended=True), placement)
    enforced(site, placement, "pods", "0")
    with pytest.raises(Refused, match="exceeded quota: headroom"):
        site.pod(placement)
    assert site.client.get("Pod", running, namespace=placement.location)
    site.settle(wanted, placement)
    enforced(site, placement, "pods", "2")
    assert site.pod(placement)
