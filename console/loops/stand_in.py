"""What another process does while the scheduler is away: it wakes the workers in its place."""

from __future__ import annotations

import time
from datetime import datetime

from django.conf import settings

from console.celery import enqueue_round
from console.loops.contracts import BEAT, WRITE_SECONDS
from console.loops.selectors import scheduled_loops


class StandIn:
    """Remembers what it sent, so that it sends no more often than the scheduler would have."""

    def __init__(self) -> None:
        self._sent: dict[str, float] = {}

    def wake(self, now: datetime) -> list[str]:
        """Sends every round that is due while the scheduler is late; the names of those sent.
        Harmless where it is only slow: a round finds from the rows what is to be done."""
        loops = {status.name: status for status in scheduled_loops(now)}
        if not loops[BEAT].late(now):
            return []
        due = []
        for name in settings.CELERY_BEAT_SCHEDULE:
            every = max(loops[name].every, WRITE_SECONDS)
            age = loops[name].age(now)
            if (age is None or age >= every) and self._may_send(name, every):
                enqueue_round(name)
                due.append(name)
        return due

    def _may_send(self, name: str, every: float) -> bool:
        now = time.monotonic()
        if name in self._sent and now < self._sent[name] + every:
            return False
        self._sent[name] = now
        return True
