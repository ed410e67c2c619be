"""Replays that are no longer kept. Bundles are: a verdict names the one it is about."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings

from console.database.pruning import prune, prune_of
from observability.replays.models import Replay, ReplayResult


def prune_replays(now: datetime, until: float) -> int:
    """Replays that ended long ago, with their results."""
    old = now - timedelta(days=settings.REPLAY_RETENTION_DAYS)
    rows = Replay.objects.filter(created_at__lt=old, finished_at__lt=old)
    return prune(rows, until=until, before=prune_of(ReplayResult.objects.all(), "replay"), size=20)
