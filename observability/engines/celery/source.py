"""Celery: listens to the task events of one broker and gives what they say, page by page.

A broker keeps no events for those who are away: whenever we come back after an absence, the time in
between is given as a gap, and the runs that were open then are told. There is no history to fetch.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import structlog

from console.clients.celery.client import CeleryClient
from console.clients.celery.records import EventBatch
from console.errors import ExternalError, NotFound
from observability.engines.celery.events import moment
from observability.engines.celery.gaps import (
    ended_unseen,
    gap_notes,
    pages,
    silenced,
)
from observability.engines.celery.runs import Fold
from observability.engines.celery.workers import SILENT_AFTER, WorkerRegistry
from observability.engines.contracts import (
    ChangePage,
    Engine,
    History,
    RunRef,
    RunSnapshot,
    TrailGap,
)
from observability.engines.ports import KnownRuns
from tenants.adapters.celery import app_name, client_for
from tenants.contracts import PlacementRef, TargetRef

BATCH: Final = 10_000
WITHIN: Final = 0.5
SIGN_OF_LIFE: Final = 5.0
"""Seconds after which a page without runs says that we still listen."""
MOST_REPORTED: Final = 20_000
"""So many ids of reported runs are remembered of each target."""

log = structlog.get_logger(__name__)


class CelerySource:
    """Meets observability.engines.ports.EngineSource."""

    engine = Engine.CELERY

    def __init__(self) -> None:
        """What is remembered of each target's workers and tasks only spares asking again."""
        self._memories: dict[int, _ReaderState] = {}

    def changes(
        self,
        *,
        target: TargetRef,
        placements: Sequence[PlacementRef],
        cursor: Mapping[str, Any],
        known: KnownRuns,
        now: datetime,
        wait: float,
    ) -> Iterator[ChangePage]:
        """What happens from now on, until nothing came for `wait` seconds. The cursor says when we
        listened last (`at`, in microseconds)."""
        del placements, now
        memory = self._memories.setdefault(target.id, _ReaderState(Fold(app_name(target))))
        reading = _Reading(target, client_for(target), dict(cursor), known, memory)
        try:
            yield from reading.pages(wait)
        except Exception:
            memory.at_us = 0  # what was read just now may never be stored: a gap
            raise

    def history(self, *, target: TargetRef, run: RunRef, after: int) -> History:
        """Celery keeps none: what we have are the events that we heard. Raises NotFound."""
        del target, after
        raise NotFound(f"Celery keeps no history of task {run.external_id}")


@dataclass(slots=True)
class _ReaderState:
    """What one subscription has told: it goes on where the last reader of this process stopped.
    `at_us` is the time of the last page that was given."""

    fold: Fold
    workers: WorkerRegistry = field(default_factory=WorkerRegistry)
    reported: OrderedDict[str, None] = field(default_factory=OrderedDict)
    since_us: int = 0
    at_us: int = 0
    recheck_at_us: int | None = None


@dataclass(slots=True)
class _Reading:
    """One call of `changes`."""

    target: TargetRef
    client: CeleryClient
    cursor: dict[str, Any]
    known: KnownRuns
    memory: _ReaderState
    sweep: bool = False

    def pages(self, wait: float) -> Iterator[ChangePage]:
        """Pages until nothing came for `wait` seconds."""
        active = last_page = time.monotonic()
        first = True
        stream = self.client.events().batches(most=BATCH, within=min(WITHIN, max(wait, 0.05)))
        with closing(stream) as batches:
            for batch in batches:
                if first:
                    yield from self._begin(batch)
                yield from self._lost_time(batch)
                runs = self._runs(batch)
                clock = time.monotonic()
                if runs or first or self.sweep or clock - last_page > SIGN_OF_LIFE:
                    last_page = clock
                    yield self._page(runs, batch.at_us)
                yield from self._ended_in_gap(batch.at_us)
                first = False
                if runs:
                    active = time.monotonic()
                elif clock - active >= wait:
                    return

    # -- pages --------------------------------------------------------------------------------

    def _page(
        self, runs: Sequence[RunSnapshot], at_us: int, gaps: tuple[TrailGap, ...] = ()
    ) -> ChangePage:
        self.cursor["at"] = max(at_us, int(self.cursor.get("at") or 0))
        self.memory.at_us = self.cursor["at"]
        sweep, self.sweep = self.sweep, False
        return ChangePage(
            runs=tuple(runs),
            cursor=dict(self.cursor),
            through=moment(self.cursor["at"]),
            caught_up=True,
            gaps=gaps,
            sweep=sweep,
        )

    def _runs(self, batch: EventBatch) -> list[RunSnapshot]:
        self.memory.workers.take(batch)
        self._ask_queues(batch.at_us)
        runs = self.memory.fold.runs(batch.events, self.known)
        for run in runs:
            self.memory.reported[run.external_id] = None
        while len(self.memory.reported) > MOST_REPORTED:
            self.memory.reported.popitem(last=False)
        runs += [
            silenced(lost, self.memory.fold.attempt_of(lost.uuid), self.memory.fold.location)
            for lost in self.memory.workers.silent(batch.at_us)
        ]
        if batch.strange:
            log.warning("celery.strange", target=self.target.slug, messages=batch.strange)
        return runs

    # -- gaps ---------------------------------------------------------------------------------

    def _begin(self, batch: EventBatch) -> Iterator[ChangePage]:
        """The time since the last reader, unless its subscription is still the one we read and the
        last page that it was given is stored."""
        before, memory = int(self.cursor.get("at") or 0), self.memory
        same = memory.since_us == batch.since_us or batch.outage is not None
        memory.since_us = batch.since_us
        if same and memory.at_us == before:
            return  # what an outage took is told as such
        self._learn_queues(None)
        self.sweep = True
        until = batch.at_us if memory.at_us != before else batch.since_us
        if before:
            cause = "The broker's events were not being read"
            yield from self._gap(before, max(before, until), cause)

    def _lost_time(self, batch: EventBatch) -> Iterator[ChangePage]:
        outage = batch.outage
        if outage is None:
            return
        self.memory.since_us = batch.since_us
        self.sweep = True
        yield from self._gap(outage.from_us, max(outage.to_us, outage.from_us), outage.cause)

    def _gap(self, from_us: int, to_us: int, cause: str) -> Iterator[ChangePage]:
        gap = TrailGap(moment(from_us), moment(to_us), cause[:300])
        # The cursor stays where it was until the runs were told: who stops in between tells again.
        gaps: tuple[TrailGap, ...] = (gap,)
        for runs in pages(gap_notes(self.known.open_runs(), gap)):
            yield self._page(runs, int(self.cursor.get("at") or from_us), gaps)
            gaps = ()
        if gaps:
            yield self._page((), to_us, gaps)
        self.memory.recheck_at_us = to_us + SILENT_AFTER

    def _ended_in_gap(self, now_us: int) -> Iterator[ChangePage]:
        """Some time after a gap: what ran before it and is nowhere now has ended in it."""
        if self.memory.recheck_at_us is None or now_us < self.memory.recheck_at_us:
            return
        try:
            with self.client.control() as control:
                workers = control.ping()
                there = control.tasks(to=workers) if workers else {}
        except ExternalError as error:
            log.warning("celery.unasked", target=self.target.slug, error=error.message)
            self.memory.recheck_at_us = now_us + SILENT_AFTER
            return
        self.memory.recheck_at_us = None
        gone = ended_unseen(
            self.known.open_runs(), there, reported=self.memory.reported, at_us=now_us
        )
        for runs in pages(gone):
            yield self._page(runs, now_us)

    # -- queues -------------------------------------------------------------------------------

    def _ask_queues(self, now_us: int) -> None:
        """A worker that came online: which queue is its own? And its limits are to be set again,
        which can be done from the moment that it answers."""
        due = self.memory.workers.to_ask(now_us)
        if due and (answered := self._learn_queues(due)):
            self.memory.workers.answered(answered)
            self.sweep = True

    def _learn_queues(self, hosts: Sequence[str] | None) -> list[str]:
        try:
            with self.client.control() as control:
                queues_by_host = control.active_queues(to=hosts)
        except ExternalError as error:
            log.warning("celery.unasked", target=self.target.slug, error=error.message)
            return []
        for host, queues in queues_by_host.items():
            if len(queues) == 1:
                self.memory.fold.queues[host] = queues[0]
            else:
                self.memory.fold.queues.pop(host, None)
        return list(queues_by_host)
