"""Reads engines into the trail of jobs; its rows are those of the jobs app."""

from __future__ import annotations

from celery.signals import worker_ready, worker_shutdown
from django.apps import AppConfig


class IngestConfig(AppConfig):
    """An app for its command, `manage.py ingest`, and for what Headroom's worker does beside it."""

    name = "observability.ingest"
    label = "ingest"

    def ready(self) -> None:
        """Has the worker stand by while it runs."""
        from observability.ingest import stand_by

        worker_ready.connect(stand_by.start, weak=False)
        worker_shutdown.connect(stand_by.stop, weak=False)
