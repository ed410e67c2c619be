"""Celery: takes samples of use."""

from __future__ import annotations

from django.utils import timezone

from console.celery import app
from observability.usage import sampling


@app.task(name="observability.usage.sample")
def sample_usage() -> int:
    """Every few minutes (CELERY_BEAT_SCHEDULE): the used values of this quarter of an hour."""
    return sampling.sample(now=timezone.now())
