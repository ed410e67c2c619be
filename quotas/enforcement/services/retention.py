"""Rollouts, findings and samples that are no longer kept. What is under way always is."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings

from console.database.pruning import prune, prune_of
from quotas.enforcement.models import OPEN_STATES, Drift, Rollout, RolloutItem, TargetSample

SAMPLES_KEPT = timedelta(hours=24)


def prune_rollouts(now: datetime, until: float) -> int:
    """Rollouts that ended long ago, with their items."""
    old = now - timedelta(days=settings.ROLLOUT_RETENTION_DAYS)
    rows = Rollout.objects.filter(created_at__lt=old, finished_at__lt=old)
    rows = rows.exclude(pk__in=RolloutItem.objects.filter(state__in=OPEN_STATES).values("rollout"))
    # Few at a time: one may have an item for each of ten thousand placements.
    return prune(rows, until=until, before=prune_of(RolloutItem.objects.all(), "rollout"), size=20)


def prune_drifts(now: datetime, until: float) -> int:
    """Findings of drift that ended long ago."""
    old = now - timedelta(days=settings.DRIFT_RETENTION_DAYS)
    return prune(Drift.objects.filter(found_at__lt=old, ended_at__lt=old), until=until)


def prune_samples(now: datetime, until: float) -> int:
    """Probes older than a day, also of targets that are probed no more."""
    return prune(TargetSample.objects.filter(at__lt=now - SAMPLES_KEPT), until=until)
