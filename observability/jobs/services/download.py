"""A run's history as a file, in the engine's own format."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from console.clients.temporal.history_documents import history_json
from observability.engines.contracts import JSON_DOCUMENT, TEMPORAL_HISTORY
from observability.jobs.models import JobRun
from observability.jobs.services.current import current_document

_LONGEST_NAME: Final = 100


@dataclass(frozen=True, slots=True)
class Download:
    """A file. `name` is safe in a header and on every file system."""

    data: bytes
    media: str
    name: str


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
