"""Between rows and what the rules know of a run: plain translation, both ways."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from observability.engines.contracts import (
    EARLIER_TYPES,
    OPEN,
    STATUS_TIMES,
    Status,
    TenantSource,
)
from observability.engines.failure_kinds import FAILURE_LABELS, REFUSALS
from observability.ingest.rules.merge import ATTRIBUTE, RunState
from observability.jobs.models import ArchiveState, Attribution, JobRun
from observability.jobs.rules.attribution import Owners
from observability.jobs.rules.bounding import bounded_id
from observability.jobs.rules.search_words import search_words

_TEXTS: Final = (
    *("type", "location", "queue", "fairness_key", "started_by", "worker", "build"),
    *("parent_key", "failure", "failure_kind", "cleanup_at", "hold"),
)
MERGED: Final = (
    *("location", "key", "tenant_id", "attribution", "type", "queue", "fairness_key", "status"),
    *("created_at", "began_at", "closed_at", "duration_ms", "attempts", "failure", "failure_kind"),
    *("started_by", "worker", "build", "parent_key", "progress", "attributes", "cleanup_at"),
    *("hold", "cleaned_at", "search", "revision", "marks", "history_due", "archive"),
    *("history_not_before", "history_tries", "history_error", "updated_at"),
    *("archive_path", "archive_media", "archive_sha256", "archive_bytes"),
)
"""Columns that news of a run may change; the others say how far its history was read."""
_NULLABLE: Final = frozenset({"cleanup_at", "hold"})
_REFUSERS: Final = {kind.value: FAILURE_LABELS[kind] for kind in REFUSALS}
"""Found by the refuser's name, which the messages of some do not have."""
_LONGEST_KEY: Final = 160
_BEGINNING: Final = 400
_MOST_SEQ: Final = 2**63 - 1
_MOST_ATTEMPT: Final = 2**31 - 1


def state_in(row: JobRun) -> RunState:
    """What a row says, as the rules take it."""
    marks = row.marks or {}
    latest: dict[str, Any] = {"state": (row.status, row.closed_at)}
    for name in _TEXTS:
        value = getattr(row, name)
        if value or name in marks or (name.startswith("failure") and _well(row)):
            latest[name] = value
    if row.attribution == Attribution.DECLARED:
        latest["declared"] = row.tenant_id
    for key, value in row.attributes.items():
        latest[ATTRIBUTE + key] = value
    return RunState(
        revision=row.revision,
        latest=latest,
        created_at=row.created_at,
        began_at=row.began_at,
        attempts=row.attempts,
        progress=row.progress,
        cleaned_at=row.cleaned_at,
        marks=marks,
    )


def _well(row: JobRun) -> bool:
    return row.status in {Status.SUCCEEDED, Status.CONTINUED}


def write(row: JobRun, state: RunState, owners: Owners) -> None:
    """Puts what is known into a row, with the columns that follow from it."""
    placed_before = (row.location, row.queue, row.fairness_key)
    latest = state.latest
    row.status, row.closed_at = latest["state"]
    for name in _TEXTS:
        setattr(row, name, latest.get(name, None if name in _NULLABLE else ""))
    row.attributes = {
        name.removeprefix(ATTRIBUTE): value
        for name, value in latest.items()
        if name.startswith(ATTRIBUTE)
    }
    row.revision, row.marks = state.revision, dict(state.marks) or None
    row.created_at, row.began_at, row.cleaned_at = (
        state.created_at,
        state.began_at,
        state.cleaned_at,
    )
    row.attempts = min(max(state.attempts, 0), _MOST_ATTEMPT)
    row.progress = state.progress
    row.key = bounded_id(row.make_key(), 1400)
    known = STATUS_TIMES not in row.attributes
    row.duration_ms = _milliseconds(row.created_at, row.closed_at) if known else None
    if not (row.type or row.duration_ms):
        row.duration_ms = None  # only its end was heard
    # What chips are looked up by comes first, the beginning of an id before all: what is long may
    # be cut off.
    row.search = search_words(
        row.external_id[:_BEGINNING],
        row.run_id[:_BEGINNING],
        row.type,
        str(row.attributes.get(EARLIER_TYPES) or ""),
        row.external_id,
        row.run_id,
        row.worker,
        row.queue,
        row.started_by,
        _REFUSERS.get(row.failure_kind, ""),
        row.failure,
    )
    _attribute(row, latest.get("declared"), owners, placed_before)


def _milliseconds(start: datetime, end: datetime | None) -> int | None:
    return None if end is None else max(int((end - start).total_seconds() * 1000), 0)


def _attribute(
    row: JobRun, declared: int | None, owners: Owners, placed_before: tuple[str, str, str]
) -> None:
    owner = owners.attribute(
        declared, location=row.location, queue=row.queue, fairness_key=row.fairness_key
    )
    stays = (row.location, row.queue, row.fairness_key) == placed_before
    if stays and row.tenant_id is not None and owner.source != TenantSource.DECLARED:
        return  # whoever is placed there by now: what ran there is still the first one's
    row.tenant_id, row.attribution = owner.tenant_id, owner.source.value


def order_history(row: JobRun, *, wanted: bool, newer: bool) -> None:
    """Notes what is still to be fetched, and that a run which ended is to be archived."""
    if wanted and (newer or not row.history_through):
        row.history_due = True
        row.history_not_before, row.history_tries, row.history_error = None, 0, ""
    if row.status in OPEN:
        if row.archive != ArchiveState.NONE:
            row.archive = ArchiveState.NONE  # it runs again; the earlier document is kept
    elif row.archive == ArchiveState.NONE or (newer and wanted):
        row.archive = ArchiveState.DUE
