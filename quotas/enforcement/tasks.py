"""What Celery workers and beat run: each parses its argument and calls one verb of the loop."""

from __future__ import annotations

import structlog
from django.utils import timezone

from console.celery import app, enqueue
from quotas.enforcement.reconcile import due as clock
from quotas.enforcement.reconcile.probe import probe
from quotas.enforcement.reconcile.queue import process_queue
from quotas.enforcement.reconcile.sweep import sweep
from quotas.enforcement.services.rollouts import QUEUE_TASK

SWEEP = "quotas.enforcement.tasks.sweep_target"
PROBE = "quotas.enforcement.tasks.probe_target"

log = structlog.get_logger(__name__)


@app.task(name=QUEUE_TASK)
def process_target_queue(target_id: int) -> None:
    """Settles what waits for a target; goes on in a new task when it takes very long."""
    done = process_queue(target_id)
    if done.settled:
        log.info("queue.processed", target=target_id, placements=done.settled)
    if done.unfinished:
        enqueue(QUEUE_TASK, target_id)
    if done.recovered or done.created:
        enqueue(SWEEP, target_id, force=True)


@app.task(name=SWEEP)
def sweep_target(target_id: int, *, force: bool = False) -> None:
    """Compares a target with what is intended."""
    swept = sweep(target_id, force=force)
    if swept is None:
        return
    log.info(
        "swept",
        target=target_id,
        placements=swept.placements,
        changed=swept.changed,
        due=swept.due,
        drifted=swept.drifted,
        reads=swept.reads,
        ms=swept.milliseconds,
    )
    if swept.processed.unfinished:
        enqueue(QUEUE_TASK, target_id)
    if swept.again:
        enqueue(SWEEP, target_id, force=True)


@app.task(name=PROBE)
def probe_target(target_id: int, *, afresh: bool = False) -> None:
    """Probes a target; when it answers again (or its settings are new: `afresh`), what waited goes
    on at once."""
    if not (afresh or clock.take_probe(target_id, timezone.now())):
        return  # another worker is at it, or was a moment ago
    probed = probe(target_id, afresh=afresh, regular=not afresh)
    if probed is not None and probed.recovered:
        enqueue(QUEUE_TASK, target_id)
        enqueue(SWEEP, target_id, force=True)


@app.task(name="quotas.enforcement.tasks.tick")
def tick() -> None:
    """Every few seconds: sees from the rows what is due and tells the workers."""
    now = timezone.now()
    clock.order_passed_boundaries(now)
    clock.finish_rollouts_without_items(now)
    todo = clock.due(now)
    for name, targets in ((PROBE, todo.probes), (QUEUE_TASK, todo.queues), (SWEEP, todo.sweeps)):
        for target_id in targets:
            enqueue(name, target_id)
