"""Runs with very many events: those in the middle become one line.

A task that polls is tried again every second for days, one that trains says a thousand times how
far it is. What an engine keeps of its own is not touched; this is for those that keep nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from django.db.models import Max, Min

from console.chunks import chunks
from observability.engines.contracts import LONGEST_TITLE, EventKind
from observability.jobs.models import JobEvent, JobRun

FOLDED: Final = "folded"
"""The key of the line."""
FIRST: Final = 100
"""Events that stay from the beginning, so that it can be read how it began."""


def fold_events(runs: Iterable[JobRun], *, most: int, now: datetime) -> None:
    """Folds those of these runs that have more than `most` events, inside the caller's
    transaction. Half of them stay."""
    for run in runs:
        if run.event_count > most:
            _fold(run, keep=most // 2)
            count = JobEvent.objects.filter(run=run).count()
            JobRun.objects.filter(pk=run.pk).update(event_count=count, updated_at=now)
            run.event_count = count


def _fold(run: JobRun, *, keep: int) -> None:
    events = JobEvent.objects.filter(run=run)
    before = events.filter(key=FOLDED).first()
    listed = events.exclude(key=FOLDED)
    first = listed.order_by("seq", "key").values_list("seq", flat=True)[min(FIRST, keep // 2)]
    last = listed.order_by("-seq", "-key").values_list("seq", flat=True)[keep - FIRST // 2]
    middle = listed.filter(seq__gte=first, seq__lte=last)
    about: dict[str, Any] = middle.aggregate(
        seq=Max("seq"), since=Min("at"), until=Max("at"), low=Min("attempt"), high=Max("attempt")
    )
    if about["seq"] is None:
        return
    number = 0
    for chunk in chunks(list(middle.values_list("pk", flat=True))):
        number += JobEvent.objects.filter(pk__in=chunk).delete()[0]
    earlier = before.detail if before is not None else {}
    number += _whole(earlier.get("events"))
    low = min(filter(None, (about["low"], _whole(earlier.get("first_attempt")))), default=0)
    since = before.at if before is not None else about["since"]
    if before is not None:
        before.delete()
    _insert(run, about, number=number, low=low, since=since)


def _insert(run: JobRun, about: dict[str, Any], *, number: int, low: int, since: datetime) -> None:
    until, high = about["until"], about["high"]
    tries = f", attempts {low:,} to {high:,}" if high > low else ""
    JobEvent.objects.create(
        run=run,
        seq=about["seq"],
        key=FOLDED,
        at=min(since, about["since"]),
        kind=EventKind.NOTE,
        title=f"{number:,} events are folded here{tries}, until {until:%Y-%m-%d %H:%M:%S} UTC"[
            :LONGEST_TITLE
        ],
        detail={"events": number, "first_attempt": low, "last_attempt": high},
    )


def _whole(value: Any) -> int:
    return value if isinstance(value, int) else 0
