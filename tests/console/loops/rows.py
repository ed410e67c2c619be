"""Rows as loops leave them."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from console.loops.contracts import BEAT, INGEST
from console.loops.models import LoopTick


def all_run(*but: str, at: datetime | None = None) -> None:
    """Every process and every round was there a moment ago (`at`), but for those named."""
    now = at or timezone.now()
    names = [BEAT, INGEST, *settings.CELERY_BEAT_SCHEDULE]
    LoopTick.objects.bulk_create(
        [
            LoopTick(name=name, at=now, known_at=now - timedelta(days=1))
            for name in names
            if name not in but
        ],
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["at"],
    )


def stopped(*names: str, minutes: float = 4.0) -> datetime:
    """These loops ran for the last time so long ago; when that was."""
    at = timezone.now() - timedelta(minutes=minutes)
    LoopTick.objects.filter(name__in=names).update(at=at)
    return at
