"""A loop as pages, /readyz and metrics see it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

BEAT: Final = "beat"
"""Celery's scheduler, which wakes the workers."""
TICK: Final = "tick"
"""The round that sees from the rows what is due: leases that end, sweeps, what waits."""
INGEST: Final = "ingest"
"""The process that reads the engines, and each target's stream in it."""
WORKER: Final = "worker"
BROKER: Final = "broker"
"""Not a process of ours: what the worker loses and finds again."""
SWEEP: Final = "sweep"
PROBE: Final = "probe"
QUEUE: Final = "queue"

WRITE_SECONDS: Final = 10.0
"""A tick is written down at most once in so long."""
MARGIN_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class LoopStatus:
    """One loop, of one target where `target` names it by its slug.

    `every` is its own period in seconds, `last` when it last did its round, `expected` since when
    it should run as it does now (None: nobody knows of it yet). `patience` is more time, in
    seconds, that it has just now for a reason of its own.
    """

    name: str
    every: float
    last: datetime | None
    expected: datetime | None = None
    target: str = ""
    patience: float = 0.0

    @property
    def label(self) -> str:
        """The loop with its target, as programs read it."""
        return f"{self.name} {self.target}".strip()

    @property
    def late_after(self) -> float:
        """Seconds after which it is late: one missed round is none yet."""
        return 2 * self.every + MARGIN_SECONDS + self.patience

    def age(self, now: datetime) -> float | None:
        """Seconds since its last round, or since it should have had one; None when it never was
        heard of."""
        moment = self.last or self.expected
        return None if moment is None else max((now - moment).total_seconds(), 0.0)

    def late(self, now: datetime) -> bool:
        """Whether it has missed its time by more than chance."""
        moments = [moment for moment in (self.last, self.expected) if moment is not None]
        return not moments or (now - max(moments)).total_seconds() > self.late_after
