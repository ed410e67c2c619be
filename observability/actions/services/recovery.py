"""Recovery after a crash: what was under way gets an outcome, and is never done again by itself."""

from __future__ import annotations

from datetime import datetime

from console.celery import enqueue
from observability.actions.models import Order, OrderStatus, RunSelection
from observability.actions.services.batches import WORK
from observability.actions.services.orders import LEASE, UNANSWERED, settle
from observability.engines.verbs import Answer


def settle_abandoned(now: datetime) -> int:
    """Gives orders about one run their outcome whose process is gone; how many there were.

    One that was never tried is cancelled. One that was tried and got no answer is unknown.
    """
    open_ones = Order.objects.open().filter(selection=RunSelection.ONE)
    untried = open_ones.filter(status=OrderStatus.ASKED, created_at__lt=now - LEASE)
    unanswered = open_ones.filter(status=OrderStatus.RUNNING, claimed_until__lt=now)
    settled = 0
    for order in [
        *untried.select_related("run__tenant"),
        *unanswered.select_related("run__tenant"),
    ]:
        never = order.status == OrderStatus.ASKED
        status = OrderStatus.CANCELLED if never else OrderStatus.UNKNOWN
        message = (
            "The process ended before it was tried: nothing was done."
            if never
            else f"The process ended before an answer came. {UNANSWERED}"
        )
        settled += settle(order=order, run=order.run, status=status, answer=Answer(message))
    return settled


def resume_batches(now: datetime) -> int:
    """Tells the workers of batches that nobody works on; how many."""
    idle = Order.objects.open().exclude(selection=RunSelection.ONE)
    waiting = [
        order.pk
        for order in idle.only("pk", "claim", "claimed_until")
        if not order.claim or (order.claimed_until is not None and order.claimed_until < now)
    ]
    for pk in waiting:
        enqueue(WORK, pk)
    return len(waiting)
