"""Verbs on tenants, their people, targets and placements: rows and ledger entries, no network.

Each is one transaction with one entry per object changed; where nothing changed, it writes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F

from console.access.models import User
from console.audit import services as audit
from console.audit.services import Actor
from console.database.generations import require_clean, update_generation, values
from console.errors import DomainError
from tenants.models import (
    DriftPolicy,
    Membership,
    MembershipRole,
    Placement,
    Sharing,
    Target,
    Tenant,
    TenantStatus,
)  # fmt: skip
from tenants.rules import (
    REFERENCES,
    check_labels,
    check_slug,
    check_target,
    needs_credential_again,
)

TENANT_FIELDS = ("name", "labels", "contact", "group")
TARGET_FIELDS = (
    "name", "endpoint", "credential", "options", "drift_policy", "concurrency", "enabled",
)  # fmt: skip
Row = Tenant | Target | Placement | Membership


@transaction.atomic
def create_tenant(
    *,
    slug: str,
    name: str,
    actor: Actor,
    reason: str,
    labels: Mapping[str, Any] | None = None,
    contact: str = "",
    group: str = "",
) -> Tenant:
    """A new active tenant, with neither plan nor placement yet."""
    reason = audit.require_reason(reason)
    tenant = Tenant(
        slug=check_slug(slug), name=name.strip(), labels=check_labels(labels or {}),
        contact=contact.strip(), group=group.strip(),
    )  # fmt: skip
    require_clean(tenant)
    tenant.save(force_insert=True)
    after = {"slug": slug, **values(tenant, TENANT_FIELDS)}
    _record(tenant, "tenant.create", actor=actor, reason=reason, after=after)
    return tenant


@transaction.atomic
def update_tenant(
    *,
    tenant: Tenant,
    expected_generation: int,
    actor: Actor,
    reason: str,
    name: str | None = None,
    labels: Mapping[str, Any] | None = None,
    contact: str | None = None,
    group: str | None = None,
) -> Tenant:
    """Changes what was given (None leaves a field as it is); the tenant as stored. A new group is
    intent for the placements: quotas.enforcement's `edit_tenant` pushes it.

    Raises DomainError("stale", 409) when somebody changed the tenant since `expected_generation`.
    """
    reason = audit.require_reason(reason)
    updates = {
        "name": None if name is None else name.strip(),
        "labels": None if labels is None else check_labels(labels),
        "contact": None if contact is None else contact.strip(),
        "group": None if group is None else group.strip(),
    }
    changed = update_generation(tenant, expected=expected_generation, updates=updates)
    if changed:
        before, after = changed
        _record(tenant, "tenant.update", actor=actor, reason=reason, before=before, after=after)
    return tenant


@transaction.atomic
def add_member(
    *, tenant: Tenant, user: User, actor: Actor, reason: str, role: str = MembershipRole.MEMBER
) -> Membership:
    """Makes a person a member of a tenant."""
    reason = audit.require_reason(reason)
    membership = Membership(tenant=tenant, user=user, role=role)
    require_clean(membership)
    membership.save(force_insert=True)
    after = {"user": user.get_username(), "role": role}
    _record(membership, "tenant.member.add", actor=actor, reason=reason, after=after)
    return membership


@transaction.atomic
def remove_member(*, membership: Membership, actor: Actor, reason: str) -> None:
    """Takes a person out of a tenant."""
    reason = audit.require_reason(reason)
    before = {"user": membership.user.get_username(), "role": membership.role}
    _record(membership, "tenant.member.remove", actor=actor, reason=reason, before=before)
    membership.delete()


@transaction.atomic
def create_target(
    *,
    slug: str,
    name: str,
    kind: str,
    kinds: Collection[str],
    actor: Actor,
    reason: str,
    endpoint: str = "",
    credential: str = "",
    options: Mapping[str, Any] | None = None,
    drift_policy: str = DriftPolicy.HEAL,
    concurrency: int = 16,
    enabled: bool = True,
) -> Target:
    """A new target. `kinds` are those that have an adapter: adapters live above this app."""
    reason = audit.require_reason(reason)
    if kind not in kinds:
        known = ", ".join(sorted(kinds))
        raise DomainError(
            "unknown_kind", f"Kind: {kind!r} has no adapter; use one of {known}.", field="kind"
        )
    checked = check_target(
        kind, name=name, endpoint=endpoint, credential=credential, options=options or {},
        drift_policy=drift_policy, concurrency=concurrency, enabled=enabled,
    )  # fmt: skip
    target = Target(slug=check_slug(slug), kind=kind, **checked)
    require_clean(target)
    target.save(force_insert=True)
    after = {"slug": slug, "kind": kind, **values(target, TARGET_FIELDS)}
    _record(target, "target.create", actor=actor, reason=reason, after=after)
    return target


@transaction.atomic
def update_target(
    *,
    target: Target,
    expected_generation: int,
    actor: Actor,
    reason: str,
    **fields: Any,
) -> Target:
    """Changes the given ones of `TARGET_FIELDS`; slug and kind cannot change. Where it is reached
    at another address then, its credential has to be among them, even if it is the same one.

    Raises DomainError("stale", 409) when somebody changed it since `expected_generation`.
    """
    reason = audit.require_reason(reason)
    if unknown := fields.keys() - set(TARGET_FIELDS):
        name = sorted(unknown)[0]
        raise DomainError(
            "unknown_field",
            f"{name!r} of a target cannot be changed; use {', '.join(TARGET_FIELDS)}.",
            field=name,
        )
    updates = check_target(target.kind, target.options, **fields)
    _require_credential_again(target, updates)
    changed = update_generation(target, expected=expected_generation, updates=updates)
    if changed:
        before, after = changed
        _record(target, "target.update", actor=actor, reason=reason, before=before, after=after)
    return target


def _require_credential_again(target: Target, updates: Mapping[str, Any]) -> None:
    """What reaches a secret is said for one address: a target that is pointed elsewhere must not
    take it there unsaid. Options are written as a whole, so that theirs are said with them."""
    in_options = any(target.options.get(name) for name in REFERENCES)
    if "credential" in updates or not (target.credential or in_options):
        return
    if not target.credential and "options" in updates:
        return
    options = updates.get("options", target.options)
    before = {"endpoint": target.endpoint, "options": target.options}
    if isinstance(options, Mapping) and needs_credential_again(
        before, updates.get("endpoint", target.endpoint), options
    ):
        raise DomainError(
            "credential_needed",
            "Credential: the target is reached at another address now, and its credential would be "
            "sent there: say again where the credential is.",
            field="credential" if target.credential else "options",
        )


def place(
    *,
    tenant: Tenant,
    target: Target,
    location: str,
    actor: Actor,
    reason: str,
    sharing: str = Sharing.DEDICATED,
    fairness_key: str = "",
    drift_policy: str = "",
) -> Placement:
    """Puts a tenant on a target; quotas.changes has asked its adapter about the location."""
    reason = audit.require_reason(reason)
    placement = Placement(
        tenant=tenant, target=target, location=location,
        sharing=sharing, fairness_key=fairness_key, drift_policy=drift_policy,
    )  # fmt: skip
    require_clean(placement)
    with transaction.atomic():
        placement.save(force_insert=True)
        after = placement_values(placement)
        _record(placement, "placement.create", actor=actor, reason=reason, after=after)
    return placement


@transaction.atomic
def set_drift_policy(*, placement: Placement, policy: str, actor: Actor, reason: str) -> bool:
    """Says what to do about drift at a placement; "" follows its target. True when that is new."""
    before = placement.drift_policy
    placement.drift_policy = policy
    require_clean(placement)
    entry: dict[str, Any] = {"actor": actor, "reason": audit.require_reason(reason)}
    rows = Placement.objects.filter(pk=placement.pk).exclude(drift_policy=policy)
    if not rows.update(drift_policy=policy):
        return False
    flip = {"before": {"drift_policy": before}, "after": {"drift_policy": policy}}
    _record(placement, "placement.drift_policy", **flip, **entry)
    return True


@transaction.atomic
def leave(*, placements: Sequence[Placement], actor: Actor, reason: str) -> int:
    """Marks placements (tenant and target loaded) as leaving, which is their last new intent; how
    many were not yet."""
    staying = [placement for placement in placements if not placement.leaving]
    Placement.objects.filter(pk__in=[placement.pk for placement in staying]).update(
        leaving=True, generation=F("generation") + 1
    )
    entry: dict[str, Any] = {"actor": actor, "reason": audit.require_reason(reason)}
    flip: dict[str, Any] = {"before": {"leaving": False}, "after": {"leaving": True}}
    audit.record_all(
        [
            audit.build(action="placement.leave", **_named(placement), **flip, **entry)
            for placement in staying
        ]
    )
    for placement in staying:
        placement.leaving = True
    return len(staying)


@transaction.atomic
def remove_placements(*, placements: Sequence[Placement], actor: Actor, reason: str) -> int:
    """Forgets placements that are empty on their targets; how many there were."""
    entry: dict[str, Any] = {"actor": actor, "reason": audit.require_reason(reason)}
    audit.record_all(
        [
            audit.build(
                action="placement.remove",
                before=placement_values(placement),
                **_named(placement),
                **entry,
            )
            for placement in placements
        ]
    )
    Placement.objects.filter(pk__in=[placement.pk for placement in placements]).delete()
    return len(placements)


def offboard(*, tenants: Sequence[Tenant], actor: Actor, reason: str) -> None:
    """Marks tenants as leaving for good; their placements are for `leave`."""
    for tenant in tenants:
        _turn(tenant, TenantStatus.OFFBOARDING, "tenant.offboard", actor, reason)


def mark_gone(*, tenant: Tenant, actor: Actor, reason: str, at: datetime) -> None:
    """The end of off-boarding: the row stays, so that the past can be read."""
    _turn(tenant, TenantStatus.GONE, "tenant.gone", actor, reason, offboarded_at=at)


@transaction.atomic
def _turn(tenant: Tenant, status: str, action: str, actor: Actor, reason: str, **rest: Any) -> None:
    before = {"status": str(tenant.status)}
    ours = Tenant.objects.filter(pk=tenant.pk, status=tenant.status)
    if not ours.update(status=status, generation=F("generation") + 1, **rest):
        raise DomainError("stale", f"{tenant.slug} was changed meanwhile.", status=409)
    tenant.refresh_from_db()
    after = {"status": str(status)}
    _record(tenant, action, actor=actor, reason=reason, before=before, after=after)


def placement_values(placement: Placement) -> dict[str, Any]:
    """A placement as the ledger shows it."""
    return {
        "tenant": placement.tenant.slug,
        "target": placement.target.slug,
        "location": placement.location,
        "sharing": str(placement.sharing),
        "fairness_key": placement.fairness_key,
    }


def _record(row: Row, action: str, **rest: Any) -> None:
    audit.record(action=action, **_named(row), **rest)


def _named(row: Row) -> dict[str, Any]:
    tenant = row if isinstance(row, Tenant) else getattr(row, "tenant", None)
    return {
        "object_type": row._meta.model_name or "",
        "object_id": row.pk,
        "object_label": str(row),
        "tenant": tenant.slug if tenant else "",
    }
