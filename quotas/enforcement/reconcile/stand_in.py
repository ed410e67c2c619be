"""What does not wait for a scheduler or a worker: the ends of leases, and changes that people made.

Whoever runs may do it; the claims on targets see to it that only one process works on one.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import structlog
from django.db import connection

from console.loops.contracts import TICK, LoopStatus
from console.loops.selectors import scheduled_loops
from quotas.enforcement.reconcile.due import BOUNDARY_WINDOW, due, order_passed_boundaries
from quotas.enforcement.reconcile.queue import process_queue

PATIENCE_SECONDS = 15.0
"""How long after the round is late somebody else's message may still bring it back."""
LONGEST_WINDOW = timedelta(days=7)
AT_ONCE = 4

log = structlog.get_logger(__name__)


def carry_on(now: datetime) -> int:
    """Where nobody has looked for what is due for a while: orders what changed by time and pushes
    what waits, here; how many placements were settled. Sweeps are left for the workers."""
    tick = next(loop for loop in scheduled_loops(now) if loop.name == TICK)
    if not _given_up(tick, now):
        return 0
    order_passed_boundaries(now, window=_window(tick, now))
    targets = due(now).queues
    with ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="stand-in") as aside:
        settled = sum(aside.map(_process, targets))
    if settled:
        log.warning("stand_in.processed", placements=settled, targets=len(targets))
    return settled


def _given_up(tick: LoopStatus, now: datetime) -> bool:
    age = tick.age(now)
    return tick.late(now) and (age is None or age > tick.late_after + PATIENCE_SECONDS)


def _window(tick: LoopStatus, now: datetime) -> timedelta:
    """Back to what the last round has seen to, with the overlap that every round has."""
    since = now - tick.last if tick.last else LONGEST_WINDOW
    return min(since, LONGEST_WINDOW) + BOUNDARY_WINDOW


def _process(target_id: int) -> int:
    try:
        return process_queue(target_id).settled
    except Exception as error:
        # One target never keeps the others from being served.
        log.exception("stand_in.failed", target=target_id, error=str(error))
        return 0
    finally:
        connection.close()
