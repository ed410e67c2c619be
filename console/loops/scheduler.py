"""Celery's scheduler, which leaves a tick of its own: that of its tasks says nothing of it, as a
worker may be away, and somebody else may stand in."""

from __future__ import annotations

import time
from typing import Any

from celery.beat import PersistentScheduler
from django.conf import settings
from django.db import DatabaseError

from console.loops import services
from console.loops.contracts import BEAT, WRITE_SECONDS


class TickingScheduler(PersistentScheduler):
    """What `celery -A console beat` runs."""

    _written: float | None = None

    def tick(self, *args: Any, **kwargs: Any) -> Any:
        """One round; seconds until the next."""
        self._leave_tick()
        # Not longer than a tick may be old, however far away the next task is.
        return min(super().tick(*args, **kwargs), WRITE_SECONDS)

    def _leave_tick(self) -> None:
        if self._written is None:
            self._expect()
            services.started(BEAT)
        elif time.monotonic() < self._written + WRITE_SECONDS:
            return
        services.tick(BEAT)
        self._written = time.monotonic()

    def _expect(self) -> None:
        try:
            services.expect(settings.CELERY_BEAT_SCHEDULE)
        except DatabaseError:
            return  # said by the tick that follows
