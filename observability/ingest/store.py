"""One page of changes into rows, in one transaction with its cursor: all of it or nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import Count, F
from django.db.models.base import ModelState

from observability.engines.contracts import ChangePage, RunEvent, RunSnapshot
from observability.ingest.events import EventRow, event_rows, how_many
from observability.ingest.expired import without_expired
from observability.ingest.inheriting import hand_down, key_of, tenants_of_parents
from observability.ingest.pushed import (
    Name,
    Pushed,
    named,
    shelve,
)
from observability.ingest.reader import CHUNK, Reader
from observability.ingest.rows import (
    MERGED,
    order_history,
    state_in,
    write,
)
from observability.ingest.writes import insert_events, save_runs
from observability.jobs.models import (
    ArchiveState,
    IngestGap,
    IngestState,
    JobDocument,
    JobEvent,
    JobLink,
    JobRun,
)
from observability.jobs.rules.bounding import bounded_id, clean
from observability.jobs.rules.merge import merged, state_of
from observability.jobs.services.archive import keep_earlier, spool, stored

_BATCH: Final = 5000
_LINKS: Final = 500


@dataclass(slots=True)
class RunMerge:
    """All that one page says of one run."""

    row: JobRun
    new: bool
    seen: list[RunSnapshot] = field(default_factory=list)
    changed: bool = False
    pushed: Pushed | None = None


def store_page(reader: Reader, page: ChangePage, *, now: datetime) -> int:
    """Stores a page; how many events of it were new. Raises ClaimLost."""
    runs = without_expired(reader, page.runs, now)
    pushed = shelve(reader, runs)
    with transaction.atomic():
        reader.hold()
        events = take_in(reader, runs, now=now, pushed=pushed)
        _gaps(reader, page)
        _advance(reader, page, events, now)
    return events


def take_in(
    reader: Reader,
    runs: Sequence[RunSnapshot],
    *,
    now: datetime,
    pushed: Mapping[Name, Pushed] | None = None,
) -> int:
    """Merges looks at runs into rows, inside the caller's transaction; new events' number."""
    heard = _heard(reader, runs, now)
    if not heard:
        return 0
    parents = tenants_of_parents(reader, runs)
    for entry in heard:
        entry.pushed = (pushed or {}).get((entry.row.external_id, entry.row.run_id))
        _merge(reader, entry, parents, now)
    _archive(heard)
    for entry in heard:
        if entry.new:
            entry.row.event_count = how_many(_events(entry))
    save_runs([entry.row for entry in heard if entry.changed or entry.new], MERGED)
    hand_down(reader, [entry.row for entry in heard if entry.new], now=now)
    _spool(heard)
    _links(heard)
    return store_events(
        reader,
        [(entry.row, _events(entry)) for entry in heard],
        now=now,
        counted={entry.row.pk for entry in heard if entry.new},
    )


def _events(entry: RunMerge) -> list[RunEvent]:
    return [event for seen in entry.seen for event in seen.events]


def _heard(reader: Reader, runs: Iterable[RunSnapshot], now: datetime) -> list[RunMerge]:
    looks: dict[Name, list[RunSnapshot]] = {}
    for seen in runs:
        looks.setdefault(named(seen), []).append(seen)
    rows = find_rows(reader.target.id, list(looks))
    fresh = _fresh(reader, now)
    return [
        RunMerge(row=rows.get(name) or fresh(name), new=name not in rows, seen=found)
        for name, found in looks.items()
    ]


def find_rows(target_id: int, names: Sequence[Name]) -> dict[Name, JobRun]:
    """The rows of runs by what they are called."""
    wanted = set(names)
    ids = sorted({external_id for external_id, _ in wanted})
    found: dict[Name, JobRun] = {}
    for start in range(0, len(ids), CHUNK):
        for row in JobRun.objects.filter(
            target_id=target_id, external_id__in=ids[start : start + CHUNK]
        ):
            if (row.external_id, row.run_id) in wanted:
                found[row.external_id, row.run_id] = row
    return found


def _fresh(reader: Reader, now: datetime) -> Callable[[Name], JobRun]:
    """Makes new runs, alike but for their name: a model's own constructor takes a tenth of all
    the time that Celery's events take."""
    engine = reader.source.engine.value
    values = vars(JobRun(engine=engine, target_id=reader.target.id, updated_at=now))

    def make(name: Name) -> JobRun:
        row = JobRun.__new__(JobRun)
        row.__dict__.update(values)
        row._state = ModelState()
        row.attributes = {}
        row.external_id, row.run_id = name
        return row

    return make


def _merge(
    reader: Reader, entry: RunMerge, parents: Mapping[str, int | None], now: datetime
) -> None:
    row = entry.row
    before = None if entry.new else state_in(row)
    state, newer, wanted = before, entry.new, False
    for seen in entry.seen:
        declared = reader.owners.declared(clean(seen.tenant))
        inherited = None if seen.tenant else parents.get(key_of(seen.parent))
        look = state_of(seen, masker=reader.masker, tenant_id=declared or inherited)
        newer = newer or (state is not None and look.rank > state.rank)
        wanted = wanted or seen.needs_history
        state = look if state is None else merged(state, look)
    if state is None:
        return
    due, shelved = row.history_due, row.archive
    if state != before:
        write(row, state, reader.owners)
    order_history(row, wanted=wanted, newer=newer)
    entry.changed = state != before or (row.history_due, row.archive) != (due, shelved)
    if entry.changed:
        row.updated_at = now


def _archive(heard: Iterable[RunMerge]) -> None:
    """Notes on runs that ended which document they have; an earlier one is kept beside it."""
    replaced: dict[int, str] = {}
    earlier: list[JobRun] = []
    for entry in heard:
        row, pushed = entry.row, entry.pushed
        if pushed is None or row.closed_at is None or pushed.packed.sha256 == row.archive_sha256:
            continue
        if row.archive_path:
            replaced[row.pk] = pushed.packed.sha256
            earlier.append(copy(row))
        row.archive, entry.changed = ArchiveState.DUE, True
        if pushed.path:
            for column, value in stored(pushed.packed, pushed.path).items():
                setattr(row, column, value)
    keep_earlier(earlier, of=replaced)


def _spool(heard: Iterable[RunMerge]) -> None:
    """Documents that object storage could not take wait as rows: their engine may forget them."""
    waiting = [
        spool(entry.row, entry.pushed.packed)
        for entry in heard
        if entry.pushed is not None
        and not entry.pushed.path
        and entry.row.archive == ArchiveState.DUE
    ]
    JobDocument.objects.bulk_create(waiting, ignore_conflicts=True)


def _links(heard: Iterable[RunMerge]) -> None:
    JobLink.objects.bulk_create(
        (
            JobLink(run=entry.row, kind=kind.value, value=bounded_id(value, 255))
            for entry in heard
            for seen in entry.seen
            for kind, value in seen.links.items()
            if value
        ),
        ignore_conflicts=True,
        batch_size=_LINKS,
    )


def store_events(
    reader: Reader,
    found: Sequence[tuple[JobRun, Sequence[RunEvent]]],
    *,
    now: datetime,
    counted: Collection[int] = (),
) -> int:
    """Events of runs as rows, each once whatever comes again; how many are new. `counted` are the
    runs that have no events yet and say already how many they will have."""
    told = [(run, events) for run, events in found if events]
    rows: list[EventRow] = []
    for run, events in told:
        rows += event_rows(run.pk, events, reader.masker)
        if len(rows) >= _BATCH:
            insert_events(rows)
            rows = []
    insert_events(rows)
    fresh = sum(run.event_count for run, _ in told if run.pk in counted)
    return fresh + _recount([run for run, _ in told if run.pk not in counted], now)


def _recount(runs: Sequence[JobRun], now: datetime) -> int:
    """Writes the number of events where it is another one; by how many it grew."""
    before = {run.pk: run.event_count for run in runs}
    grown: dict[int, list[int]] = {}
    ids, total = list(before), 0
    for start in range(0, len(ids), CHUNK):
        counted = JobEvent.objects.filter(run__in=ids[start : start + CHUNK])
        for pk, number in counted.values_list("run_id").annotate(number=Count("pk")).order_by():
            if number != before[pk]:
                grown.setdefault(number, []).append(pk)
                total += number - before[pk]
    for number, changed in grown.items():
        JobRun.objects.filter(pk__in=changed).update(event_count=number, updated_at=now)
    return total


def _gaps(reader: Reader, page: ChangePage) -> None:
    IngestGap.objects.bulk_create(
        (
            IngestGap(
                target_id=reader.target.id,
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


def _advance(reader: Reader, page: ChangePage, events: int, now: datetime) -> None:
    state = IngestState.objects.filter(target_id=reader.target.id)
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
