"""Changes of people's are previewed, applied and pushed, whatever a tenant keeps in its namespace;
its neighbours on the target do not notice, and the pages say what cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client
from django.utils import timezone

from console.access.models import Role, User
from console.audit.services import Actor
from console.clients import pool
from console.clients.kubernetes.client import KubernetesClient
from deploy.emulators.argo.definition import definition
from deploy.emulators.kubernetes.server import Emulator
from quotas.changes.kinds.change import ProposedChange
from quotas.changes.kinds.lifecycle import Offboard, Resume, Suspend
from quotas.changes.kinds.placements import Displace, Place
from quotas.changes.kinds.plans import PublishPlan
from quotas.enforcement.models import ItemState, PlacementState, RolloutItem
from quotas.enforcement.reconcile.queue import process_queue
from quotas.enforcement.reconcile.sweep import sweep
from quotas.plans.services.plans import create_plan
from quotas.plans.services.subscriptions import subscribe
from tenants.models import Placement, Target, Tenant, UnreadableObject
from tests.contract.test_argo_malformed import MALFORMED
from tests.quotas.changes.apply_change import carry_out
from tests.servers import skip_if_forbidden
from tests.waiting import PATIENCE

pytestmark = pytest.mark.django_db
LIMITS = {"argo.parallelism": 5, "argo.semaphore.gpu": 2}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[KubernetesClient]:
    """A cluster of the test's own that serves Workflows."""
    skip_if_forbidden()
    with Emulator() as running:
        client = pool.kubernetes(
            f"kubeconfig:{running.kubeconfig(tmp_path / 'k')}", timeout=PATIENCE
        )
        client.apply(definition(), "test", force=True)
        yield client
        pool.close_all()


@pytest.fixture
def ann(db: None) -> Actor:
    """An admin."""
    return Actor.person(User.objects.create_user("ann", role=Role.ADMIN))


@pytest.fixture
def target(cluster: KubernetesClient, ann: Actor, tmp_path: Path) -> Target:
    """The cluster as an Argo target; acme and globex are placed on it, and their limits hold."""
    start = timezone.now() - timedelta(hours=1)
    version = create_plan(
        slug="standard", name="Standard", limits=LIMITS, actor=ann, reason="first", at=start
    )
    target = Target.objects.create(
        slug="argo", name="argo", kind="argo", credential=f"kubeconfig:{tmp_path / 'k'}"
    )
    people = [Tenant.objects.create(slug=slug, name=slug) for slug in ("acme", "globex")]
    Tenant.objects.update(created_at=start)
    subscribe(tenants=people, version=version, at=start, actor=ann, reason="first")
    for tenant in people:
        Placement.objects.create(tenant=tenant, target=target, location=tenant.slug)
    sweep(target.pk, force=True)
    process_queue(target.pk)
    return target


def malform(client: KubernetesClient, place: str = "acme") -> None:
    """The objects of the bug reports, in a tenant's namespace."""
    for manifest in yaml.safe_load_all(MALFORMED):
        client.create({**manifest, "metadata": {**manifest["metadata"], "namespace": place}})


def parallelism(client: KubernetesClient, place: str) -> Any:
    """What the cluster enforces."""
    labels = client.get("Namespace", place)["metadata"].get("labels") or {}
    return labels.get("workflows.argoproj.io/parallelism-limit")


def push(target: Target, change: ProposedChange, actor: Actor, *, confirm: str = "") -> None:
    """Propose, preview, apply and carry out; nothing of it may fail."""
    rollout = carry_out(change, actor, confirm=confirm)
    process_queue(target.pk)
    items = RolloutItem.objects.filter(rollout=rollout)
    assert {item.state for item in items} == {ItemState.DONE}, [item.message for item in items]


def test_a_tenant_with_malformed_workflows_is_governed_as_any_other(
    cluster: KubernetesClient, target: Target, ann: Actor
) -> None:
    malform(cluster)
    more = {**LIMITS, "argo.parallelism": 7}
    push(target, PublishPlan("standard", 1, more), ann)
    assert [parallelism(cluster, place) for place in ("acme", "globex")] == ["7", "7"]
    push(target, Suspend(("acme", "globex")), ann)
    assert cluster.get("ResourceQuota", "headroom-argo", namespace="acme")
    push(target, Resume(("acme", "globex")), ann)
    assert parallelism(cluster, "acme") == "7"
    push(target, Offboard("acme"), ann, confirm="acme")
    assert parallelism(cluster, "acme") is None
    assert parallelism(cluster, "globex") == "7"


def test_drift_beside_malformed_workflows_is_healed(
    cluster: KubernetesClient, target: Target
) -> None:
    malform(cluster)
    for place in ("acme", "globex"):
        patch = {"metadata": {"labels": {"workflows.argoproj.io/parallelism-limit": "99"}}}
        cluster.patch_merge("Namespace", place, patch)
    sweep(target.pk, force=True)
    process_queue(target.pk)
    assert [parallelism(cluster, place) for place in ("acme", "globex")] == ["5", "5"]
    assert set(PlacementState.objects.values_list("condition", flat=True)) == {"synced"}


def test_a_tenant_moves_from_a_namespace_with_malformed_workflows(
    cluster: KubernetesClient, target: Target, ann: Actor
) -> None:
    malform(cluster)
    push(target, Place("acme", "argo", "acme-two"), ann)
    push(target, Displace(Placement.objects.get(location="acme").pk), ann, confirm="acme")
    assert parallelism(cluster, "acme-two") == "5"
    assert parallelism(cluster, "acme") is None


def test_the_pages_name_what_cannot_be_read(
    cluster: KubernetesClient, target: Target, client: Client
) -> None:
    malform(cluster)
    for name in ("malformed-templates", "malformed-locks"):
        patch = {"metadata": {"labels": {"workflows.argoproj.io/phase": "Pending"}}}
        cluster.patch_merge("Workflow", name, patch, namespace="acme")
    sweep(target.pk, force=True)
    assert UnreadableObject.objects.count() == 2
    client.force_login(User.objects.create_user("vera", role=Role.VIEWER))
    for page in ("/targets/argo/", "/tenants/acme/"):
        text = client.get(page).content.decode()
        assert "malformed-templates" in text
        assert "spec.templates[0] is a text, not an object" in text
    assert "malformed" not in client.get("/tenants/globex/").content.decode()
