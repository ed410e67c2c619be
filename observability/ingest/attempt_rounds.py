"""In which round of attempts an event is, by those that are stored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from django.db.models import Max

from console.chunks import chunks
from observability.engines.contracts import AttemptRound, RunEvent
from observability.ingest.rules.attempt_rounds import LATER, in_rounds, key_in, round_of
from observability.jobs.models import JobEvent, JobRun

_STEPS: Final = 100
"""Steps in one statement: each names all keys of all of their rounds."""


def with_rounds(run: JobRun, events: Sequence[RunEvent]) -> Sequence[RunEvent]:
    """The events of a run with the keys under which they are, or are to be, stored."""
    counted = [event for event in events if event.attempt_round is not AttemptRound.NONE]
    newest: dict[int, int] = {}
    stored: dict[tuple[int, str], datetime] = {}
    for steps in chunks(sorted({event.seq for event in counted}), _STEPS):
        rows = JobEvent.objects.filter(run=run, seq__in=steps)
        later = rows.filter(key__startswith=LATER).values_list("seq").annotate(last=Max("key"))
        newest.update({seq: round_of(key) for seq, key in later.order_by()})
        rounds = range(max(newest.values(), default=0) + 1)
        own = {event.key for event in counted if event.seq in set(steps)}
        for keys in chunks(sorted(key_in(number, key) for key in own for number in rounds)):
            some = rows.filter(key__in=keys).values_list("seq", "key", "at")
            stored.update({(seq, key): at for seq, key, at in some})
    return list(in_rounds(events, newest, stored)) if counted else events
