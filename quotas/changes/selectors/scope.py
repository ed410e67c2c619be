"""The rows that a change is about, and finding them by what a change says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from console.errors import DomainError
from quotas.changes.selectors.places import some, unknown, with_tenant_and_target
from quotas.plans.contracts import PlanTerms, Policy, policy_from_json
from quotas.plans.models import Lease, Override, Plan, PlanVersion
from tenants.models import Placement, Tenant, TenantStatus

_LIVING = (TenantStatus.ACTIVE, TenantStatus.SUSPENDED)


@dataclass(frozen=True, slots=True)
class ChangeScope:
    """The rows behind a change.

    `placements` are those that will be written to, `leaving` the ids of those to be emptied (with
    `stops` nothing new may start there), `planned` those that do not exist yet (unsaved, ids -1,
    -2, …). `terms` say where a change of plan leads, `version` is its row: of a version that is
    yet to be published, the one before it. `confirm` is what must be typed to apply it.
    """

    tenants: Sequence[Tenant] = ()
    placements: Sequence[Placement] = ()
    leaving: frozenset[int] = frozenset()
    stops: bool = False
    planned: Sequence[Placement] = ()
    terms: PlanTerms | None = None
    version: PlanVersion | None = None
    row: Lease | Override | None = None
    confirm: str = ""
    warnings: tuple[str, ...] = ()


def tenants_named(slugs: Sequence[str], *, field: str = "tenants") -> list[Tenant]:
    """The tenants in the order named. Raises DomainError naming those that are unknown, or that
    are leaving and cannot be changed any more."""
    by_slug = {tenant.slug: tenant for tenant in Tenant.objects.filter(slug__in=slugs)}
    if missing := [slug for slug in slugs if slug not in by_slug]:
        raise unknown(field, some(missing), "there is no such tenant; check the spelling")
    if left := [slug for slug in slugs if by_slug[slug].status not in _LIVING]:
        raise DomainError(
            "tenant_leaving",
            f"{field.capitalize()}: {some(left)} is being off-boarded or gone and cannot be "
            "changed any more.",
            field=field,
            status=409,
        )
    return [by_slug[slug] for slug in slugs]


def scope_of_tenants(tenants: list[Tenant], **rest: Any) -> ChangeScope:
    """The tenants with every placement of theirs; `rest` are further fields of the scope."""
    ids = [tenant.pk for tenant in tenants]
    if len(ids) > 5000:
        wanted = set(ids)
        rows = Placement.objects.filter(leaving=False)
        placements = [
            placement for placement in with_tenant_and_target(rows) if placement.tenant_id in wanted
        ]
    else:
        placements = with_tenant_and_target(Placement.objects.filter(tenant__in=ids, leaving=False))
    return ChangeScope(tenants=tenants, placements=placements, **rest)


def scope_by_status(slugs: Sequence[str], status: str, word: str, *warnings: str) -> ChangeScope:
    """Those of the tenants that have a status; the others are named in a warning. Raises
    DomainError("unchanged") when none has it."""
    named = tenants_named(slugs)
    tenants = [tenant for tenant in named if tenant.status == status]
    if not tenants:
        raise DomainError("unchanged", f"Tenants: none of them is {word}.", field="tenants")
    left = [tenant.slug for tenant in named if tenant.status != status]
    left_out = (f"Left out, not {word}: {some(left)}.",) if left else ()
    return scope_of_tenants(tenants, warnings=(*left_out, *warnings))


def plan_offered(slug: str) -> Plan:
    """The plan. Raises DomainError when there is none of this name, or it is archived (409)."""
    plan = Plan.objects.filter(slug=slug).first()
    if plan is None:
        raise unknown("plan", slug, "there is no such plan; check the spelling")
    if plan.archived_at:
        raise DomainError("plan_archived", f"Plan: {slug} is archived.", field="plan", status=409)
    return plan


def version_numbered(plan: Plan, number: int) -> PlanVersion:
    """One version of a plan. Raises DomainError("unknown_version")."""
    version = PlanVersion.objects.select_related("plan").filter(plan=plan, number=number).first()
    if version is None:
        raise unknown("version", number, f"{plan} has no such version")
    return version


def policy_of(plan: str, number: int) -> Policy:
    """The policy of a plan version; the default one where there is no such version."""
    rows = PlanVersion.objects.filter(plan__slug=plan, number=number)
    return policy_from_json(rows.values_list("policy", flat=True).first() or {})
