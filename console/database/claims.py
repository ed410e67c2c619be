"""Claims on rows: one worker at a time holds one, renews it in the background while it works, and
it is free again if the worker dies."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Self, TypeVar

import structlog
from django.db import DatabaseError, connection, models
from django.db.models import Q

Row = TypeVar("Row", bound=models.Model, covariant=True)

log = structlog.get_logger(__name__)


class ClaimedQuerySet(models.QuerySet[Row]):
    """Rows with `claim` (the token of whoever holds them, "" for nobody) and `claimed_until`."""

    def unclaimed(self, *, now: datetime, token: str = "") -> Self:
        """Those that nobody holds now, or only `token` does."""
        return self.filter(Q(claim__in={"", token}) | Q(claimed_until__lt=now))

    def claim(self, *, token: str, now: datetime, until: datetime) -> bool:
        """Takes or renews the claim on the one row that was filtered for; True when it is ours."""
        free = self.unclaimed(now=now, token=token)
        return free.update(claim=token, claimed_until=until) == 1

    def renew(self, *, token: str, until: datetime) -> bool:
        """Renews the claim while it is ours; never takes back what was given up meanwhile."""
        return self.filter(claim=token).update(claimed_until=until) == 1

    def release(self, *, token: str) -> None:
        """Gives the claim back, if it is still ours."""
        self.filter(claim=token).update(claim="", claimed_until=None)


class Claim:
    """A claim that is held. `lost` turns true when somebody else has taken it: stop.

    `renew(token)` writes the claim on and says whether it was still ours; `every` is in seconds.
    """

    def __init__(self, *, renew: Callable[[str], bool], every: float, what: str) -> None:
        self.token = uuid.uuid4().hex
        self.lost = False
        self.what = what
        self._renew = renew
        self._every = every
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
        # A thread, because a call to an outside system that hangs must not cost us the claim.
        try:
            while not self._stop.wait(self._every):
                if not self._kept():
                    self.lost = True
                    return
        finally:
            connection.close()

    def _kept(self) -> bool:
        try:
            return self._renew(self.token)
        except DatabaseError as error:
            log.warning("claim.not_renewed", what=self.what, error=str(error))
            connection.close()  # the next beat opens another one
            return True  # nobody took it as far as we know
