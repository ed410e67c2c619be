"""One page of changes into rows, in one transaction with its cursor: all of it or nothing, but for
a run that we stumble over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F

from console.errors import ExternalError, own
from console.unstructured import clean
from observability.engines.contracts import ChangePage, RunSnapshot
from observability.ingest.claims import ClaimLost
from observability.ingest.context import IngestContext
from observability.ingest.expired import without_expired
from observability.ingest.inline_documents import (
    InlineDocument,
    RunName,
    store_inline_documents,
)
from observability.ingest.store import merge_runs
from observability.jobs.models import IngestGap, IngestState
from tenants.contracts import Unreadable
from tenants.models import Reader
from tenants.services.unreadable import note_readable, note_unreadable

log = structlog.get_logger(__name__)

OUTAGES = (ClaimLost, ExternalError, OperationalError, InterfaceError)
"""What is no run's doing: the page is stored when it is over."""


def store_page(context: IngestContext, page: ChangePage, *, now: datetime) -> int:
    """Stores a page; how many events of it were new. A run that cannot be stored, by a mistake of
    ours, is said to be unreadable, and costs no other anything. Raises ClaimLost."""
    runs = without_expired(context, page.runs, now)
    documents = store_inline_documents(context, runs)
    with transaction.atomic():
        context.hold()
        events, failed = _merged(context, runs, documents, now)
        _gaps(context, page)
        _advance(context, page, events, now)
        _note(context, runs, (*page.unreadable, *failed), now)
    return events


def _note(
    context: IngestContext,
    runs: Sequence[RunSnapshot],
    unreadable: Sequence[Unreadable],
    now: datetime,
) -> None:
    """What cannot be read; of objects, also what can be read again."""
    target = context.target.id
    note_unreadable(target_id=target, reader=Reader.JOBS, objects=unreadable, now=now)
    if context.features.namespaced and runs:
        names = {(run.location, run.external_id) for run in runs}
        names -= {(item.location, item.name) for item in unreadable}
        note_readable(target_id=target, reader=Reader.JOBS, names=names)


def _merged(
    context: IngestContext,
    runs: Sequence[RunSnapshot],
    documents: Mapping[RunName, InlineDocument],
    now: datetime,
) -> tuple[int, list[Unreadable]]:
    """How many events were new, and the runs that we stumbled over: what fails is tried by halves,
    until whatever it fails over is alone."""
    try:
        with transaction.atomic():
            return merge_runs(context, runs, now=now, documents=documents), []
    except OUTAGES:
        raise
    except Exception as error:
        log.exception("page.failed", target=context.target.slug, runs=len(runs))
        if len(runs) <= 1:
            return 0, [_unreadable(context, run, error) for run in runs]
    middle = len(runs) // 2
    parts = [_merged(context, half, documents, now) for half in (runs[:middle], runs[middle:])]
    return sum(events for events, _ in parts), [item for _, failed in parts for item in failed]


def _unreadable(context: IngestContext, run: RunSnapshot, error: Exception) -> Unreadable:
    kind = f"{context.source.engine.value} run"
    return Unreadable(kind, run.location, run.external_id, own(error).message, run.tenant)


def _gaps(context: IngestContext, page: ChangePage) -> None:
    IngestGap.objects.bulk_create(
        (
            IngestGap(
                target_id=context.target.id,
                starts_at=gap.starts_at,
                ends_at=max(gap.ends_at, gap.starts_at),
                cause=clean(gap.cause)[:300],
            )
            for gap in {gap.starts_at: gap for gap in page.gaps}.values()
        ),
        update_conflicts=True,
        unique_fields=["target", "starts_at"],
        update_fields=["ends_at", "cause"],
    )


def _advance(context: IngestContext, page: ChangePage, events: int, now: datetime) -> None:
    state = IngestState.objects.filter(target_id=context.target.id)
    fields: dict[str, Any] = {
        "cursor": dict(page.cursor),
        "caught_up": page.caught_up,
        "read_at": now,
        "error": "",
        "error_since": None,
        "runs_read": F("runs_read") + len(page.runs),
        "events_read": F("events_read") + events,
    }
    if page.through is not None:
        before = state.values_list("through", flat=True).first()
        fields["through"] = max(before, page.through) if before else page.through
    state.update(**fields)
