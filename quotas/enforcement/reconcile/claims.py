"""The claim on a target: one worker at a time, renewed while it works, free again if it dies."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import DatabaseError, connection
from django.utils import timezone

from quotas.enforcement.models import ItemState, RolloutItem, TargetState

log = structlog.get_logger(__name__)


class Claim:
    """A claim that is held. `lost` turns true when somebody else has taken the target: stop."""

    def __init__(self, target_id: int) -> None:
        self.target_id = target_id
        self.token = uuid.uuid4().hex
        self.lost = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="claim", daemon=True)

    def start(self) -> None:
        """Begins to renew the claim in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the renewal."""
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        # A thread, because a call to a target that hangs must not cost us the claim.
        try:
            while not self._stop.wait(settings.CLAIM_SECONDS / 3):
                if not self._renew():
                    self.lost = True
                    return
        finally:
            connection.close()

    def _renew(self) -> bool:
        until = claim_end()
        try:
            kept = TargetState.objects.filter(target_id=self.target_id, claim=self.token).update(
                claimed_until=until
            )
            RolloutItem.objects.filter(claim=self.token, state=ItemState.RUNNING).update(
                claimed_until=until
            )
        except DatabaseError as error:
            log.warning("claim.not_renewed", target=self.target_id, error=str(error))
            return True  # nobody took it as far as we know; the next beat tries again
        return kept == 1


@contextmanager
def claimed(target_id: int) -> Iterator[Claim | None]:
    """Holds the target for the block; None when somebody else holds it."""
    claim = Claim(target_id)
    if not (_take(claim) or (_first_time(target_id) and _take(claim))):
        yield None
        return
    claim.start()
    try:
        yield claim
    finally:
        claim.stop()
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
