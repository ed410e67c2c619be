"""Documents of closed runs brought into the archive: those that waited, failed, or have no engine
to come from."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime

import structlog
from django.conf import settings

from console.errors import ExternalError, NotFound
from observability.engines.contracts import JSON_DOCUMENT
from observability.engines.registry import adapter_for, source_for
from observability.jobs.models import ArchiveState, JobDocument, JobRun
from observability.jobs.services import archive
from observability.jobs.services.archive import Packed
from observability.jobs.services.documents import document_of_rows
from tenants.models import Target

_BATCH = 100

log = structlog.get_logger(__name__)


def archive_documents(*, now: datetime, target_id: int | None = None, seconds: float = 30.0) -> int:
    """Archives what is due for about so many seconds; how many documents there were.

    One run that cannot be archived rests for a while and delays no other. Raises ExternalError when
    object storage itself is away.
    """
    stored, ends = 0, time.monotonic() + seconds
    for run in _due(now, target_id):
        stored += _store(run, now)
        if time.monotonic() > ends:
            break
    return stored


def is_any_due(*, now: datetime, target_id: int) -> bool:
    """Whether a document of the target is due just now."""
    return JobRun.objects.filter(archive.due_condition(now, target_id)).exists()


def _due(now: datetime, target_id: int | None) -> Iterator[JobRun]:
    rows = JobRun.objects.filter(archive.due_condition(now, target_id)).select_related("target")
    last = 0
    while chunk := list(rows.filter(pk__gt=last).order_by("pk")[:_BATCH]):
        yield from chunk
        last = chunk[-1].pk


def _store(run: JobRun, now: datetime) -> bool:
    packed = _packed(run, now)
    if packed is None:
        return False
    path = archive.object_path_of(run, target=run.target.slug, sha256=packed.sha256)
    archive.put(path, packed.body)
    archive.record_stored(run=run, packed=packed, path=path, now=now)
    return True


def _packed(run: JobRun, now: datetime) -> Packed | None:
    """The run's document from wherever it is; None when it is nowhere, or not just now."""
    spooled = JobDocument.objects.filter(run=run, body__isnull=False).order_by("-pk").first()
    if spooled is not None and spooled.body is not None:
        return Packed(spooled.sha256, spooled.media, spooled.size, bytes(spooled.body))
    if not adapter_for(run.engine).features.keeps_history:
        return archive.pack(document_of_rows(run), JSON_DOCUMENT)
    return _from_engine(run, run.target, now)


def _from_engine(run: JobRun, target: Target, now: datetime) -> Packed | None:
    source = source_for(target.kind)
    if source is None or not target.enabled:
        archive.postpone(run, now=now, why="The target is not read.")
        return None
    ref = target.ref(timeout=settings.TARGET_TIMEOUT_SECONDS)
    try:
        history = source.history(target=ref, run=run.ref(), after=run.history_through)
    except NotFound as error:
        JobRun.objects.filter(pk=run.pk, archive=ArchiveState.DUE).update(
            archive=ArchiveState.UNAVAILABLE, history_error=error.message[:500], updated_at=now
        )
        return None
    except ExternalError as error:
        archive.postpone(run, now=now, why=error.message)
        return None
    return archive.pack(history.document, history.media)
