"""What the loop reads: plain values, in a constant number of queries however many tenants."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import datetime

from django.db.models import Q, QuerySet

from console.chunks import chunks
from quotas.enforcement.models import ItemState, RolloutItem
from quotas.plans.contracts import EffectiveLimits, TenantHistory
from quotas.plans.effective import effective_limits
from quotas.plans.selectors import load_current
from tenants.contracts import PlacementRef
from tenants.models import Placement, Target, TenantStatus


def placement_refs(
    target: Target, placement_ids: Collection[int] | None = None
) -> dict[int, PlacementRef]:
    """The placements on a target (all of them for None), by id."""
    if placement_ids is None:
        return dict(_refs(target, Placement.objects.filter(target=target)))
    refs: dict[int, PlacementRef] = {}
    for chunk in chunks(placement_ids):
        refs |= _refs(target, Placement.objects.filter(target=target, pk__in=chunk))
    return refs


def _refs(target: Target, rows: QuerySet[Placement]) -> Iterator[tuple[int, PlacementRef]]:
    for (
        pk,
        tenant_id,
        slug,
        group,
        status,
        location,
        sharing,
        key,
        generation,
        leaving,
        policy,
    ) in rows.order_by("pk").values_list(
        "pk",
        "tenant_id",
        "tenant__slug",
        "tenant__group",
        "tenant__status",
        "location",
        "sharing",
        "fairness_key",
        "generation",
        "leaving",
        "drift_policy",
    ):
        yield (
            pk,
            PlacementRef(
                id=pk,
                tenant=slug,
                target=target.slug,
                kind=target.kind,
                location=location,
                sharing=sharing,
                fairness_key=key,
                generation=generation,
                leaving=leaving,
                group=group,
                stopped=status != TenantStatus.ACTIVE,
                tenant_id=tenant_id,
                drift_policy=policy or target.drift_policy,
            ),
        )


def current_limits(
    tenant_ids: Collection[int] | None, at: datetime
) -> dict[int, EffectiveLimits | None]:
    """The limits in force at `at`, by tenant id; None where nothing is.

    Most tenants have their plan and nothing else: their limits are computed once per version.
    """
    plain: dict[int, EffectiveLimits | None] = {}
    by_tenant: dict[int, EffectiveLimits | None] = {}
    for pk, history in load_current(tenant_ids, at).items():
        if not _is_plain(history, at):
            by_tenant[pk] = effective_limits(history, at)
            continue
        version = id(history.subscriptions[0].value)
        if version not in plain:
            plain[version] = effective_limits(history, at)
        limits = plain[version]
        by_tenant[pk] = limits and replace(limits, tenant=history.slug)
    return by_tenant


def _is_plain(history: TenantHistory, at: datetime) -> bool:
    """True when the plan alone says what holds at `at` (of a history cut down to that moment)."""
    more = history.adjustments or history.suspensions or history.offboarded_at
    born = history.created_at is None or history.created_at <= at
    return born and not more and len(history.subscriptions) == 1


def takeable(target_id: int, now: datetime) -> QuerySet[RolloutItem]:
    """Items whose time has come: waiting ones, and running ones whose worker is gone."""
    return RolloutItem.objects.filter(ready(now), target_id=target_id)


def ready(now: datetime) -> Q:
    """What makes an item one whose time has come."""
    due = Q(state=ItemState.WAITING) & (Q(not_before__isnull=True) | Q(not_before__lte=now))
    return due | Q(state=ItemState.RUNNING, claimed_until__lt=now)


def open_placements(target_id: int) -> set[int]:
    """Placements of the target that a rollout is still to bring to their intent."""
    rows = RolloutItem.objects.filter(
        target_id=target_id, state__in=(ItemState.WAITING, ItemState.RUNNING)
    )
    return set(rows.values_list("placement_id", flat=True))
