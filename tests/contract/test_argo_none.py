"""Argo Workflows where none may start: what no number of Argo's says, a quota does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from console.errors import Refused
from quotas.plans.contracts import EffectiveLimits
from tenants.contracts import PlacementRef
from tests.contract.adapter_harness import limits
from tests.contract.argo_workflows import (
    LABEL,
    PLAN,
    WANTED,
    holding,
    labels_of,
    used,
    workflow,
)
from tests.contract.clusters import Site
from tests.waiting import until

CLOSED = "count/workflows.argoproj.io"


def quota_of(site: Site, flow_place: PlacementRef) -> dict[str, Any] | None:
    listed = site.client.list("ResourceQuota", namespace=flow_place.location)
    return next((quota for quota in listed if quota["metadata"]["name"] == "headroom-argo"), None)


def closed(site: Site, flow_place: PlacementRef) -> bool:
    hard = ((quota_of(site, flow_place) or {}).get("status") or {}).get("hard") or {}
    return bool(hard.get(CLOSED) == "0")


@pytest.mark.parametrize(
    ("stopped", "intended"),
    [(limits({**PLAN, "argo.parallelism": 0}), 0), (limits(PLAN, suspended=True), 5)],
)
def test_none_is_a_quota_that_lets_no_workflow_be_created(
    argo: Site, flow_place: PlacementRef, stopped: EffectiveLimits, intended: int
) -> None:
    argo.settle(WANTED, flow_place)
    workflow(argo, flow_place)
    first = argo.push(stopped, flow_place)
    assert first.error is None
    assert [change.ref.kind for change in first.done] == ["ResourceQuota", "Namespace"]
    argo.settle(stopped, flow_place)
    until(lambda: closed(argo, flow_place))
    # A real server refuses from the first moment; its words change once it has counted the kind.
    with pytest.raises(Refused, match=r"(exceeded|status unknown for) quota: headroom-argo"):
        workflow(argo, flow_place)
    assert labels_of(argo, flow_place)[LABEL] == "1"
    for everything in (False, True):
        observed = argo.see(flow_place, everything=everything)
        assert used(observed, "argo.parallelism") == (0, 1)
    assert intended == stopped.limits["argo.parallelism"].value
    opened = argo.push(WANTED, flow_place)
    assert opened.error is None
    assert [change.ref.kind for change in opened.done] == ["Namespace", "ResourceQuota"]
    argo.settle(WANTED, flow_place)
    workflow(argo, flow_place)
    assert used(argo.see(flow_place), "argo.parallelism") == (5, 2)


def test_a_tenant_who_may_start_nothing_from_the_first_is_closed_at_once(
    argo: Site, flow_place: PlacementRef
) -> None:
    first = argo.push(limits({**PLAN, "argo.parallelism": 0}), flow_place)
    kinds = [change.ref.kind for change in first.done]
    assert kinds == ["Namespace", "ResourceQuota", "ConfigMap"]
    argo.leave(flow_place)
    assert quota_of(argo, flow_place) is None


def test_a_leaving_tenant_is_closed_until_its_locks_are_free(
    argo: Site, flow_place: PlacementRef
) -> None:
    argo.settle(WANTED, flow_place)
    name = workflow(
        argo, flow_place, synchronization=holding(flow_place, "gpu", f"{flow_place.location}/a")
    )
    argo.settle(limits(PLAN, suspended=True), flow_place)
    held = argo.push(None, replace(flow_place, leaving=True))
    assert getattr(held.error, "code", "") == "lock_held"
    assert quota_of(argo, flow_place) is not None
    argo.client.delete("Workflow", name, namespace=flow_place.location)
    argo.leave(flow_place)
    assert quota_of(argo, flow_place) is None


def test_a_resumed_tenant_does_not_stay_closed_for_a_lock_that_is_to_go(
    argo: Site, flow_place: PlacementRef
) -> None:
    argo.settle(WANTED, flow_place)
    workflow(
        argo, flow_place, synchronization=holding(flow_place, "gpu", f"{flow_place.location}/a")
    )
    argo.settle(limits(PLAN, suspended=True), flow_place)
    held = argo.push(limits({"argo.parallelism": 5}), flow_place)
    assert getattr(held.error, "code", "") == "lock_held"
    assert quota_of(argo, flow_place) is None
    assert labels_of(argo, flow_place)[LABEL] == "5"


def test_a_quota_that_somebody_raised_is_drift_and_one_that_is_gone_comes_back(
    argo: Site, flow_place: PlacementRef
) -> None:
    stopped = limits(PLAN, suspended=True)
    argo.settle(stopped, flow_place)
    argo.kubectl(
        *("-n", flow_place.location, "patch", "resourcequota", "headroom-argo", "--type=merge"),
        *("--field-manager=kubectl-edit", "-p", f'{{"spec":{{"hard":{{"{CLOSED}":"3"}}}}}}'),
    )
    (change,) = argo.differences(stopped, flow_place, everything=True)
    assert [(field.before, field.after) for field in change.fields] == [("3", "0")]
    argo.settle(stopped, flow_place, force=True)
    argo.client.delete("ResourceQuota", "headroom-argo", namespace=flow_place.location)
    argo.settle(stopped, flow_place)


def test_the_kubernetes_adapter_leaves_the_quota_alone(
    site: Site, argo: Site, flow_place: PlacementRef
) -> None:
    stopped, pods = limits(PLAN, suspended=True), limits({"pods": 3})
    site.settle(pods, flow_place)
    argo.settle(stopped, flow_place)
    site.settle(limits({"pods": 4}), flow_place)
    assert argo.differences(stopped, flow_place) == ()
    observed = site.see(flow_place)
    assert not any("headroom-argo" in text for text in observed.foreign)
    swept = site.adapter.observe(target=site.target, placements=[], everything=True)
    assert not [ref for ref in swept.orphans if ref.name == "headroom-argo"]
