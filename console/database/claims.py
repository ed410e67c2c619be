"""A claim that is renewed in the background while its holder works, and is free if it dies."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable

import structlog
from django.db import DatabaseError, connection

log = structlog.get_logger(__name__)


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
