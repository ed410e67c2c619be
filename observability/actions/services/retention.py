"""Actions that are no longer kept; their entries in the ledger and their notes in the runs' trails
are others'."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings

from console.database.pruning import prune, prune_of
from observability.actions.models import OPEN, Action, ActionItem


def prune_actions(now: datetime, until: float) -> int:
    """Actions that ended long ago, with the items of batches."""
    old = now - timedelta(days=settings.ACTION_RETENTION_DAYS)
    rows = Action.objects.filter(created_at__lt=old, finished_at__lt=old).exclude(status__in=OPEN)
    return prune(rows, until=until, before=prune_of(ActionItem.objects.all(), "action"), size=20)
