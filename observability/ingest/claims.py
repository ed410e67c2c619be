"""The claim on a target's stream: one replica reads it, another takes over when that one dies.

On the host of a holder that was killed its claim is free at once. Elsewhere it is free when it was
not renewed for HELD_SECONDS by the clock of whoever waits for it: clocks of two hosts are not
compared. All claims of a process are renewed together, in one statement every RENEW_SECONDS.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.db import DatabaseError, connection
from django.utils import timezone

from console.database.holders import has_ended, own_holder
from observability.jobs.models import IngestState

HELD_SECONDS: Final = 6.0
RENEW_SECONDS: Final = 2.0
LONG_PAST: Final = timedelta(minutes=2)
"""What ended so long ago is free for whoever comes, as clocks do not differ by that much."""

log = structlog.get_logger(__name__)


class ClaimLost(Exception):
    """Another replica reads the target now; whatever was about to be written is not."""


@dataclass(slots=True)
class StreamClaim:
    """A claim that is held. `lost` turns true when somebody else has taken it: stop."""

    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    lost: bool = False


class ClaimWatch:
    """What one waiting reader has observed of a claim that is not its own."""

    def __init__(self) -> None:
        self._value: tuple[str, datetime | None] | None = None
        self._since = 0.0
        self.renewed = False

    def is_stale(self, claim: str, until: datetime | None) -> bool:
        """Whether it has stood still for HELD_SECONDS of ours; `renewed` turns true when it has
        not."""
        value, now = (claim, until), time.monotonic()
        if value != self._value:
            self.renewed = self._value is not None and self._value[0] == claim
            self._value, self._since = value, now
        return now - self._since > HELD_SECONDS


@contextmanager
def claimed(target_id: int, watch: ClaimWatch | None = None) -> Iterator[StreamClaim | None]:
    """Holds the target's stream for the block; None while another replica holds it. Who tries
    again brings the same `watch`."""
    claim = StreamClaim()
    IngestState.objects.get_or_create(target_id=target_id)
    if not _take(target_id, claim.token, watch or ClaimWatch()):
        yield None
        return
    _renewals.add(claim)
    try:
        yield claim
    finally:
        _renewals.remove(claim)
        give_up(target_id, claim.token)


def hold(target_id: int, token: str) -> None:
    """First in each transaction: nobody else writes this target's runs until it ends. ClaimLost
    when the claim is somebody else's by now."""
    held = IngestState.objects.filter(target_id=target_id, claim=token)
    if held.update(claim=token) != 1:
        raise ClaimLost(f"target {target_id}")


def give_up(target_id: int, token: str) -> None:
    """Gives a claim back: of a reader that ends, or for a thread that hangs, which can store
    nothing any more then."""
    IngestState.objects.filter(target_id=target_id).release(token=token)


def _take(target_id: int, token: str, watch: ClaimWatch) -> bool:
    now = timezone.now()
    rows = IngestState.objects.filter(target_id=target_id)
    held = rows.values_list("claim", "claimed_until", "claim_holder").first()
    if held is None:
        return False
    claim, until, holder = held
    stale = watch.is_stale(claim, until) or (until is not None and until < now - LONG_PAST)
    if claim and not stale and not has_ended(holder):
        return False
    free = rows.filter(claim=claim, claimed_until=until)
    mine = {"claim": token, "claimed_until": _end(now), "claim_holder": own_holder()}
    return free.update(**mine) == 1


def _end(now: datetime) -> datetime:
    return now + timedelta(seconds=HELD_SECONDS)


class _Renewals:
    """Renews all claims of this process from one thread, which is there while one is held."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._claims: dict[str, StreamClaim] = {}
        self._ended: threading.Event | None = None

    def add(self, claim: StreamClaim) -> None:
        """From now on."""
        with self._lock:
            self._claims[claim.token] = claim
            if self._ended is None:
                self._ended = threading.Event()
                beat = threading.Thread(
                    target=self._beat, args=(self._ended,), name="claims", daemon=True
                )
                beat.start()

    def remove(self, claim: StreamClaim) -> None:
        """No more. The thread ends with the last one."""
        with self._lock:
            self._claims.pop(claim.token, None)
            if not self._claims and self._ended is not None:
                self._ended.set()
                self._ended = None

    def _beat(self, ended: threading.Event) -> None:
        # A thread, because a call to an outside system that hangs must not cost us the claim.
        try:
            while not ended.wait(RENEW_SECONDS):
                with self._lock:
                    claims = list(self._claims.values())
                self._renew(claims)
        finally:
            connection.close()

    def _renew(self, claims: list[StreamClaim]) -> None:
        rows = IngestState.objects.filter(claim__in=[claim.token for claim in claims])
        try:
            if rows.update(claimed_until=_end(timezone.now())) == len(claims):
                return
            ours = set(rows.values_list("claim", flat=True))
        except DatabaseError as error:
            log.warning("claim.not_renewed", what="streams", error=str(error))
            connection.close()  # the next beat opens another one
            return
        for claim in claims:
            claim.lost = claim.lost or claim.token not in ours


_renewals = _Renewals()
