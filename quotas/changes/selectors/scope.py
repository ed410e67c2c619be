"""Which rows a change is about, and whether it can be made at all as things stand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from console.errors import DomainError
from quotas.changes import contracts as c
from quotas.changes.rules.policy import parse_policy
from quotas.changes.selectors.places import (
    loaded,
    placements_numbered,
    planned_placement,
    some,
    unknown,
)
from quotas.plans.contracts import PlanTerms, Policy
from quotas.plans.models import Lease, Override, Plan, PlanVersion
from quotas.plans.rules import require_valid
from quotas.plans.selectors import load_terms
from quotas.plans.services import adjustments
from quotas.plans.services.plans import (
    latest_version,
    require_latest,
    stored_terms,
    subscribers,
    terms_values,
)
from tenants.models import Placement, Tenant, TenantStatus, dns_label
from tenants.rules import check_slug

_LIVING = (TenantStatus.ACTIVE, TenantStatus.SUSPENDED)


@dataclass(frozen=True, slots=True)
class Scope:
    """The rows behind a change.

    `placements` are those that will be written to, `leaving` the ids of those to be emptied,
    `planned` those that do not exist yet (unsaved, ids -1, -2, …). `terms` and `version` say where
    a change of plan leads; a plan version that is yet to be published has no row.
    """

    tenants: Sequence[Tenant] = ()
    placements: Sequence[Placement] = ()
    leaving: frozenset[int] = frozenset()
    planned: Sequence[Placement] = ()
    terms: PlanTerms | None = None
    policy: Policy | None = None
    version: PlanVersion | None = None
    row: Lease | Override | None = None
    confirm: str = ""
    warnings: tuple[str, ...] = field(default=())


def scope_of(change: c.Change, now: datetime) -> Scope:
    """The rows behind a change. Raises DomainError when it cannot be made: it names what is
    unknown, the plan that moved on (409), or that nothing would change ("unchanged")."""
    return _SCOPES[type(change)](change, now)


def _publish(change: c.PublishPlan, _: datetime) -> Scope:
    plan = _plan(change.plan)
    latest = latest_version(plan)
    require_latest(latest, change.base_version)
    # What the policy does not say stays as it was: nobody loosens a policy by leaving it out.
    policy = parse_policy({**latest.policy, **change.policy})
    require_valid(change.limits)
    if stored_terms(latest) == terms_values(change.limits, policy):
        raise DomainError("unchanged", f"{latest} says exactly this already.")
    terms = PlanTerms(plan.slug, latest.number + 1, dict(change.limits), policy)
    return _of_tenants(subscribers(plan), terms=terms, policy=policy, version=latest)


def _move(change: c.MovePlan, _: datetime) -> Scope:
    plan = _plan(change.plan)
    version = latest_version(plan)
    if change.version is not None and change.version != version.number:
        version = _version(plan, change.version)
    found = tenants_named(change.tenants)
    return _of_tenants(found, terms=load_terms([version.pk])[version.pk], version=version)


def _lease(change: c.GrantLease, now: datetime) -> Scope:
    adjustments.checked_key(change.key, change.value)
    adjustments.require_future(change.until, now)
    return _of_tenants(tenants_named(change.tenants))


def _end_lease(change: c.EndLease, now: datetime) -> Scope:
    lease = Lease.objects.at(now).select_related("tenant").filter(pk=change.lease).first()
    if lease is None:
        raise unknown("lease", change.lease, "it is not in force; it may have ended by itself")
    return _of_tenants([lease.tenant], row=lease)


def _override(change: c.SetOverride, _: datetime) -> Scope:
    adjustments.checked_key(change.key, change.value)
    return _of_tenants(tenants_named(change.tenants))


def _end_override(change: c.EndOverride, now: datetime) -> Scope:
    override = Override.objects.at(now).select_related("tenant").filter(pk=change.override).first()
    if override is None:
        raise unknown("override", change.override, "it is not in force; it may have been ended")
    return _of_tenants([override.tenant], row=override)


def _suspend(change: c.Suspend, _: datetime) -> Scope:
    return _of_status(change.tenants, TenantStatus.ACTIVE, "active")


def _resume(change: c.Resume, _: datetime) -> Scope:
    return _of_status(change.tenants, TenantStatus.SUSPENDED, "suspended")


def _place(change: c.Place, _: datetime) -> Scope:
    (tenant,) = tenants_named([change.tenant], field="tenant")
    return Scope(tenants=[tenant], planned=[planned_placement(tenant, change, -1)])


def _displace(change: c.Displace, _: datetime) -> Scope:
    (placement,) = placements_numbered([change.placement], field="placement")
    return Scope(
        tenants=[placement.tenant],
        placements=[placement],
        leaving=frozenset({placement.pk}),
        confirm=placement.tenant.slug,
    )


def _onboard(change: c.Onboard, _: datetime) -> Scope:
    if Tenant.objects.filter(slug=change.slug).exists():
        raise DomainError(
            "taken",
            f"Slug: {change.slug!r} is taken; slugs are never given twice.",
            field="slug",
            status=409,
        )
    check_slug(change.slug)
    if not dns_label.regex.match(change.slug):  # type: ignore[union-attr]  # compiled lazily
        raise DomainError("invalid", f"Slug: {change.slug!r}: {dns_label.message}", field="slug")
    version = latest_version(_plan(change.plan))
    tenant = Tenant(slug=change.slug, name=change.name, group=change.group)
    planned = [
        planned_placement(tenant, place, -n) for n, place in enumerate(change.placements, start=1)
    ]
    warnings = () if planned else ("The tenant is placed nowhere yet: nothing is enforced.",)
    return Scope(
        tenants=[tenant],
        planned=planned,
        version=version,
        terms=load_terms([version.pk])[version.pk],
        warnings=warnings,
    )


def _offboard(change: c.Offboard, _: datetime) -> Scope:
    (tenant,) = tenants_named([change.tenant], field="tenant")
    found = loaded(Placement.objects.filter(tenant=tenant, leaving=False))
    return Scope(
        tenants=[tenant],
        placements=found,
        leaving=frozenset(placement.pk for placement in found),
        confirm=tenant.slug,
    )


def _again(change: c.Repair | c.TakeOver, _: datetime) -> Scope:
    found = placements_numbered(change.placements)
    tenants = {placement.tenant_id: placement.tenant for placement in found}
    return Scope(tenants=list(tenants.values()), placements=found)


_SCOPES: dict[type[Any], Callable[[Any, datetime], Scope]] = {
    c.PublishPlan: _publish,
    c.MovePlan: _move,
    c.GrantLease: _lease,
    c.EndLease: _end_lease,
    c.SetOverride: _override,
    c.EndOverride: _end_override,
    c.Suspend: _suspend,
    c.Resume: _resume,
    c.Place: _place,
    c.Displace: _displace,
    c.Onboard: _onboard,
    c.Offboard: _offboard,
    c.Repair: _again,
    c.TakeOver: _again,
}


def tenants_named(slugs: Sequence[str], *, field: str = "tenants") -> list[Tenant]:
    """The tenants in the order named. Raises DomainError naming those that are unknown, or that
    are leaving and cannot be changed any more."""
    found = {each.slug: each for each in Tenant.objects.filter(slug__in=slugs)}
    if missing := [slug for slug in slugs if slug not in found]:
        raise unknown(field, some(missing), "there is no such tenant; check the spelling")
    if left := [slug for slug in slugs if found[slug].status not in _LIVING]:
        raise DomainError(
            "tenant_leaving",
            f"{field.capitalize()}: {some(left)} is being off-boarded or gone and cannot be "
            "changed any more.",
            field=field,
            status=409,
        )
    return [found[slug] for slug in slugs]


def _of_tenants(tenants: list[Tenant], **rest: Any) -> Scope:
    ids = [tenant.pk for tenant in tenants]
    if len(ids) > 5000:
        wanted = set(ids)
        rows = Placement.objects.filter(leaving=False)
        found = [each for each in loaded(rows) if each.tenant_id in wanted]
    else:
        found = loaded(Placement.objects.filter(tenant__in=ids, leaving=False))
    return Scope(tenants=tenants, placements=found, **rest)


def _of_status(slugs: Sequence[str], status: str, word: str) -> Scope:
    named = tenants_named(slugs)
    found = [tenant for tenant in named if tenant.status == status]
    if not found:
        raise DomainError("unchanged", f"Tenants: none of them is {word}.", field="tenants")
    left = [tenant.slug for tenant in named if tenant.status != status]
    warnings = (f"Left out, not {word}: {some(left)}.",) if left else ()
    return _of_tenants(found, warnings=warnings)


def _plan(slug: str) -> Plan:
    plan = Plan.objects.filter(slug=slug).first()
    if plan is None:
        raise unknown("plan", slug, "there is no such plan; check the spelling")
    if plan.archived_at:
        raise DomainError("plan_archived", f"Plan: {slug} is archived.", field="plan", status=409)
    return plan


def _version(plan: Plan, number: int) -> PlanVersion:
    version = PlanVersion.objects.select_related("plan").filter(plan=plan, number=number).first()
    if version is None:
        raise unknown("version", number, f"{plan} has no such version")
    return version
