"""One replica reads one target: changes page by page, then what is due of histories and documents.

Every step is stored with its cursor in one transaction, and every step may be done again: stopping
at any point neither loses nor doubles anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

import structlog
from django.utils import timezone

from console.celery import enqueue
from console.errors import ExternalError
from observability.engines.contracts import ChangePage
from observability.engines.registry import source_for
from observability.ingest.claims import ClaimLost
from observability.ingest.context import IngestContext, StoredRuns, context_for
from observability.ingest.histories import any_due, fetch_due
from observability.ingest.pages import store_page
from observability.jobs.models import IngestState
from observability.jobs.services.archive_due import archive_documents, is_any_due
from tenants.models import Target

SWEEP: Final = "quotas.enforcement.tasks.sweep_target"
WAIT: Final = 5.0
"""Seconds that a source waits for news before the histories and the settings are looked at."""
IDLE_WAIT: Final = 20.0
"""The same after a pass that brought nothing."""
TURN: Final = 30.0
"""Seconds of a stream that never pauses, after which settings and placements are read again."""
HISTORIES: Final = 10.0
"""Seconds for histories between two pages."""
DOCUMENTS: Final = 1.0
"""Seconds for documents that are due, at most once in EVERY seconds."""
EVERY: Final = 3.0
IDLE_EVERY: Final = 10.0
"""The same while there are none and nothing comes."""
QUIET_PAGES: Final = 5.0
"""Seconds between two pages that are stored though they only say that nothing has happened."""
MANY: Final = 500
"""Runs in a page that say that there is more to read: documents wait then, for LATEST seconds."""
LATEST: Final = 30.0
NEVER: Final = float("-inf")

_idle: dict[int, bool] = {}
"""By target: whether its last pass brought nothing."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Read:
    """What a pass did. `caught_up`: the stream had nothing more, or said so with its last page."""

    pages: int = 0
    runs: int = 0
    events: int = 0
    histories: int = 0
    documents: int = 0
    caught_up: bool = False
    quiet_at: float = NEVER


def read_target(
    target_id: int,
    *,
    token: str,
    going: Callable[[], bool] = lambda: True,
    wait: float | None = None,
) -> Read:
    """Reads a target until it has caught up and nothing came for `wait` seconds.

    `token` is that of a claim that is held; `going` says whether to go on, and is asked between any
    two steps. Raises ExternalError when the engine cannot be used, ClaimLost when another replica
    has the target.
    """
    done = Read()
    target = Target.objects.filter(pk=target_id, enabled=True).first()
    source = source_for(target.kind) if target is not None else None
    if target is None or source is None:
        return done
    context = context_for(target=target, source=source, token=token, going=going)
    state = IngestState.objects.get(target_id=target_id)
    _changes(context, state.cursor, _patience(context, wait), done)
    _idle[target_id] = not (done.runs or done.events)
    if going():
        done.histories += fetch_due(context, seconds=HISTORIES)
        done.documents += _documents(context, seconds=HISTORIES)
    return done


def catch_up(target_id: int, *, token: str, going: Callable[[], bool]) -> None:
    """Reads a target until it has caught up, and until of what is due in histories and documents
    nothing is left that can be had now. Raises as `read_target` does."""
    while going():
        done = read_target(target_id, token=token, going=going, wait=0.0)
        fetching = done.histories and any_due(target_id, timezone.now())
        storing = done.documents and is_any_due(now=timezone.now(), target_id=target_id)
        if done.caught_up and not fetching and not storing:
            return
    raise ClaimLost(f"target {target_id}")


def _patience(context: IngestContext, wait: float | None) -> float:
    if wait is not None:
        return wait
    if any_due(context.target.id, timezone.now()):
        return 0.0
    return IDLE_WAIT if _idle.get(context.target.id) else WAIT


def _changes(context: IngestContext, cursor: dict[str, Any], wait: float, done: Read) -> None:
    pages = context.source.changes(
        target=context.target,
        placements=context.placements,
        cursor=cursor,
        known=StoredRuns(context.target.id),
        now=timezone.now(),
        wait=wait,
    )
    ends = time.monotonic() + TURN
    documents = time.monotonic() + (IDLE_EVERY if _idle.get(context.target.id) else EVERY)
    # Generators are told that nobody listens any more, so that they hang up.
    with closing(cast("Any", pages)):
        for page in pages:
            _take(context, page, done)
            if page.runs:
                documents = min(documents, time.monotonic() + EVERY)
            late = LATEST if len(page.runs) >= MANY else 0.0
            if context.going() and time.monotonic() >= documents + late:
                archived = _documents(context, seconds=DOCUMENTS)
                done.documents += archived
                busy = archived or done.runs
                documents = time.monotonic() + (EVERY if busy else IDLE_EVERY)
            if not context.going() or time.monotonic() >= ends:
                done.caught_up = page.caught_up
                return
    done.caught_up = True


def _take(context: IngestContext, page: ChangePage, done: Read) -> None:
    quiet = _says_nothing(page)
    if quiet and time.monotonic() < done.quiet_at + QUIET_PAGES:
        return  # the next one says it, too; what it would move on is read again until then
    done.quiet_at = time.monotonic() if quiet else NEVER
    done.events += store_page(context, page, now=timezone.now())
    done.pages += 1
    done.runs += len(page.runs)
    if page.sweep:
        enqueue(SWEEP, context.target.id, force=True)
    if context.going() and any(run.needs_history for run in page.runs):
        done.histories += fetch_due(context, seconds=HISTORIES)


def _says_nothing(page: ChangePage) -> bool:
    return page.caught_up and not (page.runs or page.gaps or page.sweep or page.unreadable)


def _documents(context: IngestContext, *, seconds: float) -> int:
    try:
        return archive_documents(now=timezone.now(), target_id=context.target.id, seconds=seconds)
    except ExternalError as error:
        # The engine is well: go on reading it. What was not stored is still due.
        log.warning("archive.away", target=context.target.slug, error=error.message)
        return 0


def note_error(target_id: int, *, token: str, message: str, now: datetime) -> None:
    """Says on the target's stream why it is not read, and since when."""
    mine = IngestState.objects.filter(target_id=target_id, claim=token)
    mine.update(error=message[:500], caught_up=False)
    mine.filter(error_since__isnull=True).update(error_since=now)
