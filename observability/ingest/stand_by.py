"""Headroom's Celery worker helps to keep what brokers only keep for whoever listens (see
console/clients/celery/keeper.py): so an `ingest` that is alone may be replaced with its machine or
container, and nothing is lost in between."""

from __future__ import annotations

import threading
from typing import Any, Final

import structlog
from django.db import DatabaseError, InterfaceError, close_old_connections, connection

from console.clients.celery import keeping
from observability.engines.ports import KeptEvents
from observability.engines.registry import source_for
from observability.ingest.kept import KeptStream
from tenants.models import Target

EVERY: Final = 10.0
"""Seconds between two looks at which targets there are."""

log = structlog.get_logger(__name__)


class StandByThread(threading.Thread):
    """Stands by for every target of an engine that keeps events so, until it is stopped."""

    def __init__(self) -> None:
        super().__init__(name="stand-by", daemon=True)
        self._streams: dict[int, KeptStream] = {}
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Ends it, and what it keeps."""
        self._stopping.set()
        keeping.end()

    def run(self) -> None:
        """The thread."""
        try:
            while True:
                self._round()
                if self._stopping.wait(EVERY):
                    return
        finally:
            connection.close()

    def _round(self) -> None:
        close_old_connections()
        try:
            wanted = {
                pk
                for pk, kind in Target.objects.filter(enabled=True).values_list("pk", "kind")
                if isinstance(source_for(kind), KeptEvents)
            }
            for pk in wanted:
                self._streams.setdefault(pk, KeptStream(pk)).stand_by()
            for pk in self._streams.keys() - wanted:
                self._streams.pop(pk).forget_unwanted()
        except (DatabaseError, InterfaceError) as error:
            log.warning("stand_by.database", error=str(error))
            connection.close()


_thread: StandByThread | None = None


def start(**_: Any) -> None:
    """In a worker that is ready."""
    global _thread
    _thread = StandByThread()
    _thread.start()


def stop(**_: Any) -> None:
    """In a worker that ends."""
    if _thread is not None:
        _thread.stop()
