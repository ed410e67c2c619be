"""Documents that come along with a page: into object storage before their rows say so."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

import structlog

from console.errors import ExternalError
from observability.engines.contracts import OPEN, RunSnapshot
from observability.ingest.context import IngestContext
from observability.jobs.rules.bounding import stored_name
from observability.jobs.services import archive
from observability.jobs.services.archive import Packed

RunName = tuple[str, str]
_AT_ONCE: Final = 4

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class InlineDocument:
    """A document of a run that ended. `path` is empty where object storage does not have it."""

    packed: Packed
    path: str = ""


def run_name(snapshot: RunSnapshot) -> RunName:
    """What a run is called in rows."""
    return stored_name(snapshot.external_id, snapshot.run_id)


def store_inline_documents(
    context: IngestContext, runs: Sequence[RunSnapshot]
) -> dict[RunName, InlineDocument]:
    """Stores the documents of runs that ended, the last one of each; outside any transaction."""
    last = {
        run_name(snapshot): snapshot
        for snapshot in runs
        if snapshot.document is not None and snapshot.status not in OPEN
    }
    if not last:
        return {}
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="archive") as pool:
        done = pool.map(lambda item: _stored(context, *item), last.items())
        return dict(zip(last, done, strict=True))


def _stored(context: IngestContext, name: RunName, snapshot: RunSnapshot) -> InlineDocument:
    packed = archive.pack(snapshot.document or b"", context.features.document_media)
    path = archive.object_path(
        engine=context.source.engine.value,
        target=context.target.slug,
        day=snapshot.closed_at or snapshot.created_at,
        name=name,
        sha256=packed.sha256,
    )
    try:
        archive.put(path, packed.body)
    except ExternalError as error:
        log.warning("archive.away", target=context.target.slug, error=error.message)
        return InlineDocument(packed)
    return InlineDocument(replace(packed, body=b""), path)
