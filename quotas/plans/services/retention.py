"""Which limits held long ago is no longer kept; what holds, or will, always is."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from console.database.pruning import prune
from quotas.plans.models import Lease, Override, Subscription, Suspension
from quotas.plans.selectors import limits_kept_since


def prune_past_limits(now: datetime, until: float) -> int:
    """Subscriptions, leases, overrides and suspensions that ended long ago; the ledger keeps who
    began and who ended them."""
    ended = {"ends_at__lt": limits_kept_since(now)}
    past: tuple[QuerySet[Any], ...] = (
        Lease.objects.filter(**ended),
        Override.objects.filter(**ended),
        Suspension.objects.filter(**ended),
        Subscription.objects.filter(**ended),
    )
    return sum(prune(rows, until=until) for rows in past)
