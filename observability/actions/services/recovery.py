"""Recovery after a crash: what was under way gets an outcome, and is never done again by itself."""

from __future__ import annotations

from datetime import datetime

from console.celery import enqueue
from observability.actions.models import Action, ActionStatus, RunSelection
from observability.actions.services.actions import LEASE, UNANSWERED, settle
from observability.actions.services.batches import WORK
from observability.engines.verbs import Answer


def settle_abandoned(now: datetime) -> int:
    """Gives actions about one run their outcome whose process is gone; how many there were.

    One that was never tried is cancelled. One that was tried and got no answer is unknown.
    """
    open_ones = Action.objects.open().filter(selection=RunSelection.ONE)
    untried = open_ones.filter(status=ActionStatus.ASKED, created_at__lt=now - LEASE)
    unanswered = open_ones.filter(status=ActionStatus.RUNNING, claimed_until__lt=now)
    settled = 0
    for action in [
        *untried.select_related("run__tenant"),
        *unanswered.select_related("run__tenant"),
    ]:
        never = action.status == ActionStatus.ASKED
        status = ActionStatus.CANCELLED if never else ActionStatus.UNKNOWN
        message = (
            "The process ended before it was tried: nothing was done."
            if never
            else f"The process ended before an answer came. {UNANSWERED}"
        )
        settled += settle(action=action, run=action.run, status=status, answer=Answer(message))
    return settled


def resume_batches(now: datetime) -> int:
    """Tells the workers of batches that nobody works on; how many."""
    idle = Action.objects.open().exclude(selection=RunSelection.ONE)
    waiting = [
        action.pk
        for action in idle.only("pk", "claim", "claimed_until")
        if not action.claim or (action.claimed_until is not None and action.claimed_until < now)
    ]
    for pk in waiting:
        enqueue(WORK, pk)
    return len(waiting)
