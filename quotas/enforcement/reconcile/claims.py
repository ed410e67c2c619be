"""The claim on a target: one worker at a time, renewed while it works, free again if it dies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from console.database.claims import Claim
from quotas.enforcement.models import ItemState, RolloutItem, TargetState


@contextmanager
def claimed(target_id: int) -> Iterator[Claim | None]:
    """Holds the target for the block; None when somebody else holds it."""
    claim = Claim(
        renew=lambda token: _renew(target_id, token),
        every=settings.CLAIM_SECONDS / 3,
        what=f"target {target_id}",
    )
    if not (_take(target_id, claim) or (_first_time(target_id) and _take(target_id, claim))):
        yield None
        return
    claim.start()
    try:
        yield claim
    finally:
        claim.stop()
        TargetState.objects.filter(target_id=target_id).release(token=claim.token)


def _take(target_id: int, claim: Claim) -> bool:
    rows = TargetState.objects.filter(target_id=target_id)
    return rows.claim(token=claim.token, now=timezone.now(), until=claim_end())


def _first_time(target_id: int) -> bool:
    """Makes the state of a target that nobody has worked on yet."""
    return TargetState.objects.get_or_create(target_id=target_id)[1]


def claim_end() -> datetime:
    """Until when a claim holds that is made or renewed now."""
    return timezone.now() + timedelta(seconds=settings.CLAIM_SECONDS)


def _renew(target_id: int, token: str) -> bool:
    """Items that were claimed with the target stay claimed with it."""
    until = claim_end()
    renewed = TargetState.objects.filter(target_id=target_id).renew(token=token, until=until)
    RolloutItem.objects.filter(claim=token, state=ItemState.RUNNING).update(claimed_until=until)
    return renewed
