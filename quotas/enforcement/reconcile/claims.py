"""The claim on a target: one worker at a time, renewed while it works, free again if it dies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from console.database import claims as renewed
from quotas.enforcement.models import ItemState, RolloutItem, TargetState


@dataclass(slots=True)
class Claim:
    """A claim that is held. `lost` turns true when somebody else has taken the target: stop."""

    target_id: int
    held: renewed.Claim = field(init=False)

    def __post_init__(self) -> None:
        every = settings.CLAIM_SECONDS / 3
        self.held = renewed.Claim(renew=self._renew, every=every, what=f"target {self.target_id}")

    @property
    def token(self) -> str:
        """What stands in the rows that are claimed."""
        return self.held.token

    @property
    def lost(self) -> bool:
        """Whether somebody else has taken the target."""
        return self.held.lost

    def _renew(self, token: str) -> bool:
        until = claim_end()
        kept = TargetState.objects.filter(target_id=self.target_id, claim=token).update(
            claimed_until=until
        )
        RolloutItem.objects.filter(claim=token, state=ItemState.RUNNING).update(claimed_until=until)
        return kept == 1


@contextmanager
def claimed(target_id: int) -> Iterator[Claim | None]:
    """Holds the target for the block; None when somebody else holds it."""
    claim = Claim(target_id)
    if not (_take(claim) or (_first_time(target_id) and _take(claim))):
        yield None
        return
    claim.held.start()
    try:
        yield claim
    finally:
        claim.held.stop()
        TargetState.objects.release(target_id=target_id, token=claim.token)


def _take(claim: Claim) -> bool:
    return TargetState.objects.claim(
        target_id=claim.target_id, token=claim.token, now=timezone.now(), until=claim_end()
    )


def _first_time(target_id: int) -> bool:
    """Makes the state of a target that nobody has worked on yet."""
    return TargetState.objects.get_or_create(target_id=target_id)[1]


def claim_end() -> datetime:
    """Until when a claim holds that is made or renewed now."""
    return timezone.now() + timedelta(seconds=settings.CLAIM_SECONDS)
