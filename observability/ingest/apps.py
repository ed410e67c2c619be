"""Reads engines into the trail of jobs; its rows are those of the jobs app."""

from __future__ import annotations

from django.apps import AppConfig


class IngestConfig(AppConfig):
    """An app for its command, `manage.py ingest`."""

    name = "observability.ingest"
    label = "ingest"
