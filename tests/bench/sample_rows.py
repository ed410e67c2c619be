"""Plans, tenants and placements in bulk, and rollouts of them: what the benches work on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.utils import timezone

from console.audit.services import Actor
from quotas.enforcement.adapters import registry
from quotas.enforcement.models import ItemState, RolloutItem, RolloutKind, TargetState
from quotas.enforcement.reconcile.planning import target_ref
from quotas.enforcement.reconcile.queue import process_queue
from quotas.enforcement.selectors.loop import current_limits, placement_refs
from quotas.enforcement.services.rollouts import create_rollout
from quotas.plans.models import PlanVersion, Subscription
from quotas.plans.services.plans import create_plan
from tenants.models import Placement, Target, Tenant

BENCH: Final = Actor.command("bench")
LIMITS: Final[dict[str, int | None]] = {
    "requests.cpu": 40_000,
    "limits.cpu": 80_000,
    "requests.memory": 160 * 2**30,
    "limits.memory": 320 * 2**30,
    "pods": 200,
    "count/jobs.batch": 500,
    "persistentvolumeclaims": 20,
    "requests.storage": 2 * 2**40,
    "container.default.cpu": 500,
    "container.defaultRequest.cpu": 100,
    "container.default.memory": 512 * 2**20,
    "container.defaultRequest.memory": 256 * 2**20,
    "temporal.weight": 1_000,
}
"""Four objects per namespace: itself, its quota, its defaults, its network policy."""


@dataclass(frozen=True, slots=True)
class SampleRows:
    """A target and the placements on it."""

    target: Target
    placements: tuple[int, ...]


def plan(**changed: int | None) -> PlanVersion:
    """Plan standard, version 1."""
    return create_plan(
        slug="standard",
        name="Standard",
        limits={**LIMITS, **changed},
        actor=BENCH,
        reason="bench",
        at=timezone.now() - timedelta(hours=1),
    )


def target(slug: str, kind: str, **values: Any) -> Target:
    """A target, as a person would have added it."""
    made = Target.objects.create(slug=slug, name=slug, kind=kind, **values)
    TargetState.objects.get_or_create(target=made)
    return made


def settle_in(
    where: Target, version: PlanVersion, slugs: Sequence[str], *, queue: str = ""
) -> SampleRows:
    """Tenants on the plan and on the target; with `queue`, on a shared task queue."""
    Tenant.objects.bulk_create([Tenant(slug=slug, name=slug.title()) for slug in slugs])
    tenants = list(Tenant.objects.filter(slug__in=slugs).order_by("slug"))
    begun = timezone.now() - timedelta(minutes=30)
    Tenant.objects.filter(slug__in=slugs).update(created_at=begun)
    Subscription.objects.bulk_create(
        [Subscription(tenant=tenant, version=version, starts_at=begun) for tenant in tenants]
    )
    return place(where, slugs, queue=queue)


def place(where: Target, slugs: Sequence[str], *, queue: str = "") -> SampleRows:
    """Tenants that are there on one more target."""
    tenants = list(Tenant.objects.filter(slug__in=slugs).order_by("slug"))
    Placement.objects.bulk_create(
        [
            Placement(tenant=tenant, target=where, location=queue, sharing="shared",
                      fairness_key=tenant.slug)
            if queue
            else Placement(tenant=tenant, target=where, location=tenant.slug)
            for tenant in tenants
        ]
    )  # fmt: skip
    rows = Placement.objects.filter(target=where, tenant__in=tenants).order_by("pk")
    return SampleRows(where, tuple(rows.values_list("pk", flat=True)))


def order(rows: SampleRows) -> None:
    """The rollout of a change of everybody's plan: the rows that the queue carries out."""
    create_rollout(
        kind=RolloutKind.CHANGE,
        title="First push",
        reason="bench",
        actor=BENCH,
        placements=rows.placements,
        at=timezone.now(),
    )


def carry_out(rows: SampleRows) -> None:
    """Drains the target. Raises AssertionError unless every placement ended well."""
    process_queue(rows.target.pk)
    bad = RolloutItem.objects.filter(target=rows.target).exclude(state=ItemState.DONE)
    for item in bad[:3]:
        raise AssertionError(f"{item}: {item.code} {item.message}")


def manifests(rows: SampleRows) -> list[dict[str, Any]]:
    """What the loop will write, in the order of stages: for peers to write the very same."""
    placements = placement_refs(rows.target)
    limits = current_limits(
        {placement.tenant_id for placement in placements.values()}, timezone.now()
    )
    adapter = registry.adapter_for(rows.target.kind)
    ref = target_ref(rows.target)
    written = [
        wanted
        for placement in placements.values()
        for wanted in adapter.compile(
            limits=limits[placement.tenant_id], placement=placement, target=ref
        ).objects
    ]
    return [dict(wanted.manifest) for wanted in sorted(written, key=lambda wanted: wanted.stage)]
