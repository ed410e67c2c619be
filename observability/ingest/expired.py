"""Runs that ended before their retention began: an engine that still has them shows them again
whenever everything is listed, and what retention removed is not to come back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from observability.engines.contracts import OPEN, RunSnapshot
from observability.ingest.pushed import named
from observability.ingest.reader import Reader, StoredRuns
from observability.jobs.rules.bounding import clean

_FRESH: Final = timedelta(hours=1)
"""No retention is asked for about runs that ended since."""


def without_expired(
    reader: Reader, runs: Sequence[RunSnapshot], now: datetime
) -> Sequence[RunSnapshot]:
    """The looks at runs that we know, or that are young enough to be kept."""
    over = [_over(reader, seen, now) for seen in runs]
    if not any(over):
        return runs
    pairs = list(zip(map(named, runs), over, strict=True))
    names = {name for name, old in pairs if old} - {name for name, old in pairs if not old}
    gone = names - StoredRuns(reader.target.id).revisions(sorted(names)).keys()
    return [seen for seen in runs if named(seen) not in gone]


def _over(reader: Reader, seen: RunSnapshot, now: datetime) -> bool:
    closed_at = seen.closed_at
    if closed_at is None or seen.status in OPEN or closed_at > now - _FRESH:
        return False
    found = reader.owners.attribute(
        reader.owners.declared(clean(seen.tenant)),
        location=seen.location,
        queue=seen.queue,
        fairness_key=seen.fairness_key,
    )
    return reader.expiry.over(tenant_id=found.tenant_id, closed_at=closed_at, now=now)
