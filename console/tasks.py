"""What Celery runs for the frame itself: old rows go, whoever's they are."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Final, cast

import structlog
from django.conf import settings
from django.utils import timezone
from django.utils.module_loading import import_string

from console.celery import app

SECONDS: Final = 30.0
"""What each of the apps has at most; what is not done then is done the next time."""

log = structlog.get_logger(__name__)
Prune = Callable[[datetime, float], int]


@app.task(name="console.tasks.apply_retention")
def apply_retention() -> dict[str, int]:
    """Every hour: removes what is no longer kept, by the functions that RETENTION names; how many
    rows of each. One that fails keeps no other from its turn, and is raised at the end."""
    removed: dict[str, int] = {}
    failure: Exception | None = None
    for name, path in settings.RETENTION.items():
        try:
            prune = cast("Prune", import_string(path))
            removed[name] = prune(timezone.now(), time.monotonic() + SECONDS)
        except Exception as error:
            log.exception("retention.failed", what=name)
            failure = failure or error
    if any(removed.values()):
        log.info("retention.pruned", **{name: number for name, number in removed.items() if number})
    if failure is not None:
        raise failure
    return removed
