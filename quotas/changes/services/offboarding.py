"""The end of off-boarding: what is empty on its target is forgotten after a day."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef

from console.audit.services import Actor
from quotas.changes.selectors.places import deprovisioned
from quotas.enforcement.models import ItemState, RolloutItem
from tenants.models import Tenant, TenantStatus
from tenants.services import governance as tenants

ACTOR = Actor.loop("off-boarding")
REASON = "Everything of ours there is deleted."
KEPT = timedelta(days=1)
"""For so long an empty placement stays, so that its rollout can be read object by object."""


def finish_offboarding(*, at: datetime) -> tuple[int, int]:
    """Marks tenants that have nothing left anywhere as gone, and forgets placements that have been
    empty for a day.

    Returns how many placements were forgotten and how many tenants are gone. Running it again, or
    twice at once, does no harm.
    """
    with transaction.atomic():
        gone = _mark_gone(at)
        removed = _forget(at - KEPT)
    return removed, gone


def _mark_gone(at: datetime) -> int:
    leaving = Tenant.objects.filter(status=TenantStatus.OFFBOARDING).select_for_update()
    gone = [
        tenant
        for tenant in leaving.order_by("pk")
        if not tenant.placements.exclude(pk__in=deprovisioned().filter(tenant=tenant)).exists()
    ]
    for tenant in gone:
        tenants.mark_gone(tenant=tenant, actor=ACTOR, reason=REASON, at=at)
    return len(gone)


def _forget(before: datetime) -> int:
    late = RolloutItem.objects.filter(
        placement=OuterRef("pk"), state=ItemState.DONE, finished_at__lte=before
    )
    rows = deprovisioned().filter(Exists(late)).select_related("tenant", "target").order_by("pk")
    placements = list(rows.select_for_update(of=("self",)))
    tenants.remove_placements(placements=placements, actor=ACTOR, reason=REASON)
    return len(placements)
