"""The end of off-boarding: what is empty on its target is forgotten."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef

from console.audit.services import Actor
from quotas.enforcement.models import ItemState, RolloutItem
from tenants import services as tenants
from tenants.models import Placement, Tenant, TenantStatus

ACTOR = Actor.loop("off-boarding")
REASON = "Everything of ours there is deleted."


def finish_offboarding(*, at: datetime) -> tuple[int, int]:
    """Removes placements whose last push left nothing, and marks tenants without any as gone.

    Returns how many placements were removed and how many tenants are gone. Running it again, or
    twice at once, does no harm.
    """
    emptied = RolloutItem.objects.filter(
        placement=OuterRef("pk"), state=ItemState.DONE, generation__gte=OuterRef("generation")
    )
    removed = gone = 0
    with transaction.atomic():
        placements = list(
            Placement.objects.filter(Exists(emptied), leaving=True)
            .select_for_update(of=("self",))
            .select_related("tenant", "target")
        )
        if placements:
            removed = tenants.remove_placements(placements=placements, actor=ACTOR, reason=REASON)
        leaving = Tenant.objects.filter(status=TenantStatus.OFFBOARDING, placements=None)
        for tenant in leaving.select_for_update(of=("self",)).order_by("pk"):
            tenants.mark_gone(tenant=tenant, actor=ACTOR, reason=REASON, at=at)
            gone += 1
    return removed, gone
