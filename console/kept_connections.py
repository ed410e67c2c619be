"""Celery's workers keep their connections to the database from task to task, as the web does."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from celery.fixups import django as celery_django
from django.db import connections

if TYPE_CHECKING:
    from celery import Celery


class KeepingWorker(celery_django.DjangoWorkerFixup):  # type: ignore[name-defined,misc]  # the stubs leave it out
    """Celery's own closes them before and after each task; for the small ones that come every few
    seconds, opening one is a good part of the work."""

    def close_database(self, **_: Any) -> None:
        """Closes those that had an error or are older than CONN_MAX_AGE."""
        for connection in connections.all(initialized_only=True):
            connection.close_if_unusable_or_obsolete()


class KeepingFixup(celery_django.DjangoFixup):
    """Celery's own, with that worker."""

    _worker_fixup: KeepingWorker | None

    @property
    def worker_fixup(self) -> KeepingWorker:
        """Made when it is first asked for: it reads settings that the application has not yet."""
        if self._worker_fixup is None:
            self._worker_fixup = KeepingWorker(self.app)
        return self._worker_fixup


def fixup(app: Celery) -> KeepingFixup | None:
    """Installs it; nothing without Django's settings, as Celery's own."""
    if not os.environ.get("DJANGO_SETTINGS_MODULE"):
        return None
    made = KeepingFixup(app)
    made.install()
    return made
