"""Who has which plan version, from when to when: intervals that close and open at one moment."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Value
from django.db.models.functions import Greatest
from django.utils import timezone

from console.audit import services as audit
from console.audit.services import Actor
from console.chunks import chunks
from console.errors import DomainError
from quotas.plans.models import PlanVersion, Subscription
from tenants.models import Tenant

_BATCH = 5000
"""So many ids go into one statement: below every database's bound on parameters."""


@transaction.atomic
def subscribe(
    *,
    tenants: Iterable[Tenant],
    version: PlanVersion,
    actor: Actor,
    reason: str,
    at: datetime | None = None,
) -> list[Subscription]:
    """Puts tenants on a plan version from `at` on, in a handful of statements however many they
    are; those who have it already are left alone. Returns the new subscriptions."""
    entry: dict[str, Any] = {"actor": actor, "reason": audit.require_reason(reason)}
    at = at or timezone.now()
    if version.plan.archived_at:
        raise DomainError(
            "plan_archived", f"{version.plan.slug} is archived; choose another plan.", field="plan"
        )
    by_id = {tenant.pk: tenant for tenant in tenants}
    current = {row.tenant_id: row for row in _open_subscriptions(by_id)}
    moving = [pk for pk in by_id if pk not in current or current[pk].version_id != version.pk]
    _end(current, moving, at)
    made = Subscription.objects.bulk_create(
        [
            Subscription(
                tenant=by_id[pk],
                version=version,
                starts_at=max(at, current[pk].starts_at) if pk in current else at,
            )
            for pk in moving
        ],
        batch_size=500,
    )
    after = version_values(version)
    audit.record_all(
        [
            audit.build(
                action="subscription.start",
                object_type="subscription",
                object_id=row.pk,
                object_label=f"{row.tenant.slug}: {version}",
                tenant=row.tenant.slug,
                before=version_values(current[row.tenant_id].version)
                if row.tenant_id in current
                else None,
                after=after,
                **entry,
            )
            for row in made
        ]
    )
    return made


@transaction.atomic
def unsubscribe(
    *, tenants: Sequence[Tenant], actor: Actor, reason: str, at: datetime | None = None
) -> int:
    """Ends the subscriptions of tenants that leave; how many there were."""
    entry: dict[str, Any] = {"actor": actor, "reason": audit.require_reason(reason)}
    by_id = {tenant.pk: tenant for tenant in tenants}
    current = {row.tenant_id: row for row in _open_subscriptions(by_id)}
    _end(current, list(current), at or timezone.now())
    audit.record_all(
        [
            audit.build(
                action="subscription.end",
                object_type="subscription",
                object_id=row.pk,
                object_label=f"{by_id[pk].slug}: {row.version}",
                tenant=by_id[pk].slug,
                before=version_values(row.version),
                **entry,
            )
            for pk, row in current.items()
        ]
    )
    return len(current)


def version_values(version: PlanVersion) -> dict[str, Any]:
    """Which plan and which version, as the ledger shows it."""
    return {"plan": version.plan.slug, "version": version.number}


def _open_subscriptions(tenant_ids: Collection[int]) -> list[Subscription]:
    subscriptions: list[Subscription] = []
    for ids in chunks(tenant_ids, _BATCH):
        rows = Subscription.objects.filter(tenant_id__in=ids, ends_at=None)
        subscriptions += rows.select_related("version__plan")
    return subscriptions


def _end(current: Mapping[int, Subscription], tenant_ids: Iterable[int], at: datetime) -> None:
    """Ends open subscriptions at `at`, or where they began should another clock be ahead."""
    ending = [current[pk].pk for pk in tenant_ids if pk in current]
    for ids in chunks(ending, _BATCH):
        Subscription.objects.filter(pk__in=ids, ends_at=None).update(
            ends_at=Greatest("starts_at", Value(at))
        )
