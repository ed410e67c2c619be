"""Runs that ended before their retention began: an engine that still has them shows them again
whenever everything is listed, and what retention removed is not to come back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from console.unstructured import clean
from observability.engines.contracts import OPEN, RunSnapshot
from observability.ingest.context import IngestContext, StoredRuns
from observability.ingest.inline_documents import run_name

_FRESH: Final = timedelta(hours=1)
"""No retention is asked for about runs that ended since."""


def without_expired(
    context: IngestContext, runs: Sequence[RunSnapshot], now: datetime
) -> Sequence[RunSnapshot]:
    """The looks at runs that we know, or that are young enough to be kept."""
    over = [_over(context, snapshot, now) for snapshot in runs]
    if not any(over):
        return runs
    pairs = list(zip(map(run_name, runs), over, strict=True))
    names = {name for name, old in pairs if old} - {name for name, old in pairs if not old}
    gone = names - StoredRuns(context.target.id).revisions(sorted(names)).keys()
    return [snapshot for snapshot in runs if run_name(snapshot) not in gone]


def _over(context: IngestContext, snapshot: RunSnapshot, now: datetime) -> bool:
    closed_at = snapshot.closed_at
    if closed_at is None or snapshot.status in OPEN or closed_at > now - _FRESH:
        return False
    owner = context.owners.attribute(
        context.owners.declared(clean(snapshot.tenant)),
        location=snapshot.location,
        queue=snapshot.queue,
        fairness_key=snapshot.fairness_key,
    )
    return context.expiry.over(tenant_id=owner.tenant_id, closed_at=closed_at, now=now)
