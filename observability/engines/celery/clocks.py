"""Clocks that are off: how far the machines that send events are from ours. Pure but for memory.

An event is stamped by whoever sends it. It comes to us a moment later, so of a machine whose clock
is right most events are a little old when they come; of one that is an hour behind, all are an hour
old. The time of its events is corrected by that, so that what happened on several machines has one
order and no span is an hour too long. An event that comes from the future did not: it happened when
it came, at the latest.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from dataclasses import replace
from statistics import median
from typing import Final

from console.clients.celery.records import CeleryEvent
from console.unstructured import whole
from observability.engines.contracts import EventKind, RunEvent, RunSnapshot

TOLERATED: Final = 3_000_000
"""Microseconds between a clock and ours that are nobody's business: events take a while."""
STEADY: Final = 1_500_000
"""Microseconds by which events of one machine may be older or younger than others of it: a clock is
off by the same amount all the time, what was held back or is played again is not."""
LEAST: Final = 5
SPAN: Final = 10_000_000
"""A clock is off when it was in so many messages over so many microseconds: what was held back
comes at once, and is old as well."""
MOST_MACHINES: Final = 500
MOST_STORED: Final = 100


class Clocks:
    """The clocks of the machines that send events, by the part of a node name behind the @."""

    def __init__(self, stored: object = None) -> None:
        """`stored` is what an earlier reader had learnt, as `stored()` gave it."""
        self._ages: OrderedDict[str, deque[tuple[int, int]]] = OrderedDict()
        self._off: dict[str, int] = {}
        for machine, off_us in stored.items() if isinstance(stored, Mapping) else ():
            off = whole(off_us)
            if isinstance(machine, str) and off is not None and len(self._off) < MOST_STORED:
                self._off[machine] = off

    def corrected(self, events: Iterable[CeleryEvent]) -> list[CeleryEvent]:
        """The events of a batch with the times at which they happened by our clock."""
        batch = list(events)
        self._learn(batch)
        if not self._off and all(event.us <= event.heard_us + TOLERATED for event in batch):
            return batch
        return [self._correct(event) for event in batch]

    def stored(self) -> dict[str, int]:
        """Microseconds that are added to the times of the machines whose clock is off."""
        return dict(list(self._off.items())[-MOST_STORED:])

    def annotated(self, run: RunSnapshot) -> RunSnapshot:
        """A run with a note of the clock that is off of whoever sent its events; once, however
        often it is told."""
        for event in run.events if self._off else ():
            machine = _machine(event.actor)
            if machine in self._off:
                note = RunEvent(
                    key=f"clock:{machine}"[:160],
                    seq=0,
                    at=run.created_at,
                    kind=EventKind.NOTE,
                    title=f"The clock of {machine} is {described(self._off[machine])} ours"[:200],
                    message="The times of its events are corrected by that.",
                )
                return replace(run, events=(note, *run.events))
        return run

    def _learn(self, batch: Iterable[CeleryEvent]) -> None:
        ages: dict[str, list[int]] = {}
        latest: dict[str, int] = {}
        for event in batch:
            if event.heard_us and isinstance(event.stamp, int) and event.hostname:
                machine = _machine(event.hostname)
                ages.setdefault(machine, []).append(event.heard_us - event.us)
                latest[machine] = max(latest.get(machine, 0), event.heard_us)
        for machine, of_machine in ages.items():
            self._note(machine, latest[machine], round(median(of_machine)))

    def _note(self, machine: str, heard_us: int, age_us: int) -> None:
        known = self._ages.setdefault(machine, deque(maxlen=31))
        self._ages.move_to_end(machine)
        known.append((heard_us, age_us))
        while len(self._ages) > MOST_MACHINES:
            forgotten, _ = self._ages.popitem(last=False)
            self._off.pop(forgotten, None)
        if len(known) < LEAST or known[-1][0] - known[0][0] < SPAN:
            return
        ages = sorted(age for _, age in known)
        off, before = round(median(ages)), self._off.get(machine)
        if ages[-1] - ages[0] > 2 * STEADY:
            return
        if abs(off) <= (TOLERATED if before is None else STEADY):
            self._off.pop(machine, None)
        elif before is None or abs(off - before) > STEADY:
            self._off[machine] = off

    def _correct(self, event: CeleryEvent) -> CeleryEvent:
        us = event.us + self._off.get(_machine(event.hostname), 0)
        if event.heard_us and us > event.heard_us + TOLERATED:
            us = event.heard_us
        return event if us == event.us else event._replace(us=us)


def _machine(hostname: str) -> str:
    return hostname.rpartition("@")[2]


def described(off_us: int) -> str:
    """How a clock is off, for people."""
    seconds = round(abs(off_us) / 1_000_000)
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    parts = [f"{hours} h"] * bool(hours) + [f"{minutes} min"] * bool(minutes)
    parts += [f"{seconds} s"] * bool(seconds or not parts)
    return f"{' '.join(parts[:2])} {'behind' if off_us > 0 else 'ahead of'}"
