"""Loading what `effective_limits` needs, for many tenants in a constant number of queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from quotas.plans.contracts import (
    Adjustment,
    Interval,
    PlanTerms,
    Source,
    TenantHistory,
    policy_from_json,
)
from quotas.plans.models import (
    IntervalQuerySet,
    Lease,
    Limit,
    Override,
    Plan,
    PlanVersion,
    Subscription,
    Suspension,
)
from tenants.models import Tenant

_FEW = 1000
"""Up to so many tenants are named in the query; more are read as a whole and picked out here."""

Narrow = Callable[[IntervalQuerySet], IntervalQuerySet]


def load_histories(tenant_ids: Collection[int] | None) -> dict[int, TenantHistory]:
    """The whole history of the tenants (all of them for None), by tenant id: seven queries."""
    return _load(tenant_ids, lambda rows: rows)


def load_current(tenant_ids: Collection[int] | None, at: datetime) -> dict[int, TenantHistory]:
    """Histories cut down to what holds at `at`: enough for `effective_limits(history, at)`, much
    less to read than `load_histories`."""
    return _load(tenant_ids, lambda rows: rows.at(at))


def load_terms(version_ids: Iterable[int]) -> dict[int, PlanTerms]:
    """The terms of plan versions by their id: one object each, however many tenants have it."""
    wanted = list(version_ids)
    limits: dict[int, dict[str, int | None]] = defaultdict(dict)
    rows = Limit.objects.filter(version__in=wanted).values_list("version_id", "key", "value")
    for version_id, key, value in rows.order_by("key"):
        limits[version_id][key] = value
    return {
        pk: PlanTerms(plan, number, limits[pk], policy_from_json(policy))
        for pk, plan, number, policy in PlanVersion.objects.filter(pk__in=wanted).values_list(
            "pk", "plan__slug", "number", "policy"
        )
    }


def limits_kept_since(now: datetime) -> datetime:
    """From when on it is known which limits held: as long as runs are kept by default, as their
    pages say which limits they met."""
    days = max(settings.LIMIT_RETENTION_DAYS, settings.JOB_RETENTION_DAYS)
    return now - timedelta(days=days)


def boundaries_between(start: datetime, end: datetime) -> dict[int, datetime]:
    """Tenants for whom an interval starts or ends in (start, end], with the last such moment."""
    latest: dict[int, datetime] = {}
    for tenant_id, at in _boundaries(start, end) if _is_any(start, end) else ():
        latest[tenant_id] = max(at, latest.get(tenant_id, at))
    return latest


def _boundaries(start: datetime, end: datetime) -> QuerySet[Any, tuple[int, datetime]]:
    models: tuple[Any, ...] = (Subscription, Override, Lease, Suspension)
    first, *others = (
        model.objects.filter(**{f"{name}__gt": start, f"{name}__lte": end})
        .order_by()
        .values_list("tenant_id", name)
        for model in models
        for name in ("starts_at", "ends_at")
    )
    united: QuerySet[Any, tuple[int, datetime]] = first.union(*others, all=True)
    return united


def _is_any(start: datetime, end: datetime) -> bool:
    """Whether there is one at all. This is asked every few seconds, and making the statement takes
    ten times as long as what the database does with it."""
    sql, number = _statement(connection.vendor)
    both = [connection.ops.adapt_datetimefield_value(at) for at in (start, end)]
    with connection.cursor() as cursor:
        cursor.execute(sql, both * (number // 2))
        return cursor.fetchone() is not None


@cache
def _statement(_vendor: str) -> tuple[str, int]:
    """The statement of `_boundaries` and how many values it takes: start and end, by turns."""
    now = timezone.now()
    sql, values = _boundaries(now, now).query.sql_with_params()
    return sql, len(values)


def _load(tenant_ids: Collection[int] | None, narrow: Narrow) -> dict[int, TenantHistory]:
    chosen = None if tenant_ids is None else set(tenant_ids)
    tenants = list(
        _of(Tenant.objects.all(), chosen, "pk").values_list(
            "pk", "slug", "created_at", "offboarded_at"
        )
    )
    subscriptions = _subscriptions(chosen, narrow)
    adjustments = _adjustments(chosen, narrow)
    suspensions = _suspensions(chosen, narrow)
    return {
        pk: TenantHistory(
            slug=slug,
            subscriptions=tuple(subscriptions.get(pk, ())),
            adjustments=tuple(adjustments.get(pk, ())),
            suspensions=tuple(suspensions.get(pk, ())),
            created_at=created_at,
            offboarded_at=offboarded_at,
        )
        for pk, slug, created_at, offboarded_at in tenants
        if chosen is None or pk in chosen
    }


def _of(rows: QuerySet[Any], chosen: set[int] | None, name: str = "tenant_id") -> QuerySet[Any]:
    """Names the tenants in SQL while they are few: long lists are slower than a full read."""
    if chosen is None or len(chosen) > _FEW:
        return rows
    return rows.filter(Q(**{f"{name}__in": sorted(chosen)}))


def _subscriptions(chosen: set[int] | None, narrow: Narrow) -> dict[int, list[Interval[PlanTerms]]]:
    rows = list(
        _of(narrow(Subscription.objects.all()), chosen).values_list(
            "tenant_id", "version_id", "starts_at", "ends_at"
        )
    )
    terms = load_terms({version_id for _, version_id, _, _ in rows})
    by_tenant: dict[int, list[Interval[PlanTerms]]] = defaultdict(list)
    for tenant_id, version_id, starts_at, ends_at in rows:
        by_tenant[tenant_id].append(Interval(terms[version_id], starts_at, ends_at))
    return by_tenant


def _adjustments(chosen: set[int] | None, narrow: Narrow) -> dict[int, list[Adjustment]]:
    by_tenant: dict[int, list[Adjustment]] = defaultdict(list)
    models: tuple[tuple[Any, Source], ...] = (
        (Override, Source.OVERRIDE),
        (Lease, Source.LEASE),
    )
    for model, source in models:
        rows = _of(narrow(model.objects.all()), chosen).values_list(
            "tenant_id", "pk", "key", "value", "starts_at", "ends_at", "reason", "author"
        )
        for tenant_id, pk, key, value, starts_at, ends_at, reason, author in rows:
            by_tenant[tenant_id].append(
                Adjustment(
                    source=source,
                    key=key,
                    value=value,
                    starts_at=starts_at,
                    ends_at=ends_at,
                    order=pk,
                    reason=reason,
                    author=author,
                    ref=f"{source}:{pk}",
                )
            )
    return by_tenant


def _suspensions(chosen: set[int] | None, narrow: Narrow) -> dict[int, list[Interval[str]]]:
    by_tenant: dict[int, list[Interval[str]]] = defaultdict(list)
    rows = _of(narrow(Suspension.objects.all()), chosen).values_list(
        "tenant_id", "starts_at", "ends_at", "reason"
    )
    for tenant_id, starts_at, ends_at, reason in rows:
        by_tenant[tenant_id].append(Interval(reason, starts_at, ends_at))
    return by_tenant


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One line of the plan list."""

    plan: Plan
    version: int
    limits: int
    tenants: int
    published_at: datetime | None


def plan_rows(*, archived: bool) -> list[PlanRow]:
    """Every plan with its latest version and how many tenants have it: four queries."""
    plans = Plan.objects.filter(archived_at__isnull=not archived).order_by("slug")
    latest = {version.plan_id: version for version in PlanVersion.objects.order_by("number")}
    limits = dict(
        Limit.objects.filter(version__in=[version.pk for version in latest.values()])
        .values_list("version_id")
        .annotate(number=Count("pk"))
        .order_by()
    )
    tenants = dict(
        Subscription.objects.filter(ends_at__isnull=True)
        .values_list("version__plan_id")
        .annotate(number=Count("pk"))
        .order_by()
    )
    return [
        PlanRow(
            plan=plan,
            version=latest[plan.pk].number if plan.pk in latest else 0,
            limits=limits.get(latest[plan.pk].pk, 0) if plan.pk in latest else 0,
            tenants=tenants.get(plan.pk, 0),
            published_at=latest[plan.pk].created_at if plan.pk in latest else None,
        )
        for plan in plans
    ]


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version of a plan with the number of tenants that have it now."""

    version: PlanVersion
    tenants: int


def version_rows(plan: Plan) -> list[VersionRow]:
    """The versions of a plan, newest first: two queries."""
    tenants = dict(
        Subscription.objects.filter(version__plan=plan, ends_at__isnull=True)
        .values_list("version_id")
        .annotate(number=Count("pk"))
        .order_by()
    )
    versions = plan.versions.select_related("author").order_by("-number")
    return [VersionRow(version, tenants.get(version.pk, 0)) for version in versions]


@dataclass(frozen=True, slots=True)
class LimitPair:
    """One limit in two versions of a plan; absent means that the version does not set it."""

    key: str
    before: int | None
    after: int | None
    in_before: bool
    in_after: bool

    @property
    def kind(self) -> str:
        """One of "same", "added", "removed", "raised" or "lowered"."""
        if not self.in_before:
            return "added"
        if not self.in_after:
            return "removed"
        if self.before == self.after:
            return "same"
        if self.after is None or (self.before is not None and self.after > self.before):
            return "raised"
        return "lowered"


def limit_pairs(before: PlanTerms, after: PlanTerms) -> list[LimitPair]:
    """Two versions side by side, by key."""
    return [
        LimitPair(
            key,
            before.limits.get(key),
            after.limits.get(key),
            key in before.limits,
            key in after.limits,
        )
        for key in sorted({*before.limits, *after.limits})
    ]


def facts_of(plans: Collection[Plan]) -> dict[int, tuple[PlanVersion | None, int]]:
    """The latest version of each plan and how many tenants have it, by id: two queries."""
    ids = [plan.pk for plan in plans]
    rows = PlanVersion.objects.filter(plan__in=ids).order_by("number").defer("policy")
    latest = {version.plan_id: version for version in rows}
    tenants = dict(
        Subscription.objects.filter(ends_at__isnull=True, version__plan__in=ids)
        .values_list("version__plan_id")
        .annotate(number=Count("pk"))
        .order_by()
    )
    return {pk: (latest.get(pk), tenants.get(pk, 0)) for pk in ids}


def terms_of(versions: Collection[PlanVersion]) -> dict[int, tuple[dict[str, int | None], int]]:
    """The limits of each version and how many tenants have it now, by id: two queries."""
    ids = [version.pk for version in versions]
    limits: dict[int, dict[str, int | None]] = defaultdict(dict)
    for pk, key, value in Limit.objects.filter(version__in=ids).values_list(
        "version_id", "key", "value"
    ):
        limits[pk][key] = value
    tenants = dict(
        Subscription.objects.filter(ends_at__isnull=True, version__in=ids)
        .values_list("version_id")
        .annotate(number=Count("pk"))
        .order_by()
    )
    return {pk: (limits[pk], tenants.get(pk, 0)) for pk in ids}
