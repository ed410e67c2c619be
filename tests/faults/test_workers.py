"""A worker that is killed, a broker that goes away: nothing is lost, nothing is done twice."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from django.utils import timezone

from console.audit.models import Entry
from console.clients import pool
from console.clients.kubernetes.client import KubernetesClient
from console.loops.models import Interruption
from quotas.changes.kinds.adjustments import GrantLease, SetOverride
from quotas.enforcement.models import ItemState, Rollout, RolloutItem, TargetState
from quotas.plans.models import Lease
from tenants.models import Placement
from tests.bench.kubernetes import OURS, requests
from tests.faults.conftest import Build
from tests.faults.installation import Installation, states
from tests.servers import Cluster, KubeControlPlane
from tests.waiting import until

pytestmark = pytest.mark.cluster
TENANTS = 60


def applies(plane: KubeControlPlane) -> Counter[str]:
    """Server-side applies that the API server has carried out, by kind of object. The request that
    a worker was killed in the middle of may be counted without having written anything."""
    counted = requests(plane, answered="2")
    return Counter({kind: counted["APPLY", kind] for kind in OURS})


def hard(client: KubernetesClient, placement: Placement) -> str:
    """The pods that the API server says are allowed."""
    quota = client.get("ResourceQuota", "headroom", namespace=placement.location)
    return str(quota["spec"]["hard"]["pods"])


def interrupted() -> list[str]:
    """What the overview tells of that was interrupted."""
    rows = Interruption.objects.filter(at__isnull=False)
    return list(rows.values_list("name", flat=True))


@pytest.mark.parametrize("vendor", ["sqlite", "postgresql"])
def test_a_worker_killed_in_the_middle_of_writing_is_replaced_and_nothing_is_written_twice(
    build: Build, plane: KubeControlPlane, vendor: str
) -> None:
    installation = build(vendor)
    target = installation.cluster(plane.kubeconfig, concurrency=1)
    placements = installation.place(
        installation.tenants(TENANTS, installation.plan(pods=10)), target
    )
    client = pool.kubernetes(f"kubeconfig:{plane.kubeconfig}")
    mine = (
        f"headroom.dev/tenant,headroom.dev/tenant in ({','.join(p.location for p in placements)})"
    )
    worker, before = installation.worker(), applies(plane)
    installation.beat()

    rollout = installation.order_from(worker, placements)
    until(lambda: client.list("ResourceQuota", label_selector=mine))
    worker.kill()

    written = len(client.list("ResourceQuota", label_selector=mine))
    assert 0 < written < TENANTS
    assert set(states(rollout)) == {ItemState.RUNNING}
    assert TargetState.objects.get(target=target).claim
    assert interrupted() == []
    installation.worker()
    installation.finished(rollout)
    assert set(interrupted()) == {"worker"}

    did = applies(plane) - before
    assert did["namespaces"] == did["resourcequotas"] == did["networkpolicies"] == TENANTS
    assert {hard(client, placement) for placement in placements} == {"10"}
    assert RolloutItem.objects.filter(rollout=rollout, attempts=2).count() == TENANTS
    assert Entry.objects.filter(action="rollout.finish", object_id=str(rollout.pk)).count() == 1
    # The claim is given back behind the last item, and the sweep that follows takes its own.
    until(lambda: TargetState.objects.filter(target=target, claim="").exists(), what="still held")


def test_a_change_applied_without_a_broker_waits_and_is_found_by_the_next_tick(
    installation: Installation, kube: Cluster
) -> None:
    target = installation.cluster(kube.kubeconfig)
    (placement,) = installation.place(installation.tenants(1, installation.plan(pods=10)), target)
    client = pool.kubernetes(f"kubeconfig:{kube.kubeconfig}")
    installation.worker()
    installation.beat()
    installation.finished(installation.order([placement]))
    installation.broker.stop()

    rollout = installation.change(SetOverride((placement.tenant.slug,), "pods", 12))

    assert states(rollout) == [ItemState.WAITING]
    assert hard(client, placement) == "10"
    installation.broker.start()
    installation.finished(rollout)
    assert hard(client, placement) == "12"


def test_a_broker_restarted_in_the_middle_of_a_rollout_stops_nothing(
    installation: Installation, plane: KubeControlPlane
) -> None:
    target = installation.cluster(plane.kubeconfig)
    placements = installation.place(installation.tenants(3, installation.plan(pods=10)), target)
    installation.worker(TARGET_TIMEOUT_SECONDS="60")
    installation.beat()
    plane.apiserver.pause()  # so that the worker is in the middle for as long as we like
    first = installation.order(placements)
    until(lambda: set(states(first)) == {ItemState.RUNNING})

    installation.broker.kill()
    second = installation.order(placements[:1])
    assert states(second) == [ItemState.WAITING]
    installation.broker.start()
    woken = timezone.now()
    plane.apiserver.resume()

    until(installation.quiet, what=installation.logs())
    done = RolloutItem.objects.filter(rollout=first, state=ItemState.DONE)
    assert all(item.finished_at and item.finished_at > woken for item in done)
    ended = Counter(states(first) + states(second))
    assert set(ended) <= {ItemState.DONE, ItemState.SUPERSEDED}
    assert ended[ItemState.DONE] >= len(placements)
    installation.finished(installation.order(placements[:1]))
    assert set(interrupted()) == {"broker"}


def test_a_lease_that_ends_takes_its_limit_back_by_itself(
    installation: Installation, kube: Cluster
) -> None:
    target = installation.cluster(kube.kubeconfig)
    (placement,) = installation.place(installation.tenants(1, installation.plan(pods=10)), target)
    client = pool.kubernetes(f"kubeconfig:{kube.kubeconfig}")
    installation.env["SWEEP_SECONDS"] = "3600"  # it is the tick that has to notice, not a sweep
    installation.worker()
    installation.beat()
    installation.finished(installation.order([placement]))
    until(lambda: TargetState.objects.get(target=target).swept_at)

    end = timezone.now() + timedelta(hours=1)
    granted = installation.change(GrantLease((placement.tenant.slug,), "pods", 40, end))
    installation.finished(granted)
    assert hard(client, placement) == "40"
    # Only now does its end come near: however slow the machine was, the lease was seen at work.
    end = timezone.now() + timedelta(seconds=1)
    assert Lease.objects.update(ends_at=end) == 1
    until(lambda: hard(client, placement) == "10")

    assert timezone.now() > end
    back = Rollout.objects.latest("pk")
    installation.finished(back)
    assert (back.kind, back.actor) == ("due", "clock")
    entry = Entry.objects.get(action="rollout.due", object_id=str(back.pk))
    assert entry.reason == "A lease, an override or a subscription started or ended."
