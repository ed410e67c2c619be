"""In which round of attempts events are, by those that are stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from django.db.models import Max

from console.chunks import chunks
from observability.engines.contracts import AttemptRound, RunEvent
from observability.ingest.rules.attempt_rounds import LATER, in_rounds, key_in, round_of
from observability.jobs.models import JobEvent, JobRun

_RUNS: Final = 100
_STEPS: Final = 100
_KEYS: Final = 600
"""What one statement names of each."""
Events = Sequence[RunEvent]


@dataclass(slots=True)
class _Rounds:
    """What is stored of the attempts of a run: the newest round of each step, and when events were,
    by step and key."""

    newest: dict[int, int] = field(default_factory=dict)
    stored: dict[tuple[int, str], datetime] = field(default_factory=dict)


def with_rounds(pairs: Sequence[tuple[JobRun, Events]]) -> Iterator[tuple[JobRun, Events]]:
    """Runs with their events under the keys under which these are, or are to be, stored; in as many
    queries for many runs as for few."""
    counted = {run.pk: _counted(events) for run, events in pairs}
    known = {pk: _Rounds() for pk, events in counted.items() if events}
    for runs in chunks(sorted(known), _RUNS):
        _read({pk: counted[pk] for pk in runs}, known)
    for run, events in pairs:
        rounds = known.get(run.pk)
        yield run, list(in_rounds(events, rounds.newest, rounds.stored)) if rounds else events


def _counted(events: Events) -> Events:
    return [event for event in events if event.attempt_round is not AttemptRound.NONE]


def _read(counted: Mapping[int, Events], known: Mapping[int, _Rounds]) -> None:
    keys: dict[int, set[str]] = {}
    for event in (event for events in counted.values() for event in events):
        keys.setdefault(event.seq, set()).add(event.key)
    for steps in chunks(sorted(keys), _STEPS):
        rows = JobEvent.objects.filter(run__in=counted, seq__in=steps)
        later = rows.filter(key__startswith=LATER).values_list("run_id", "seq")
        newest = 0
        for pk, seq, last in later.annotate(last=Max("key")).order_by():
            known[pk].newest[seq] = round_of(last)
            newest = max(newest, round_of(last))
        of_steps = set[str]().union(*(keys[seq] for seq in steps))
        of_rounds = sorted(key_in(number, key) for key in of_steps for number in range(newest + 1))
        for some in chunks(of_rounds, _KEYS):
            times = rows.filter(key__in=some).values_list("run_id", "seq", "key", "at")
            for pk, seq, key, at in times:
                known[pk].stored[seq, key] = at
