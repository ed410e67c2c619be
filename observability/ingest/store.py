"""Looks at runs into rows, inside the transaction of whoever has them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Final

from django.db.models import Count
from django.db.models.base import ModelState

from console.chunks import chunks
from console.unstructured import clean
from observability.engines.contracts import RunEvent, RunSnapshot
from observability.ingest.attempt_rounds import with_rounds
from observability.ingest.context import CHUNK, IngestContext
from observability.ingest.event_rows import EventRow, event_rows, how_many
from observability.ingest.folding import fold_events
from observability.ingest.inline_documents import (
    InlineDocument,
    RunName,
    run_name,
)
from observability.ingest.rows import (
    MERGED,
    order_history,
    state_in,
    write,
)
from observability.ingest.rules.merge import merged, state_of
from observability.ingest.tenant_inheritance import key_of, pass_on_tenants, tenants_of_parents
from observability.ingest.writes import insert_events, save_runs
from observability.jobs.models import (
    ArchiveState,
    JobDocument,
    JobEvent,
    JobLink,
    JobRun,
)
from observability.jobs.rules.bounding import bounded_id
from observability.jobs.services.archive import keep_earlier, spool, stored_columns

_BATCH: Final = 5000
_LINKS: Final = 500


@dataclass(slots=True)
class RunMerge:
    """All that one page says of one run."""

    row: JobRun
    new: bool
    snapshots: list[RunSnapshot] = field(default_factory=list)
    changed: bool = False
    document: InlineDocument | None = None


def merge_runs(
    context: IngestContext,
    runs: Sequence[RunSnapshot],
    *,
    now: datetime,
    documents: Mapping[RunName, InlineDocument] | None = None,
) -> int:
    """Merges looks at runs into rows, inside the caller's transaction; new events' number."""
    merges = _grouped(context, runs, now)
    if not merges:
        return 0
    parents = tenants_of_parents(context, runs)
    for merge in merges:
        merge.document = (documents or {}).get((merge.row.external_id, merge.row.run_id))
        _merge(context, merge, parents, now)
    _archive(merges)
    for merge in merges:
        if merge.new:
            merge.row.event_count = how_many(_events(merge))
    save_runs([merge.row for merge in merges if merge.changed or merge.new], MERGED)
    pass_on_tenants(context, [merge.row for merge in merges if merge.new], now=now)
    _spool(merges)
    _links(merges)
    return store_events(
        context,
        [(merge.row, _events(merge)) for merge in merges],
        now=now,
        counted={merge.row.pk for merge in merges if merge.new},
    )


def _events(merge: RunMerge) -> list[RunEvent]:
    return [event for snapshot in merge.snapshots for event in snapshot.events]


def _grouped(context: IngestContext, runs: Iterable[RunSnapshot], now: datetime) -> list[RunMerge]:
    snapshots: dict[RunName, list[RunSnapshot]] = {}
    for snapshot in runs:
        snapshots.setdefault(run_name(snapshot), []).append(snapshot)
    rows = find_rows(context.target.id, list(snapshots))
    fresh = _fresh(context, now)
    return [
        RunMerge(row=rows.get(name) or fresh(name), new=name not in rows, snapshots=of_run)
        for name, of_run in snapshots.items()
    ]


def find_rows(target_id: int, names: Sequence[RunName]) -> dict[RunName, JobRun]:
    """The rows of runs by what they are called."""
    wanted = set(names)
    ids = sorted({external_id for external_id, _ in wanted})
    rows: dict[RunName, JobRun] = {}
    for chunk in chunks(ids, CHUNK):
        for row in JobRun.objects.filter(target_id=target_id, external_id__in=chunk):
            if (row.external_id, row.run_id) in wanted:
                rows[row.external_id, row.run_id] = row
    return rows


def _fresh(context: IngestContext, now: datetime) -> Callable[[RunName], JobRun]:
    """Makes new runs, alike but for their name: a model's own constructor takes a tenth of all
    the time that Celery's events take."""
    engine = context.source.engine.value
    values = vars(JobRun(engine=engine, target_id=context.target.id, updated_at=now))

    def make(name: RunName) -> JobRun:
        row = JobRun.__new__(JobRun)
        row.__dict__.update(values)
        row._state = ModelState()
        row.attributes = {}
        row.external_id, row.run_id = name
        return row

    return make


def _merge(
    context: IngestContext, merge: RunMerge, parents: Mapping[str, int | None], now: datetime
) -> None:
    row = merge.row
    before = None if merge.new else state_in(row)
    state, newer, wanted = before, merge.new, False
    for snapshot in merge.snapshots:
        declared = context.owners.declared(clean(snapshot.tenant))
        inherited = None if snapshot.tenant else parents.get(key_of(snapshot.parent))
        update = state_of(snapshot, masker=context.masker, tenant_id=declared or inherited)
        newer = newer or (state is not None and update.rank > state.rank)
        wanted = wanted or snapshot.needs_history
        state = update if state is None else merged(state, update)
    if state is None:
        return
    due, shelved = row.history_due, row.archive
    if state != before:
        write(row, state, context.owners)
    order_history(row, wanted=wanted, newer=newer)
    merge.changed = state != before or (row.history_due, row.archive) != (due, shelved)
    if merge.changed:
        row.updated_at = now


def _archive(merges: Iterable[RunMerge]) -> None:
    """Notes on runs that ended which document they have; an earlier one is kept beside it."""
    replaced: dict[int, str] = {}
    earlier: list[JobRun] = []
    for merge in merges:
        row, document = merge.row, merge.document
        if (
            document is None
            or row.closed_at is None
            or document.packed.sha256 == row.archive_sha256
        ):
            continue
        if row.archive_path:
            replaced[row.pk] = document.packed.sha256
            earlier.append(copy(row))
        row.archive, merge.changed = ArchiveState.DUE, True
        if document.path:
            for column, value in stored_columns(document.packed, document.path).items():
                setattr(row, column, value)
    keep_earlier(earlier, of=replaced)


def _spool(merges: Iterable[RunMerge]) -> None:
    """Documents that object storage could not take wait as rows: their engine may forget them."""
    waiting = [
        spool(merge.row, merge.document.packed)
        for merge in merges
        if merge.document is not None
        and not merge.document.path
        and merge.row.archive == ArchiveState.DUE
    ]
    JobDocument.objects.bulk_create(waiting, ignore_conflicts=True)


def _links(merges: Iterable[RunMerge]) -> None:
    JobLink.objects.bulk_create(
        (
            JobLink(run=merge.row, kind=kind.value, value=bounded_id(value, 255))
            for merge in merges
            for snapshot in merge.snapshots
            for kind, value in snapshot.links.items()
            if value
        ),
        ignore_conflicts=True,
        batch_size=_LINKS,
    )


def store_events(
    context: IngestContext,
    pairs: Sequence[tuple[JobRun, Sequence[RunEvent]]],
    *,
    now: datetime,
    counted: Collection[int] = (),
) -> int:
    """Events of runs as rows, each once whatever comes again; how many are new. `counted` are the
    runs that have no events yet and say already how many they will have."""
    eventful = [(run, events) for run, events in pairs if events]
    new = [pair for pair in eventful if pair[0].pk in counted]
    known = [pair for pair in eventful if pair[0].pk not in counted]
    rows: list[EventRow] = []
    for run, events in chain(new, with_rounds(known)):
        rows += event_rows(run.pk, events, context.masker)
        if len(rows) >= _BATCH:
            insert_events(rows)
            rows = []
    insert_events(rows)
    fresh = sum(run.event_count for run, _ in new)
    grown = _recount([run for run, _ in known], now)
    if context.features.most_events is not None:
        fold_events([run for run, _ in eventful], most=context.features.most_events, now=now)
    return fresh + grown


def _recount(runs: Sequence[JobRun], now: datetime) -> int:
    """Writes the number of events where it is another one; by how many it grew."""
    by_id = {run.pk: run for run in runs}
    before = {run.pk: run.event_count for run in runs}
    grown: dict[int, list[int]] = {}
    ids, total = list(before), 0
    for chunk in chunks(ids, CHUNK):
        counted = JobEvent.objects.filter(run__in=chunk)
        for pk, number in counted.values_list("run_id").annotate(number=Count("pk")).order_by():
            if number != before[pk]:
                grown.setdefault(number, []).append(pk)
                by_id[pk].event_count = number
                total += number - before[pk]
    for number, changed in grown.items():
        JobRun.objects.filter(pk__in=changed).update(event_count=number, updated_at=now)
    return total
