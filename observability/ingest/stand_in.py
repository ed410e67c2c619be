"""A thread of the ingest process that looks whether the scheduler is there, and else does what must
not wait: this process runs all the time anyhow."""

from __future__ import annotations

import threading
from typing import Final

import structlog
from django.db import DatabaseError, InterfaceError, close_old_connections, connection
from django.utils import timezone

from console.loops.stand_in import StandIn
from quotas.enforcement.reconcile.stand_in import carry_on

EVERY: Final = 5.0
"""Seconds between two times that it looks."""

log = structlog.get_logger(__name__)


class StandInThread(threading.Thread):
    """Runs until `stop`."""

    def __init__(self, stop: threading.Event) -> None:
        super().__init__(name="stand-in", daemon=True)
        self._stop_all = stop
        self._stand_in = StandIn()

    def run(self) -> None:
        """The thread."""
        try:
            while not self._stop_all.wait(EVERY):
                self._round()
        finally:
            connection.close()

    def _round(self) -> None:
        close_old_connections()
        try:
            if sent := self._stand_in.wake(timezone.now()):
                log.warning("stand_in.woke", rounds=sent)
            carry_on(timezone.now())
        except (DatabaseError, InterfaceError) as error:
            log.warning("stand_in.database", error=str(error))
            connection.close()
        except Exception as error:
            log.exception("stand_in.failed", error=str(error))
