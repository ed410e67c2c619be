"""Suspending really stops new work on both planes, resuming really lets it go on; so do Jobs'
limits."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from quotas.changes.kinds.lifecycle import Resume, Suspend
from quotas.enforcement.models import Condition, TenantState
from quotas.enforcement.reconcile.queue import process_queue
from tenants.models import Placement, Sharing, Target, TenantStatus
from tests.contract.activity_worker import COUNTS, ActivityWorker, ran
from tests.faults.installation import Installation
from tests.faults.kubectl_user import KubectlUser, job
from tests.servers import Cluster
from tests.waiting import until

pytestmark = pytest.mark.cluster


def settle() -> None:
    """Push what waits, on every target."""
    for target in Target.objects.all():
        process_queue(target.pk)


@pytest.mark.temporal
def test_a_suspended_tenant_starts_nothing_anywhere_and_a_resumed_one_goes_on(
    installation: Installation, kube: Cluster, temporal_address: str
) -> None:
    queue, kubectl_user = f"shared-{uuid4().hex[:6]}", KubectlUser(kube.kubeconfig)
    lab = installation.cluster(kube.kubeconfig)
    options = {"queues": {queue: {"base_rate": 5_000, "queue_rate": None}}}
    jobs = installation.temporal(temporal_address, options=options)
    (tenant,) = installation.tenants(1, installation.plan(pods=5, temporal__tenant_rate=50_000))
    (placement,) = installation.place([tenant], lab)
    Placement.objects.create(
        tenant=tenant, target=jobs, location=queue, sharing=Sharing.SHARED,
        fairness_key=tenant.slug,
    )  # fmt: skip
    installation.order(list(Placement.objects.all()))
    settle()
    until(lambda: kubectl_user.enforced(placement.location) == {"pods": "5"})
    pod = ("run", f"p-{uuid4().hex[:6]}", "--image=example.invalid/main:1", "--restart=Never")
    start = ("-n", placement.location, *pod)
    worker = ActivityWorker(temporal_address, (queue,))
    try:
        installation.change(Suspend((tenant.slug,)), reason="unpaid")
        settle()
        assert TenantState.objects.get(tenant=tenant).condition == Condition.SUSPENDED
        until(lambda: kubectl_user.enforced(placement.location) == {"pods": "0"})
        refused = kubectl_user.attempt(*start)
        assert refused.returncode != 0
        assert "exceeded quota: headroom" in refused.stderr
        held = worker.flood(queue, 20, key=tenant.slug)
        until(lambda: COUNTS[held] > 0 or ran(held, 1.0) == 0)
        assert ran(held, 1.5) == 0
        assert COUNTS[held] <= 1  # one leaks per partition, and this server has one

        installation.change(Resume((tenant.slug,)), reason="paid")
        settle()
        until(lambda: COUNTS[held] == 20)
        until(lambda: kubectl_user.enforced(placement.location) == {"pods": "5"})
        kubectl_user.kubectl(*start)
    finally:
        worker.stop()
    tenant.refresh_from_db()
    assert tenant.status == TenantStatus.ACTIVE
    assert TenantState.objects.get(tenant=tenant).condition == Condition.SYNCED


def test_the_plans_execution_policy_acts_on_a_job_that_a_tenant_starts(
    installation: Installation, kube: Cluster
) -> None:
    kubectl_user, target = KubectlUser(kube.kubeconfig), installation.cluster(kube.kubeconfig)
    version = installation.plan(
        pods=10, job__ttlSecondsAfterFinished=600, job__activeDeadlineSeconds=900
    )
    (placement,) = installation.place(installation.tenants(1, version), target)
    rollout = installation.order([placement])
    settle()
    installation.finished(rollout)

    def started(**spec: int) -> tuple[int | None, int | None]:
        manifest = job(f"j-{uuid4().hex[:8]}", placement.location, **spec)
        made = json.loads(
            kubectl_user.kubectl("create", "-f", "-", "-o", "json", stdin=json.dumps(manifest))
        )["spec"]
        return made.get("ttlSecondsAfterFinished"), made.get("activeDeadlineSeconds")

    until(lambda: started() == (600, 900))  # the server learns new policies within seconds
    assert started(activeDeadlineSeconds=86_400) == (600, 900)
    assert started(activeDeadlineSeconds=60, ttlSecondsAfterFinished=30) == (30, 60)
