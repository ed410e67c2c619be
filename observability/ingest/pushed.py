"""Documents that come along with a page: into object storage before their rows say so."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

import structlog

from console.errors import ExternalError
from observability.engines.contracts import (
    JSON_DOCUMENT,
    OPEN,
    TEMPORAL_HISTORY,
    Engine,
    RunSnapshot,
)
from observability.ingest.reader import Reader
from observability.jobs.rules.bounding import bounded_id
from observability.jobs.services import archive
from observability.jobs.services.archive import Packed

Name = tuple[str, str]
_AT_ONCE: Final = 4

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pushed:
    """A document of a run that ended. `path` is empty where object storage does not have it."""

    packed: Packed
    path: str = ""


def named(seen: RunSnapshot) -> Name:
    """What a run is called in rows."""
    return bounded_id(seen.external_id), bounded_id(seen.run_id, 100)


def shelve(reader: Reader, runs: Sequence[RunSnapshot]) -> dict[Name, Pushed]:
    """Stores the documents of runs that ended, the last one of each; outside any transaction."""
    last = {
        named(seen): seen for seen in runs if seen.document is not None and seen.status not in OPEN
    }
    if not last:
        return {}
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="archive") as pool:
        done = pool.map(lambda item: _shelved(reader, *item), last.items())
        return dict(zip(last, done, strict=True))


def _shelved(reader: Reader, name: Name, seen: RunSnapshot) -> Pushed:
    engine = reader.source.engine
    media = TEMPORAL_HISTORY if engine == Engine.TEMPORAL else JSON_DOCUMENT
    packed = archive.pack(seen.document or b"", media)
    path = archive.path_of(
        engine=engine.value,
        target=reader.target.slug,
        day=seen.closed_at or seen.created_at,
        name=name,
        sha256=packed.sha256,
    )
    try:
        archive.put(path, packed.body)
    except ExternalError as error:
        log.warning("archive.away", target=reader.target.slug, error=error.message)
        return Pushed(packed)
    return Pushed(replace(packed, body=b""), path)
