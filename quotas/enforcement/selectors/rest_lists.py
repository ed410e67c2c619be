"""What REST lists read beside their rows: a page at a time, in a constant number of queries."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection

from django.db.models import Count

from quotas.enforcement.models import RolloutItem
from quotas.plans.models import Subscription
from tenants.models import Placement

PlanHeld = tuple[str, int]


def plans_held(tenant_ids: Collection[int]) -> dict[int, PlanHeld]:
    """Plan and version that each tenant has now, by tenant id."""
    rows = Subscription.objects.filter(tenant__in=tenant_ids, ends_at__isnull=True)
    return {
        tenant: (slug, number)
        for tenant, slug, number in rows.values_list(
            "tenant_id", "version__plan__slug", "version__number"
        )
    }


def placements_by(field: str, ids: Collection[int]) -> dict[int, int]:
    """How many placements there are, by tenant_id or target_id."""
    rows = Placement.objects.filter(**{f"{field}__in": ids}).values_list(field)
    return dict(rows.annotate(number=Count("pk")).order_by())


def tenants_at(targets: Collection[str], tenant_ids: Collection[int]) -> frozenset[int]:
    """Those of some tenants, by id, that have a placement at one of the targets (slugs)."""
    if not targets:
        return frozenset()
    placed = Placement.objects.filter(tenant__in=tenant_ids, target__slug__in=targets)
    return frozenset(placed.values_list("tenant_id", flat=True))


def item_states(rollout_ids: Collection[int]) -> dict[int, Counter[str]]:
    """How many items of each rollout are in each state."""
    counted: dict[int, Counter[str]] = defaultdict(Counter)
    rows = RolloutItem.objects.filter(rollout__in=rollout_ids).values_list("rollout_id", "state")
    for rollout, state, number in rows.annotate(number=Count("pk")).order_by():
        counted[rollout][state] = number
    return counted
