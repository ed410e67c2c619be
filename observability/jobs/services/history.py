"""The engine's own record of a run, to be carried away: unmasked, so the ledger says who did."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from django.conf import settings

from console.audit.services import Actor, record
from console.clients.temporal.documents import history_json
from console.errors import DomainError, NotFound
from observability.jobs.adapters.registry import source_for
from observability.jobs.contracts import JSON_DOCUMENT, TEMPORAL_HISTORY
from observability.jobs.contracts import Engine as EngineName
from observability.jobs.models import ArchiveState, JobRun
from observability.jobs.services.archive import Document, document_of
from observability.jobs.services.documents import document_of_rows

_LIVE: Final = (ArchiveState.NONE, ArchiveState.DUE)
_WHY_GONE: Final = {
    ArchiveState.UNAVAILABLE.value: (
        "history_unavailable",
        "The engine had removed the history of this run before it could be archived; what is known "
        "of it are the events on its page.",
    ),
    ArchiveState.EXPIRED.value: (
        "history_expired",
        "The archived history of this run was removed at the end of its retention.",
    ),
}
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Download:
    """JSON in the engine's own form, and a name for the file."""

    filename: str
    content: bytes
    media: str = JSON_DOCUMENT


def download(*, run: JobRun, actor: Actor) -> Download:
    """The record of a run: from the archive, or from the engine while it is open or not archived
    yet. Expects target and tenant to be loaded.

    Raises DomainError where there is none any more (410) or never was (404), and ExternalError
    when the archive or the engine cannot be reached.
    """
    document = _document(run)
    content = document.data
    if document.media == TEMPORAL_HISTORY:
        content = history_json(content)
    record(
        actor=actor,
        action="job.history.download",
        object_type="job",
        object_id=run.pk,
        object_label=run.external_id,
        tenant=run.tenant.slug if run.tenant else "",
        after={"bytes": len(content), "engine": run.engine, "run_id": run.run_id},
    )
    return Download(filename_of(run), content)


def filename_of(run: JobRun) -> str:
    """A name that every file system takes and that says which run it is."""
    words = (run.engine, run.external_id[:80], run.run_id[:40])
    name = "-".join(_UNSAFE.sub("_", word).strip("._-") for word in words if word)
    return f"{name or f'run-{run.pk}'}.json"


def _document(run: JobRun) -> Document:
    try:
        return document_of(run)
    except DomainError as error:
        if error.code != "not_archived":
            raise
    if run.archive in _LIVE:
        return _from_engine(run)
    code, message = _WHY_GONE.get(
        run.archive, ("not_archived", "There is no archived history of this run.")
    )
    raise DomainError(code, message, status=410)


def _from_engine(run: JobRun) -> Document:
    """What the engine says now; of engines that keep nothing, what our rows say."""
    if run.engine == EngineName.CELERY:
        return Document(document_of_rows(run), JSON_DOCUMENT)
    source = source_for(run.target.kind)
    if source is None or not run.target.enabled:
        raise DomainError(
            "target_not_read",
            f"This run is not archived yet, and the target {run.target.slug} is not read.",
            status=409,
        )
    ref = run.target.ref(timeout=settings.TARGET_TIMEOUT_SECONDS)
    try:
        history = source.history(target=ref, run=run.ref(), after=0)
    except NotFound as error:
        raise DomainError(
            "history_unavailable",
            "This run is not archived yet and the engine no longer has it.",
            status=404,
        ) from error
    return Document(history.document, history.media)
