"""The engine's own record of a run: from the archive, else from the engine itself, and as a file.

A download is not masked, so the ledger says who took it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import orjson
from django.conf import settings

from console.audit.services import Actor, record
from console.clients.temporal.history_documents import history_json
from console.errors import DomainError, NotFound
from observability.engines.contracts import JSON_DOCUMENT, TEMPORAL_HISTORY
from observability.engines.registry import adapter_for, source_for
from observability.jobs.models import ArchiveState, JobDocument, JobRun
from observability.jobs.services.archive import Document, archived_document

_LONGEST_NAME: Final = 100


@dataclass(frozen=True, slots=True)
class Download:
    """A file. `name` is safe in a header and on every file system."""

    data: bytes
    media: str
    name: str


def current_document(run: JobRun) -> Document:
    """The archived document, else what the engine says now; for one that keeps nothing, what our
    own rows say.

    Raises DomainError (`history_unavailable`, `no_history`, and what `archived_document` raises) or
    ExternalError.
    """
    if (
        run.archive == ArchiveState.STORED
        or JobDocument.objects.filter(run=run, body__isnull=False).exists()
    ):
        return archived_document(run)
    if run.archive == ArchiveState.UNAVAILABLE:
        raise DomainError(
            "history_unavailable",
            f"The engine had removed the history of {run.external_id[:80]} before it could be "
            "archived; what is known of it are the events on its page.",
            status=410,
        )
    if not adapter_for(run.engine).features.keeps_history:
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


def temporal_history(run: JobRun) -> bytes:
    """A Temporal run's history as a serialised temporal.api.history.v1.History, for replays.
    Raises as `current_document` does, and DomainError("not_replayable") for other engines."""
    document = current_document(run)
    if document.media != TEMPORAL_HISTORY:
        raise DomainError(
            "not_replayable",
            f"{run.external_id[:80]} has no Temporal history to replay.",
        )
    return document.data


def document_of_rows(run: JobRun) -> bytes:
    """What our own rows say of a run, as JSON: for engines that keep nothing themselves."""
    events = run.events.order_by("seq", "key").values(
        *("seq", "key", "at", "kind", "title", "step", "step_name"),
        *("attempt", "actor", "message", "detail"),
    )
    document: dict[str, Any] = {
        "engine": run.engine,
        "external_id": run.external_id,
        "run_id": run.run_id,
        "type": run.type,
        "queue": run.queue,
        "status": run.status,
        "created_at": run.created_at,
        "began_at": run.began_at,
        "closed_at": run.closed_at,
        "attempts": run.attempts,
        "failure": run.failure,
        "worker": run.worker,
        "attributes": run.attributes,
        "events": list(events),
    }
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


def download_of(run: JobRun) -> Download:
    """What `temporal workflow show -o json` prints, or the engine's own object as JSON.

    Raises what current_document raises, and Refused for a damaged history.
    """
    document = current_document(run)
    named = re.sub(r"[^A-Za-z0-9.-]+", "_", f"{run.external_id}-{run.run_id}")[:_LONGEST_NAME]
    name = f"{run.engine}-{named.strip('._-') or run.pk}.json"
    if document.media == TEMPORAL_HISTORY:
        return Download(history_json(document.data), JSON_DOCUMENT, name)
    return Download(document.data, document.media, name)


def download_history(*, run: JobRun, actor: Actor) -> Download:
    """The run's history as a file, once the ledger has who took it. Raises as `download_of` does.

    Expects target and tenant to be loaded.
    """
    download = download_of(run)
    record(
        actor=actor,
        action="job.history.download",
        object_type="job",
        object_id=run.pk,
        object_label=run.external_id,
        tenant=run.tenant.slug if run.tenant else "",
        after={"engine": run.engine, "run_id": run.run_id, "bytes": len(download.data)},
    )
    return download
