"""Histories that are due, fetched by a few threads at once and stored in batches.

Nothing is held while it is fetched: a history that was not stored is still due. The threads touch
no database; object storage has a closed run's record before its row says so.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Final

import structlog
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from console.errors import ExternalError, NotFound, Throttled, Unreachable
from console.unstructured import clean
from observability.engines.contracts import History, RunRef
from observability.engines.times import plausible
from observability.ingest.claims import ClaimLost
from observability.ingest.context import IngestContext
from observability.ingest.store import merge_runs, store_events
from observability.ingest.writes import save_runs
from observability.jobs.models import ArchiveState, IngestState, JobDocument, JobRun
from observability.jobs.services import archive
from observability.jobs.services.archive import Packed
from tenants.models import Reader
from tenants.services.unreadable import note_unreadable

MOST_AT_ONCE: Final = 8
IN_FLIGHT: Final = 64 * 1024 * 1024
"""Bytes of documents that may be in memory, as far as the last ones tell."""
_BATCH: Final = 50
_BATCH_BYTES: Final = 16 * 1024 * 1024
_TAKE: Final = 500
_TRIES: Final = 6
"""After so many refusals in a row a history counts as lost."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A run whose events are to be fetched from `after` on; `path` is where its document goes."""

    run: JobRun
    ref: RunRef
    after: int


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of it: a history or an error; `packed` and `path` once its document is stored."""

    wanted: Wanted
    history: History | None = None
    error: ExternalError | None = None
    packed: Packed | None = None
    path: str = ""


def fetch_due(context: IngestContext, *, seconds: float) -> int:
    """Fetches and stores due histories for about so long; how many were stored.

    Raises ExternalError when the engine is away, after storing what had come, and ClaimLost.
    """
    deadline = time.monotonic() + seconds
    stored = 0
    workers = max(1, min(context.target.concurrency, MOST_AT_ONCE))
    with ThreadPoolExecutor(workers, thread_name_prefix="history") as pool:
        while context.going() and time.monotonic() < deadline:
            due = _due(context, timezone.now())
            if not due:
                break
            for batch in _batches(_fetched(context, pool, due, workers, deadline)):
                store(context, batch, now=timezone.now())
                stored += len(batch)
                _give_up_on_engine(batch)
    return stored


def any_due(target_id: int, now: datetime) -> bool:
    """Whether there is something to fetch just now."""
    return _rows(target_id, now).exists()


def _rows(target_id: int, now: datetime) -> QuerySet[JobRun]:
    rested = Q(history_not_before__isnull=True) | Q(history_not_before__lte=now)
    return JobRun.objects.filter(rested, target_id=target_id, history_due=True)


def _due(context: IngestContext, now: datetime) -> list[Wanted]:
    rows = _rows(context.target.id, now).defer("search", "attributes", "progress", "marks")
    return [
        Wanted(run=row, ref=row.ref(), after=row.history_through)
        for row in rows.order_by("id")[:_TAKE]
    ]


def _fetched(
    context: IngestContext,
    pool: ThreadPoolExecutor,
    wanted: Sequence[Wanted],
    workers: int,
    deadline: float,
) -> Iterator[Fetched]:
    """Histories as they come, few enough at once for the memory that the last ones took."""
    queue, running = iter(wanted), set[Future[Fetched]]()
    largest = 0
    while True:
        room = max(1, min(2 * workers, IN_FLIGHT // max(largest, 1))) - len(running)
        if context.going() and time.monotonic() < deadline:
            running |= {pool.submit(_fetch, context, due) for due in islice(queue, max(room, 0))}
        if not running:
            return
        done, running = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            fetched = future.result()
            size = len(fetched.history.document) if fetched.history else 0
            largest = max(size, largest * 9 // 10)
            yield fetched


def _batches(histories: Iterator[Fetched]) -> Iterator[list[Fetched]]:
    batch: list[Fetched] = []
    size = 0
    for fetched in histories:
        batch.append(fetched)
        size += len(fetched.history.document) if fetched.history else 0
        if len(batch) >= _BATCH or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _fetch(context: IngestContext, wanted: Wanted) -> Fetched:
    try:
        history = context.source.history(target=context.target, run=wanted.ref, after=wanted.after)
    except ExternalError as error:
        return Fetched(wanted, error=error)
    except Exception as error:
        log.exception("history.unreadable", run=wanted.run.pk)
        return Fetched(wanted, error=_unreadable(error))
    fetched = Fetched(wanted, history=history)
    return _archived(context, fetched) if _ended(wanted, history) else fetched


def _ended(wanted: Wanted, history: History) -> bool:
    closed = wanted.run.closed_at is not None
    return closed and wanted.run.archive == ArchiveState.DUE and bool(history.document)


def _archived(context: IngestContext, fetched: Fetched) -> Fetched:
    history, run = fetched.history, fetched.wanted.run
    if history is None:
        return fetched
    packed = archive.pack(history.document, history.media)
    path = archive.object_path_of(run, target=context.target.slug, sha256=packed.sha256)
    try:
        archive.put(path, packed.body)
    except ExternalError as error:
        # The events are stored anyhow; the record is asked for again when storage is back.
        log.warning("archive.away", run=run.pk, error=error.message)
        return fetched
    return replace(fetched, packed=replace(packed, body=b""), path=path)


def store(context: IngestContext, batch: Sequence[Fetched], *, now: datetime) -> None:
    """Stores what came. What we stumble over is stored by halves, until the history that it is
    about is alone and said to be unreadable. Raises ClaimLost."""
    try:
        _store(context, batch, now=now)
        return
    except (ClaimLost, ExternalError, OperationalError, InterfaceError):
        raise
    except Exception as error:
        log.exception("history.failed", target=context.target.slug, histories=len(batch))
        mistake = error
    if len(batch) <= 1:
        failed = [Fetched(fetched.wanted, error=_unreadable(mistake)) for fetched in batch]
        _store(context, failed, now=now)
        return
    middle = len(batch) // 2
    for half in (batch[:middle], batch[middle:]):
        store(context, half, now=now)


def _unreadable(error: Exception) -> ExternalError:
    text = f"The history cannot be read: {type(error).__name__}: {error}"
    return ExternalError(text, retryable=False, code="unreadable")


def _store(context: IngestContext, batch: Sequence[Fetched], *, now: datetime) -> None:
    """Stores what came, in one transaction."""
    with transaction.atomic():
        context.hold()
        arrived = [fetched for fetched in batch if fetched.history is not None]
        snapshots = [
            # Where a status says the times, a look at it was held to the clock: so is its history.
            plausible(fetched.history.run, now)
            if context.features.namespaced
            else fetched.history.run
            for fetched in arrived
            if fetched.history and fetched.history.run is not None
        ]
        merge_runs(context, snapshots, now=now)
        rows = JobRun.objects.in_bulk([fetched.wanted.run.pk for fetched in batch])
        pairs = [
            (rows[fetched.wanted.run.pk], fetched)
            for fetched in batch
            if fetched.wanted.run.pk in rows
        ]
        events_of = [
            (row, fetched.history.events) for row, fetched in pairs if fetched.history is not None
        ]
        events = store_events(context, events_of, now=now)
        _finish(pairs, now)
        note_unreadable(
            target_id=context.target.id,
            reader=Reader.JOBS,
            objects=[
                problem
                for fetched in arrived
                if fetched.history
                for problem in fetched.history.unreadable
            ],
            now=now,
        )
        state = IngestState.objects.filter(target_id=context.target.id)
        state.update(read_at=now, events_read=F("events_read") + events)


def _finish(pairs: Sequence[tuple[JobRun, Fetched]], now: datetime) -> None:
    archive.keep_earlier(
        [row for row, fetched in pairs if fetched.packed is not None], of=_digests(pairs)
    )
    for row, fetched in pairs:
        if fetched.history is not None:
            _take(row, fetched, fetched.history)
        elif fetched.error is not None:
            _note(row, fetched.error, now)
        row.updated_at = now
    save_runs([row for row, _ in pairs], _FIELDS)
    stored = [row.pk for row, fetched in pairs if fetched.packed is not None]
    JobDocument.objects.filter(run__in=stored, body__isnull=False).delete()


_FIELDS: Final = (
    *("history_due", "history_through", "history_tries", "history_error", "history_not_before"),
    *("archive", "archive_path", "archive_media", "archive_sha256", "archive_bytes", "updated_at"),
)


def _digests(pairs: Sequence[tuple[JobRun, Fetched]]) -> dict[int, str]:
    return {row.pk: fetched.packed.sha256 for row, fetched in pairs if fetched.packed is not None}


def _take(row: JobRun, fetched: Fetched, history: History) -> None:
    row.history_through = max([row.history_through, *(event.seq for event in history.events)])
    row.history_tries, row.history_error, row.history_not_before = 0, "", None
    # What came while this was fetched is fetched next time.
    row.history_due = row.history_due and row.revision != _revision(fetched, history)
    if fetched.packed is not None and row.archive == ArchiveState.DUE:
        for column, value in archive.stored_columns(fetched.packed, fetched.path).items():
            setattr(row, column, value)


def _revision(fetched: Fetched, history: History) -> str:
    return history.run.revision if history.run is not None else fetched.wanted.ref.revision


def _note(row: JobRun, error: ExternalError, now: datetime) -> None:
    row.history_error = clean(error.message)[:500]
    if isinstance(error, _AWAY):
        return  # not this run's fault: it stays due
    row.history_tries = min(row.history_tries + 1, 30)
    if isinstance(error, NotFound) or (not error.retryable and row.history_tries >= _TRIES):
        row.history_due = False
        if row.archive == ArchiveState.DUE and not _waits(row):
            row.archive = ArchiveState.UNAVAILABLE
        return
    row.history_not_before = now + archive.retry_delay(row.history_tries)


_AWAY: Final = (Unreachable, Throttled)


def _waits(row: JobRun) -> bool:
    return row.documents.filter(body__isnull=False).exists()


def _give_up_on_engine(batch: Sequence[Fetched]) -> None:
    """When nothing of a batch came because the engine is away, the rest would not come either."""
    errors = [fetched.error for fetched in batch if fetched.error is not None]
    if len(errors) == len(batch) and isinstance(errors[0], _AWAY):
        raise errors[0]
