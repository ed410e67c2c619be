"""Stopping a tenant's new work, and letting it start again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Value
from django.db.models.functions import Greatest
from django.utils import timezone

from console.audit import services as audit
from console.audit.services import Actor
from quotas.plans.models import Suspension
from tenants.models import Tenant, TenantStatus


@transaction.atomic
def suspend(
    *, tenants: Sequence[Tenant], actor: Actor, reason: str, at: datetime | None = None
) -> list[Tenant]:
    """Suspends those of the tenants that are active; returns them."""
    reason = audit.require_reason(reason)
    stopped = _flip(tenants, TenantStatus.ACTIVE, TenantStatus.SUSPENDED)
    Suspension.objects.bulk_create(
        [
            Suspension(
                tenant=tenant, reason=reason, author=actor.name, starts_at=at or timezone.now()
            )
            for tenant in stopped
        ],
        batch_size=500,
    )
    _record("tenant.suspend", stopped, TenantStatus.ACTIVE, actor=actor, reason=reason)
    return stopped


@transaction.atomic
def resume(
    *, tenants: Sequence[Tenant], actor: Actor, reason: str, at: datetime | None = None
) -> list[Tenant]:
    """Resumes those of the tenants that are suspended; returns them."""
    reason = audit.require_reason(reason)
    started = _flip(tenants, TenantStatus.SUSPENDED, TenantStatus.ACTIVE)
    Suspension.objects.filter(tenant__in=started, ends_at=None).update(
        ends_at=Greatest("starts_at", Value(at or timezone.now()))
    )
    _record("tenant.resume", started, TenantStatus.SUSPENDED, actor=actor, reason=reason)
    return started


def _flip(tenants: Sequence[Tenant], old: str, new: str) -> list[Tenant]:
    ids = [tenant.pk for tenant in tenants]
    flipped = list(Tenant.objects.select_for_update().filter(pk__in=ids, status=old).order_by("pk"))
    Tenant.objects.filter(pk__in=[tenant.pk for tenant in flipped]).update(status=new)
    for tenant in flipped:
        tenant.status = new
    return flipped


def _record(action: str, tenants: Sequence[Tenant], was: str, **entry: Any) -> None:
    audit.record_all(
        [
            audit.build(
                action=action,
                object_type="tenant",
                object_id=tenant.pk,
                object_label=tenant.slug,
                tenant=tenant.slug,
                before={"status": str(was)},
                after={"status": str(tenant.status)},
                **entry,
            )
            for tenant in tenants
        ]
    )
