"""Celery's door to actions: parse, call one verb."""

from __future__ import annotations

from django.utils import timezone

from console.celery import app, enqueue
from observability.actions.services import carrying, left_over
from observability.actions.services.batches import WORK


@app.task(name=WORK)
def work(order_id: int) -> None:
    """Goes on with a batch, and comes back for the rest."""
    if carrying.work(order_id=order_id):
        enqueue(WORK, order_id)


@app.task(name="observability.actions.tasks.tick")
def tick() -> None:
    """Finds what crashed processes left behind, and batches that nobody works on."""
    now = timezone.now()
    left_over.settle_left_over(now)
    left_over.resume_batches(now)
