"""What beat runs for the trail: documents that could not be archived at once, and retention."""

from __future__ import annotations

import structlog
from django.utils import timezone

from console.celery import app
from console.errors import ExternalError
from observability.jobs.services.archive_due import archive_documents
from observability.jobs.services.retention import apply

log = structlog.get_logger(__name__)


@app.task(name="observability.jobs.tasks.archive_leftovers")
def archive_due_documents() -> int:
    """Every minute: documents that ingest could not store when it had them."""
    try:
        return archive_documents(now=timezone.now())
    except ExternalError as error:
        log.warning("archive.away", error=error.message)
        return 0


@app.task(name="observability.jobs.tasks.apply_retention")
def apply_retention() -> int:
    """Every hour: removes runs whose time is over, with their events and documents."""
    return apply(now=timezone.now())
