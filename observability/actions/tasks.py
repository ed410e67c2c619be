"""Celery's entry to actions: parse, call one service."""

from __future__ import annotations

from django.utils import timezone

from console.celery import app, enqueue
from observability.actions.services import batch_worker, recovery
from observability.actions.services.batches import WORK


@app.task(name=WORK)
def work(action_id: int) -> None:
    """Goes on with a batch, and comes back for the rest."""
    if batch_worker.run_batch(action_id=action_id):
        enqueue(WORK, action_id)


@app.task(name="observability.actions.tasks.tick")
def tick() -> None:
    """Finds what crashed processes left behind, and batches that nobody works on."""
    now = timezone.now()
    recovery.settle_abandoned(now)
    recovery.resume_batches(now)
