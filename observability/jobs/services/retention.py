"""Runs whose time is over go, with their events and their documents, a batch at a time."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q

from console.database.pruning import prune
from console.errors import ExternalError, Refused
from observability.jobs.models import IngestGap, JobDocument, JobEvent, JobRun
from observability.jobs.rules.retention import PLAN_KEY, cut_off, retention
from observability.jobs.services.archive import storage
from quotas.plans.effective import effective_limits
from quotas.plans.selectors import load_current
from tenants.models import Target

BATCH: Final = 200
EVENTS: Final = 20_000
"""Of the runs of one batch, as far as more than one goes at once."""
SECONDS: Final = 240.0
MOST_AWAY: Final = 3
"""Runs one after the other whose documents could not go without anybody refusing: it is away."""

log = structlog.get_logger(__name__)


def apply(*, now: datetime, seconds: float = SECONDS) -> int:
    """Removes closed runs past their retention for about so long; how many went.

    What is not done in time is done the next time. Documents go first: a row that stays behind is
    found again, an object without a row never would be. A run whose document cannot go stays, and
    is tried again the next time; those after it go.
    """
    ends = time.monotonic() + seconds
    removed = 0
    conditions = list(_expired(now))
    for left, rows in zip(range(len(conditions), 0, -1), conditions, strict=True):
        # Each its share, so that much of one target keeps no other waiting for ever.
        share = time.monotonic() + (ends - time.monotonic()) / left
        beyond, goes_on = Q(), True
        while goes_on and time.monotonic() < share:
            runs = JobRun.objects.filter(rows & beyond).order_by("closed_at", "pk")
            batch = _first_of(runs[:BATCH])
            if not batch:
                break
            number, goes_on = _remove(batch)
            removed += number
            last = batch[-1]
            beyond = Q(closed_at__gt=last.closed_at) | Q(closed_at=last.closed_at, pk__gt=last.pk)
    if removed:
        log.info("retention.removed", runs=removed)
    return removed


def prune_gaps(now: datetime, until: float) -> int:
    """Gaps that ended long ago; kept for as long as runs of that time may be there by default."""
    days = max(settings.GAP_RETENTION_DAYS, settings.JOB_RETENTION_DAYS)
    return prune(IngestGap.objects.filter(ends_at__lt=now - timedelta(days=days)), until=until)


def _first_of(runs: Iterable[JobRun]) -> list[JobRun]:
    """The first of them, so that nobody waits long for the transaction that removes them."""
    batch, events = list[JobRun](), 0
    for run in runs:
        events += run.event_count
        if batch and events > EVENTS:
            break
        batch.append(run)
    return batch


class Expiry:
    """When runs of one target are too old to be kept. Read once, when first asked."""

    def __init__(self, target: Target) -> None:
        """Nothing is read yet."""
        self._target = target
        self._plans: dict[int, int | None] | None = None

    def over(self, *, tenant_id: int | None, closed_at: datetime, now: datetime) -> bool:
        """Whether a run that ended then would be removed again at once."""
        if self._plans is None:
            self._plans = _plans(now)
        plan = {}
        if tenant_id is not None and tenant_id in self._plans:
            plan = {PLAN_KEY: self._plans[tenant_id]}
        before = _cut_off(plan, self._target, now)
        return before is not None and closed_at < before


def _expired(now: datetime) -> Iterator[Q]:
    """Conditions that together cover every run whose time is over. Tenants are few or ten thousand,
    but plans say few different times: a condition for each."""
    alike: dict[int | None, list[int]] = defaultdict(list)
    for tenant_id, seconds in _plans(now).items():
        alike[seconds].append(tenant_id)
    rest = Q(tenant__isnull=True) | ~Q(tenant__in=[pk for ids in alike.values() for pk in ids])
    for target in Target.objects.order_by("pk"):
        if (before := _cut_off({}, target, now)) is not None:
            yield rest & Q(target=target, closed_at__lt=before)
        for seconds, tenant_ids in alike.items():
            if (before := _cut_off({PLAN_KEY: seconds}, target, now)) is not None:
                yield Q(target=target, tenant__in=tenant_ids, closed_at__lt=before)


def _cut_off(plan: Mapping[str, int | None], target: Target, now: datetime) -> datetime | None:
    days = settings.JOB_RETENTION_DAYS
    return cut_off(retention(plan=plan, options=target.options, days=days), now)


def _plans(now: datetime) -> dict[int, int | None]:
    """Of tenants whose plan says how long: that in seconds (None: for ever), by id."""
    retention_seconds: dict[int, int | None] = {}
    for pk, history in load_current(None, now).items():
        limits = effective_limits(history, now)
        if limits is not None and PLAN_KEY in limits.limits:
            retention_seconds[pk] = limits.limits[PLAN_KEY].value
    return retention_seconds


def _remove(batch: Sequence[JobRun]) -> tuple[int, bool]:
    """Removes runs with all that belongs to them, but for those whose documents cannot go: how many
    went, and whether there is any use in trying others."""
    kept = JobDocument.objects.filter(run__in=[run.pk for run in batch]).exclude(path="")
    paths: dict[int, list[str]] = defaultdict(list)
    for pk, path in kept.values_list("run_id", "path"):
        paths[pk].append(path)
    for run in batch:
        if run.archive_path:
            paths[run.pk].append(run.archive_path)
    stay, is_away = _delete_documents(paths)
    ids = [run.pk for run in batch if run.pk not in stay]
    with transaction.atomic():
        JobEvent.objects.filter(run__in=ids).delete()
        JobRun.objects.filter(pk__in=ids).delete()
    return len(ids), not is_away


def _delete_documents(paths: Mapping[int, list[str]]) -> tuple[set[int], bool]:
    """Deletes the documents of runs, by id: those that still have some, and whether that is because
    the object storage is away. One that may not be deleted (a legal hold) keeps no other there."""
    if not paths:
        return set(), False
    try:
        storage().delete([path for some in paths.values() for path in some])
        return set(), False
    except ExternalError as error:
        log.warning("archive.away", error=error.message)
    stay, away = set(paths), 0
    for pk, some in paths.items():
        try:
            storage().delete(some)
            stay.remove(pk)
            away = 0
        except Refused as error:
            log.warning("archive.refused", run=pk, error=error.message)
        except ExternalError:
            away += 1
            if away == MOST_AWAY:
                return stay, True
    return stay, False
