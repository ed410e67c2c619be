"""A cluster as the adapter's tests see it: kubectl, pods, and a plan that has everything."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import uuid4

from quotas.enforcement.ports import ObservedObject
from quotas.plans.contracts import NetworkException, Policy
from tenants.contracts import PlacementRef
from tests.cluster_admin import Administrator
from tests.contract.adapter_harness import Plane, limits
from tests.waiting import until

PLAN: dict[str, int | None] = {
    "requests.cpu": 4_000,
    "requests.memory": 8 * 2**30,
    "limits.cpu": 8_000,
    "pods": 20,
    "count/jobs.batch": 10,
    "services.loadbalancers": 0,
    "requests.nvidia.com/gpu": None,
    "pods@Terminating": 5,
    "requests.cpu@PriorityClass=low": 1_500,
    "container.default.cpu": 250,
    "container.max.memory": 2**31,
    "container.min.cpu": 10,
    "container.maxLimitRequestRatio.cpu": 10_500,
    "pod.max.cpu": 4_000,
    "pvc.max.storage": 2**33,
}
POLICY = Policy(
    pod_security="baseline",
    network_exceptions=(
        NetworkException("api", "egress", cidr="10.0.0.0/8", ports=(("TCP", 443),)),
        NetworkException("gateway", "ingress", namespace="gateway"),
    ),
)
WANTED = limits(PLAN, policy=POLICY)
HARD = "spec.hard[requests.cpu]"
numbers = count(1)


@dataclass(frozen=True)
class Site(Administrator, Plane):
    """A cluster as a target, with an administrator who is not Headroom."""

    def edit(self, placement: PlacementRef, patch: str) -> None:
        """What `kubectl edit quota headroom` does."""
        self.kubectl(
            *("-n", placement.location, "patch", "resourcequota", "headroom", "--type=merge"),
            *("--field-manager=kubectl-edit", "-p", patch),
        )

    def pod(self, placement: PlacementRef) -> str:
        """Start a pod that asks for nothing; its name. Raises Refused."""
        name = f"p-{uuid4().hex[:8]}"
        self.client.create(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name, "namespace": placement.location},
                "spec": {"containers": [{"name": "main", "image": "busybox"}]},
            }
        )
        return name

    def quota(self, placement: PlacementRef) -> dict[str, Any]:
        """Our quota as stored."""
        return self.client.get("ResourceQuota", "headroom", namespace=placement.location)


def enforced(site: Site, placement: PlacementRef, resource: str, amount: str) -> None:
    """Wait until the API server enforces an amount."""
    until(lambda: site.quota(placement).get("status", {}).get("hard", {}).get(resource) == amount)


def found(site: Site, placement: PlacementRef, kind: str) -> ObservedObject:
    """Our object of a kind, as observed."""
    return next(item for item in site.see(placement).objects if item.ref.kind == kind)
