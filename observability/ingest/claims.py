"""The claim on a target's stream: one replica reads it, another takes over when that one dies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from console.database.claims import Claim
from observability.jobs.models import IngestState


class ClaimLost(Exception):
    """Another replica reads the target now; whatever was about to be written is not."""


@contextmanager
def claimed(target_id: int) -> Iterator[Claim | None]:
    """Holds the target's stream for the block; None when another replica holds it."""
    claim = Claim(
        renew=lambda token: _renew(target_id, token),
        every=settings.CLAIM_SECONDS / 3,
        what=f"stream of target {target_id}",
    )
    IngestState.objects.get_or_create(target_id=target_id)
    if not _take(target_id, claim.token):
        yield None
        return
    claim.start()
    try:
        yield claim
    finally:
        claim.stop()
        IngestState.objects.filter(target_id=target_id).release(token=claim.token)


def hold(target_id: int, token: str) -> None:
    """First in each transaction: nobody else writes this target's runs until it ends. ClaimLost
    when the claim is somebody else's by now."""
    held = IngestState.objects.filter(target_id=target_id, claim=token)
    if held.update(claim=token) != 1:
        raise ClaimLost(f"target {target_id}")


def _take(target_id: int, token: str) -> bool:
    now = timezone.now()
    rows = IngestState.objects.filter(target_id=target_id)
    return rows.claim(token=token, now=now, until=_end(now))


def _renew(target_id: int, token: str) -> bool:
    rows = IngestState.objects.filter(target_id=target_id)
    return rows.renew(token=token, until=_end(timezone.now()))


def give_up(target_id: int, token: str) -> None:
    """Gives a claim back for a thread that hangs: it can store nothing any more."""
    IngestState.objects.filter(target_id=target_id).release(token=token)


def _end(now: datetime) -> datetime:
    return now + timedelta(seconds=settings.CLAIM_SECONDS)
