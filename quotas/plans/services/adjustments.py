"""Limits of one tenant that differ from its plan: leases end by themselves, overrides do not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.db.models import Value
from django.db.models.functions import Greatest
from django.utils import timezone

from console.audit import services as audit
from console.audit.services import Actor
from console.errors import DomainError
from quotas.plans.limits import check_value, format_limit, parse_key
from quotas.plans.models import Lease, Override
from tenants.models import Tenant


@transaction.atomic
def grant_lease(
    *,
    tenants: Sequence[Tenant],
    key: str,
    value: int | None,
    until: datetime,
    actor: Actor,
    reason: str,
    at: datetime | None = None,
) -> list[Lease]:
    """One limit changed until `until` for each tenant, in base units. Leases may overlap: the one
    granted last wins."""
    reason = audit.require_reason(reason)
    at = at or timezone.now()
    key = checked_key(key, value)
    until = until.astimezone(UTC)
    require_future(until, at)
    made = Lease.objects.bulk_create(
        [
            Lease(
                tenant=tenant,
                key=key,
                value=value,
                reason=reason,
                author=actor.name,
                starts_at=at,
                ends_at=until,
            )
            for tenant in tenants
        ],
        batch_size=500,
    )
    _record("lease.grant", made, actor=actor, reason=reason)
    return made


@transaction.atomic
def end_lease(*, lease: Lease, actor: Actor, reason: str, at: datetime | None = None) -> Lease:
    """Ends a lease now. Raises DomainError("lease_ended", 409) when it is over already."""
    reason = audit.require_reason(reason)
    at = at or timezone.now()
    ended = Lease.objects.filter(pk=lease.pk, ends_at__gt=at).update(
        ends_at=Greatest("starts_at", Value(at)), ended_by=actor.name
    )
    if not ended:
        raise DomainError(
            "lease_ended", f"Lease {lease.pk} of {lease.tenant} is over already.", status=409
        )
    before = _values(lease)
    lease.refresh_from_db()
    _record("lease.end", [lease], before=before, actor=actor, reason=reason)
    return lease


@transaction.atomic
def set_override(
    *,
    tenants: Sequence[Tenant],
    key: str,
    value: int | None,
    actor: Actor,
    reason: str,
    at: datetime | None = None,
) -> list[Override]:
    """One limit that differs from the plan until it is ended, in base units. An open override of
    the same limit ends at the same moment; one that says the same already is left alone."""
    reason = audit.require_reason(reason)
    at = at or timezone.now()
    key = checked_key(key, value)
    open_rows = Override.objects.filter(tenant__in=tenants, key=key, ends_at=None)
    current: dict[int, Override] = {row.tenant_id: row for row in open_rows}
    changing = [
        tenant
        for tenant in tenants
        if tenant.pk not in current or current[tenant.pk].value != value
    ]
    replaced = [current[tenant.pk].pk for tenant in changing if tenant.pk in current]
    Override.objects.filter(pk__in=replaced).update(ends_at=Greatest("starts_at", Value(at)))
    made = Override.objects.bulk_create(
        [
            Override(
                tenant=tenant,
                key=key,
                value=value,
                reason=reason,
                author=actor.name,
                starts_at=max(at, current[tenant.pk].starts_at) if tenant.pk in current else at,
            )
            for tenant in changing
        ],
        batch_size=500,
    )
    was = {pk: _values(row) for pk, row in current.items()}
    audit.record_all(
        [
            audit.build(
                action="override.set",
                before=was.get(row.tenant_id),
                after=_values(row),
                actor=actor,
                reason=reason,
                **_named(row),
            )
            for row in made
        ]
    )
    return made


@transaction.atomic
def end_override(
    *, override: Override, actor: Actor, reason: str, at: datetime | None = None
) -> Override:
    """Ends an override now. Raises DomainError("override_ended", 409) when it is over already."""
    reason = audit.require_reason(reason)
    at = at or timezone.now()
    open_row = Override.objects.filter(pk=override.pk, ends_at=None)
    if not open_row.update(ends_at=Greatest("starts_at", Value(at))):
        raise DomainError(
            "override_ended",
            f"Override {override.pk} of {override.tenant} is over already.",
            status=409,
        )
    before = _values(override)
    override.refresh_from_db()
    _record("override.end", [override], before=before, actor=actor, reason=reason)
    return override


@transaction.atomic
def end_all(
    *, tenants: Sequence[Tenant], actor: Actor, reason: str, at: datetime | None = None
) -> int:
    """Ends what tenants that leave still have of leases and overrides; how many there were."""
    at = at or timezone.now()
    leases = Lease.objects.filter(tenant__in=tenants, ends_at__gt=at).select_related("tenant")
    overrides = Override.objects.filter(tenant__in=tenants, ends_at=None).select_related("tenant")
    for lease in (ending := list(leases)):
        end_lease(lease=lease, actor=actor, reason=reason, at=at)
    for override in (open_ones := list(overrides)):
        end_override(override=override, actor=actor, reason=reason, at=at)
    return len(ending) + len(open_ones)


def checked_key(key: str, value: int | None) -> str:
    """The one spelling of a limit key, its value checked. Raises DomainError naming the key."""
    limit = parse_key(key)
    check_value(limit, value)
    return limit.key


def require_future(until: datetime, at: datetime) -> None:
    """Raises DomainError("lease_in_the_past") unless `until` is later than `at`."""
    if until <= at:
        end, now = until.astimezone(UTC), at.astimezone(UTC)
        raise DomainError(
            "lease_in_the_past",
            f"Until: {end:%Y-%m-%d %H:%M} UTC is not in the future; a lease ends later than now "
            f"({now:%Y-%m-%d %H:%M} UTC).",
            field="until",
        )


def _record(
    action: str,
    rows: Sequence[Lease] | Sequence[Override],
    *,
    actor: Actor,
    reason: str,
    before: dict[str, Any] | None = None,
) -> None:
    audit.record_all(
        [
            audit.build(
                action=action,
                before=before,
                after=_values(row),
                actor=actor,
                reason=reason,
                **_named(row),
            )
            for row in rows
        ]
    )


def _named(row: Lease | Override) -> dict[str, Any]:
    shown = format_limit(parse_key(row.key), row.value)
    return {
        "object_type": row._meta.model_name or "",
        "object_id": row.pk,
        "object_label": f"{row.tenant.slug} {row.key} {shown}",
        "tenant": row.tenant.slug,
    }


def _values(row: Lease | Override) -> dict[str, Any]:
    return {
        "key": row.key,
        "value": format_limit(parse_key(row.key), row.value),
        "starts_at": row.starts_at,
        "ends_at": row.ends_at,
        "reason": row.reason,
        "author": row.author,
    }
