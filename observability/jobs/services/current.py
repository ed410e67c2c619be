"""The engine's own record of a run as it is now: from the archive, else from the engine itself."""

from __future__ import annotations

from django.conf import settings

from console.errors import DomainError, NotFound
from observability.engines.contracts import JSON_DOCUMENT, TEMPORAL_HISTORY, Engine
from observability.engines.registry import source_for
from observability.jobs.models import ArchiveState, JobDocument, JobRun
from observability.jobs.services.archive import Document, document_of
from observability.jobs.services.documents import document_of_rows


def current_document(run: JobRun) -> Document:
    """The archived document, else what the engine says now; for Celery, which keeps nothing, what
    our own rows say.

    Raises DomainError (`history_unavailable`, `no_history`, and what `document_of` raises) or
    ExternalError.
    """
    if (
        run.archive == ArchiveState.STORED
        or JobDocument.objects.filter(run=run, body__isnull=False).exists()
    ):
        return document_of(run)
    if run.archive == ArchiveState.UNAVAILABLE:
        raise DomainError(
            "history_unavailable",
            f"The engine had removed the history of {run.external_id[:80]} before it could be "
            "archived; what is known of it are the events on its page.",
            status=410,
        )
    if run.engine == Engine.CELERY:
        return Document(document_of_rows(run), JSON_DOCUMENT)
    source = source_for(run.target.kind)
    if source is None:
        raise DomainError("no_history", "Nothing reads the histories of this engine.", status=404)
    target = run.target.ref(timeout=float(settings.TARGET_TIMEOUT_SECONDS))
    try:
        history = source.history(target=target, run=run.ref(), after=0)
    except NotFound as error:
        raise DomainError(
            "no_history",
            f"{run.external_id[:80]} is not archived yet, and its engine no longer has it.",
            status=404,
        ) from error
    return Document(history.document, history.media)


def history_of(run: JobRun) -> bytes:
    """A Temporal run's history as a serialised temporal.api.history.v1.History, for replays.
    Raises as `current_document` does, and DomainError("not_replayable") for other engines."""
    found = current_document(run)
    if found.media != TEMPORAL_HISTORY:
        raise DomainError(
            "not_replayable",
            f"{run.external_id[:80]} has no Temporal history to replay.",
        )
    return found.data
