"""What the tenant list and the tenant page read, in a constant number of queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.lookups import Exact

from console.access.models import User
from console.pages.charts import HeadroomBar
from quotas.enforcement import charts
from quotas.enforcement.models import Condition, TenantState
from quotas.enforcement.selectors.target_loops import condition_now
from quotas.plans.models import Subscription
from tenants.models import Placement, Tenant, TenantQuerySet, TenantStatus

NEAR = 0.9


@dataclass(frozen=True, slots=True)
class TenantRow:
    """One line of the tenant list."""

    slug: str
    name: str
    status: str
    condition: str
    since: datetime | None
    message: str
    plan: str
    version: int | None
    bars: tuple[HeadroomBar, ...]
    placements: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class TenantFilters:
    """The filters of the list as they stand in the URL; empty ones do not filter."""

    q: str = ""
    status: str = ""
    plan: str = ""
    target: str = ""
    condition: str = ""
    label: str = ""
    near: str = ""

    @property
    def any(self) -> bool:
        """True when something is filtered."""
        return any((self.q, self.status, self.plan, self.target, self.condition, self.label,
                    self.near))  # fmt: skip


def filtered(filters: TenantFilters, user: User) -> TenantQuerySet:
    """The tenants that `user` may see and that match; off-boarded ones only when asked for."""
    tenants = Tenant.objects.visible_to(user)
    if filters.status:
        tenants = tenants.filter(status=filters.status)
    else:
        tenants = tenants.exclude(status=TenantStatus.GONE)
    for condition in _conditions(filters):
        tenants = tenants.filter(condition)
    return tenants


def _conditions(filters: TenantFilters) -> Iterable[Q]:
    if filters.q:
        yield Q(slug__icontains=filters.q.lower()) | Q(name__icontains=filters.q)
    if filters.plan:
        open_one = Subscription.objects.filter(
            version__plan__slug=filters.plan, ends_at__isnull=True
        )
        yield Q(pk__in=open_one.values("tenant"))
    if filters.target:
        placed = Placement.objects.filter(target__slug=filters.target)
        yield Q(pk__in=placed.values("tenant"))
    if filters.condition:
        yield Q(state__condition=filters.condition)
    if filters.label:
        name, _, value = filters.label.partition("=")
        # Not labels__NAME: the name is somebody's input, and lookups would be read into it.
        wanted: Any = Exact(KeyTextTransform(name, "labels"), Value(value))
        yield Q(wanted) if value else Q(labels__has_key=name)
    if filters.near:
        over = Q(fullness__gt=1) if filters.near == "over" else Q(fullness__gte=NEAR)
        full = TenantState.objects.filter(over).exclude(condition=Condition.SUSPENDED)
        yield Q(pk__in=full.values("tenant"))


def rows(tenants: Sequence[Tenant], unchecked: frozenset[str]) -> list[TenantRow]:
    """The lines for one page of tenants (with `state` selected): two more queries. `unchecked` are
    targets, by slug, that nobody compares."""
    ids = [tenant.pk for tenant in tenants]
    plans = {
        tenant: (slug, number)
        for tenant, slug, number in Subscription.objects.filter(
            tenant__in=ids, ends_at__isnull=True
        ).values_list("tenant_id", "version__plan__slug", "version__number")
    }
    places: dict[int, list[str]] = defaultdict(list)
    stale: set[int] = set()
    for tenant, target, location in Placement.objects.filter(tenant__in=ids).values_list(
        "tenant_id", "target__slug", "location"
    ):
        places[tenant].append(f"{target}/{location}")
        if target in unchecked:
            stale.add(tenant)
    return [
        _row(tenant, plans.get(tenant.pk), places[tenant.pk], unchecked=tenant.pk in stale)
        for tenant in tenants
    ]


def _row(
    tenant: Tenant, plan: tuple[str, int] | None, places: Sequence[str], *, unchecked: bool
) -> TenantRow:
    state: TenantState | None = getattr(tenant, "state", None)
    return TenantRow(
        slug=tenant.slug,
        name=tenant.name,
        status=tenant.status,
        condition=condition_now(state.condition if state else "unknown", unchecked=unchecked),
        since=state.since if state else None,
        message=state.message if state else "",
        plan=plan[0] if plan else "",
        version=plan[1] if plan else None,
        bars=_bars(state) if state else (),
        placements=", ".join(sorted(places)),
        changed_at=tenant.updated_at,
    )


def _bars(state: TenantState) -> tuple[HeadroomBar, ...]:
    stopped = state.condition == Condition.SUSPENDED
    return tuple(tight_bar(entry, stopped=stopped) for entry in state.tightest[:2])


def tight_bar(entry: Mapping[str, Any], *, stopped: bool = False) -> HeadroomBar:
    """The bar of one entry of TenantState.tightest."""
    return charts.bar(entry, key=entry["key"], intended=entry.get("intended"), stopped=stopped)
