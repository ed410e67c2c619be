"""What the page of one tenant reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.urls import reverse

from console.audit.models import Entry
from console.loops.rules import LoopNote, LoopReport
from quotas.enforcement import charts
from quotas.enforcement.adapters import registry
from quotas.enforcement.models import OPEN_STATES, PlacementState, Rollout, RolloutItem
from quotas.enforcement.rules import ALTERED
from quotas.enforcement.selectors.target_loops import as_of, condition_now
from quotas.plans.charts import describe, human
from quotas.plans.contracts import EffectiveLimit, EffectiveLimits, Group, Source
from quotas.plans.effective import effective_limits
from quotas.plans.models import Lease, Override
from quotas.plans.selectors import load_histories
from tenants.models import Placement, Tenant
from tenants.selectors import UnreadableSummary, unreadable_of

HISTORY = 20
_COUNTED = (Group.QUOTA, Group.TEMPORAL, Group.ARGO, Group.CELERY)


@dataclass(frozen=True, slots=True)
class PlacementPanel:
    """One placement: how it stands, and its limits line by line, fullest first."""

    id: int
    target: str
    target_name: str
    kind: str
    location: str
    location_label: str
    sharing: str
    fairness_key: str
    leaving: bool
    drift_policy: str
    condition: str
    since: datetime | None
    observed_at: datetime | None
    message: str
    usage: tuple[charts.LimitLine, ...]
    rules: tuple[charts.LimitLine, ...]
    owners: Mapping[str, str]
    differences: Sequence[Mapping[str, Any]]
    refusals: Sequence[Mapping[str, str]]
    warnings: Sequence[str]
    foreign: Sequence[str]
    unchecked: bool = False

    @property
    def condition_now(self) -> str:
        """The condition as pages may claim it."""
        return condition_now(self.condition, unchecked=self.unchecked)

    @property
    def sparks_url(self) -> str:
        """Where observability.usage renders the last 24 hours; named by string, not imported."""
        return reverse("usage:sparks", kwargs={"pk": self.id})


@dataclass(frozen=True, slots=True)
class TenantPage:
    """Everything on the page of one tenant."""

    tenant: Tenant
    condition: str
    message: str
    since: datetime | None
    limits: EffectiveLimits | None
    subscribed_at: datetime | None
    leases: tuple[Lease, ...]
    overrides: tuple[Override, ...]
    placements: tuple[PlacementPanel, ...]
    rollouts: tuple[Rollout, ...]
    history: tuple[Entry, ...]
    moving: bool
    unreadable: UnreadableSummary | None
    observed_at: datetime | None = None
    loops: tuple[LoopNote, ...] = ()

    @property
    def unchecked(self) -> bool:
        """Whether nobody can say now that everything of it is as intended."""
        return any(place.unchecked for place in self.placements)

    @property
    def condition_now(self) -> str:
        """The condition as pages may claim it."""
        return condition_now(self.condition, unchecked=self.unchecked)


def tenant_page(tenant: Tenant, *, now: datetime, report: LoopReport | None = None) -> TenantPage:
    """Reads the page in a constant number of queries, whatever the tenant has. `report` says which
    targets nobody compares."""
    unchecked = report.unchecked if report else frozenset()
    history = load_histories([tenant.pk]).get(tenant.pk)
    limits = effective_limits(history, now) if history else None
    placed = Placement.objects.filter(tenant=tenant).select_related("target", "state")
    open_items = RolloutItem.objects.filter(tenant=tenant, state__in=OPEN_STATES)
    moving = set(open_items.values_list("rollout_id", flat=True))
    state = getattr(tenant, "state", None)
    holding = history.subscriptions if history else ()
    # Most tenants have neither leases nor overrides: the history says so already.
    kept = history.adjustments if history else ()
    sources = {
        adjustment.source
        for adjustment in kept
        if adjustment.ends_at is None or adjustment.ends_at > now
    }
    leases = Lease.objects.filter(tenant=tenant, ends_at__gt=now).order_by("ends_at")
    overrides = Override.objects.filter(tenant=tenant, ends_at__isnull=True)
    places = [_panel(place, limits, unchecked) for place in placed.order_by("target__slug", "id")]
    return TenantPage(
        tenant=tenant,
        condition=state.condition if state else "unknown",
        message=state.message if state else "",
        since=state.since if state else None,
        limits=limits,
        subscribed_at=next(
            (interval.starts_at for interval in holding if interval.ends_at is None), None
        ),
        leases=tuple(leases) if Source.LEASE in sources else (),
        overrides=tuple(overrides) if Source.OVERRIDE in sources else (),
        placements=tuple(places),
        rollouts=tuple(Rollout.objects.filter(pk__in=moving).order_by("-id")[:5]),
        history=tuple(Entry.objects.filter(tenant=tenant.slug).order_by("-at", "-id")[:HISTORY]),
        moving=bool(moving),
        unreadable=unreadable_of(tenant),
        observed_at=as_of(place.observed_at for place in places),
        loops=report.notes({place.target for place in places}) if report and places else (),
    )


def _panel(
    placement: Placement, limits: EffectiveLimits | None, unchecked: frozenset[str]
) -> PlacementPanel:
    state: PlacementState | None = getattr(placement, "state", None)
    lines = _lines(placement.target.kind, state, limits)
    return PlacementPanel(
        id=placement.pk,
        target=placement.target.slug,
        target_name=placement.target.name,
        kind=placement.target.kind,
        location=placement.location,
        location_label=registry.adapter_for(placement.target.kind).location_label,
        sharing=placement.sharing,
        fairness_key=placement.fairness_key,
        leaving=placement.leaving,
        drift_policy=placement.effective_drift_policy,
        condition=state.condition if state else "unknown",
        since=state.since if state else None,
        observed_at=state.observed_at if state else None,
        message=state.message if state else "",
        usage=tuple(line for line in lines if _is_usage(line.key)),
        rules=tuple(line for line in lines if not _is_usage(line.key)),
        owners=state.owners if state else {},
        differences=state.differences if state else (),
        refusals=state.refusals if state else (),
        warnings=state.warnings if state else (),
        foreign=state.foreign if state else (),
        unchecked=placement.target.slug in unchecked,
    )


def _is_usage(key: str) -> bool:
    """Limits that something is counted against, as opposed to rules for single objects."""
    description = describe(key)
    return description is None or description.group in _COUNTED


def _lines(
    kind: str, state: PlacementState | None, limits: EffectiveLimits | None
) -> list[charts.LimitLine]:
    observed: Mapping[str, Any] = state.limits if state else {}
    intended = {
        key: limit
        for key, limit in (limits.limits.items() if limits else ())
        if (description := describe(key)) is not None and description.plane == kind
    }
    lines = [
        charts.line(
            observed.get(key, {}),
            key=key,
            intended=_value(intended.get(key), observed.get(key, {})),
            source=_source(intended.get(key), limits),
            note=_note(intended.get(key)),
            condition=_why(state),
        )
        for key in {**intended, **observed}
    ]
    return sorted(lines, key=_fullness, reverse=True)


def _why(state: PlacementState | None) -> str:
    """What explains a difference: the condition, or its code where that says more."""
    if state is None:
        return "unknown"
    return ALTERED if state.code == ALTERED else state.condition


def _value(limit: EffectiveLimit | None, observed: Mapping[str, Any]) -> int | None:
    if limit is not None:
        return limit.value
    value = observed.get("intended")
    return value if isinstance(value, int) else None


def _source(limit: EffectiveLimit | None, limits: EffectiveLimits | None) -> str:
    """Where a limit comes from, in words: "plan standard v7", "lease", "override"."""
    if limit is None or limits is None:
        return "implied"
    if limit.source == Source.PLAN:
        return f"plan {limits.plan} v{limits.version}"
    return str(limit.source)


def _note(limit: EffectiveLimit | None) -> str:
    if limit is None or limit.source == Source.PLAN:
        return ""
    plan = human(limit.key, limit.plan_value) if limit.in_plan else "no limit"
    until = f"until {limit.until.astimezone(UTC):%-d %b %H:%M} UTC, " if limit.until else ""
    return f"{until}{limit.author}: {limit.reason} (plan: {plan})"


def _fullness(line: charts.LimitLine) -> tuple[float, str]:
    if line.raw_used is None or not line.raw_enforced:
        return (-1.0 if not line.raw_used else 2.0 if line.raw_enforced == 0 else -0.5, line.key)
    return (line.raw_used / line.raw_enforced, line.key)
