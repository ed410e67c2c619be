"""Celery: reads the task events of one broker and gives what they say, page by page.

The broker keeps them in a queue of ours while nobody reads, within bounds; what it could not keep
is given as a gap, and the runs that were open then are told. There is no history to fetch.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from operator import itemgetter
from typing import Any, Final
from uuid import uuid4

import structlog

from console.clients.celery.client import CeleryClient
from console.clients.celery.control import MOST_WORKERS, Control
from console.clients.celery.kept_events import PREFIX
from console.clients.celery.records import EventBatch, Outage, UnreadableEvent
from console.errors import ExternalError, NotFound
from console.unstructured import text, whole
from observability.engines.celery.clocks import Clocks
from observability.engines.celery.events import moment
from observability.engines.celery.gaps import gap_notes, pages
from observability.engines.celery.runs import Fold
from observability.engines.celery.silence import Silences
from observability.engines.celery.workers import MOST_HELD, WorkerRegistry
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
from tenants.contracts import PlacementRef, TargetRef, Unreadable

BATCH: Final = 10_000
WITHIN: Final = 1.0
SIGN_OF_LIFE: Final = 5.0
"""Seconds after which a page without runs says that we still listen."""
MOST_ADOPTED: Final = 20_000
"""Open runs that a new process takes up."""
_LONGEST: Final = 200

log = structlog.get_logger(__name__)


class CelerySource:
    """Meets observability.engines.ports.EngineSource, and KeptEvents."""

    engine = Engine.CELERY

    def __init__(self) -> None:
        """What is remembered of each target's workers and tasks only spares asking again."""
        self._memories: dict[int, _Memory] = {}

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
        """What happened since the cursor, until nothing came for `wait` seconds. The cursor says
        until when everything was heard (`at`, in microseconds), what the broker calls our queue
        (`queue`), how far that was read (`position`), and which clocks are off (`clocks`)."""
        del placements, now
        memory = self._memories.get(target.id)
        if memory is None:
            memory = self._memories[target.id] = _Memory.of(target, cursor)
        return _Reading(target, client_for(target), dict(cursor), known, memory).pages(wait)

    def history(self, *, target: TargetRef, run: RunRef, after: int) -> History:
        """Celery keeps none: what we have are the events that we heard. Raises NotFound."""
        del target, after
        raise NotFound(f"Celery keeps no history of task {run.external_id}")

    def stand_by(self, *, target: TargetRef, cursor: Mapping[str, Any]) -> None:
        """Has the events kept by this process, too."""
        self._memories.pop(target.id, None)
        if queue := queue_in(cursor):
            client_for(target).events().keep(queue)

    def forget(self, *, target: TargetRef, cursor: Mapping[str, Any]) -> None:
        """Has the broker keep nothing any more."""
        self._memories.pop(target.id, None)
        events = client_for(target).events()
        if queue := queue_in(cursor) or events.queue:
            events.delete(queue)


def queue_in(cursor: Mapping[str, Any]) -> str:
    """What the broker calls our queue; empty where there is none yet."""
    queue = text(cursor.get("queue"), _LONGEST)
    return queue if queue.startswith(PREFIX) else ""


@dataclass(slots=True)
class _Memory:
    """What is known of the workers and tasks of a target: it goes on where the last reader of this
    process stopped."""

    fold: Fold
    workers: WorkerRegistry
    silences: Silences
    clocks: Clocks
    began: bool = False
    forgotten: int = 0
    """Of workers, how many it was told of."""

    @classmethod
    def of(cls, target: TargetRef, cursor: Mapping[str, Any]) -> _Memory:
        """Of a process that begins."""
        workers = WorkerRegistry()
        fold = Fold(app_name(target), runs_on=workers.runs_on)
        return cls(fold, workers, Silences(workers, fold), Clocks(cursor.get("clocks")))


@dataclass(slots=True)
class _Reading:
    """One call of `changes`."""

    target: TargetRef
    client: CeleryClient
    cursor: dict[str, Any]
    known: KnownRuns
    memory: _Memory
    sweep: bool = False

    def pages(self, wait: float) -> Iterator[ChangePage]:
        """Pages until nothing came for `wait` seconds."""
        active = last_page = time.monotonic()
        first = not self.memory.began
        queue = queue_in(self.cursor) or f"{PREFIX}{uuid4().hex}"
        events = self.client.events()
        stream = events.batches(
            queue=queue,
            position=text(self.cursor.get("position"), _LONGEST),
            at_us=whole(self.cursor.get("at")) or 0,
            most=BATCH,
            within=min(WITHIN, max(wait, 0.05)),
        )
        self.cursor["queue"] = queue
        with closing(stream) as batches:
            for batch in batches:
                if not self.memory.began:
                    self._begin(batch)
                yield from self._gaps(batch.outages)
                runs = self._runs(batch)
                unreadable = self._unreadable(batch.unreadable)
                clock = time.monotonic()
                over = not runs and clock - active >= wait
                if runs or unreadable or first or over or clock - last_page > SIGN_OF_LIFE:
                    last_page = clock
                    yield self._page(runs, batch, unreadable)
                    events.stored(batch.position)  # whoever takes the next page has stored it
                first = False
                if runs or not batch.caught_up:
                    active = time.monotonic()
                elif over:
                    return

    def _page(
        self, runs: Sequence[RunSnapshot], batch: EventBatch, unreadable: Sequence[Unreadable]
    ) -> ChangePage:
        at = max(batch.at_us, whole(self.cursor.get("at")) or 0)
        self.cursor |= {
            "at": at, "position": batch.position, "clocks": self.memory.clocks.stored(),
        }  # fmt: skip
        sweep, self.sweep = self.sweep, False
        return ChangePage(
            runs=tuple(runs),
            cursor=dict(self.cursor),
            through=moment(at),
            caught_up=batch.caught_up,
            sweep=sweep,
            unreadable=tuple(unreadable),
        )

    # -- what came ----------------------------------------------------------------------------

    def _runs(self, batch: EventBatch) -> list[RunSnapshot]:
        memory = self.memory
        events = memory.clocks.corrected(batch.events)
        if events:
            batch = EventBatch(tuple(events), batch.at_us, batch.position, batch.caught_up)
            memory.workers.take(batch)
        self._ask_queues(batch.at_us)
        runs = [memory.clocks.annotated(run) for run in memory.fold.runs(events, self.known)]
        runs += memory.silences.twice(memory.workers.twice())
        if batch.caught_up and (suspects := memory.workers.suspects(batch.at_us)):
            runs += self._ask_tasks(suspects, batch.at_us)
        if batch.caught_up:
            runs += memory.silences.given_up(self.known, batch.at_us)
        return runs

    def _unreadable(self, events: Sequence[UnreadableEvent]) -> list[Unreadable]:
        fold = self.memory.fold
        return [
            *self._forgotten(),
            *(
                Unreadable(
                    kind="task event",
                    location=fold.queues.get(event.hostname) or fold.location,
                    name=event.uuid or event.hostname,
                    problem=f"{event.type}: {event.problem}" if event.type else event.problem,
                )
                for event in events
            ),
        ]

    def _forgotten(self) -> Iterator[Unreadable]:
        """Says that there are more workers than are watched."""
        number = self.memory.workers.forgotten
        if number != self.memory.forgotten:
            self.memory.forgotten = number
            yield Unreadable(
                kind="worker",
                location=self.memory.fold.location,
                name="",
                problem=f"{number:,} node names were forgotten, those heard of longest ago first:"
                f" no more than {MOST_WORKERS:,} workers with {MOST_HELD:,} tasks are watched for"
                " silence",
            )

    # -- what did not -------------------------------------------------------------------------

    def _begin(self, batch: EventBatch) -> None:
        """What a new process does not know: the runs that are open, those of which something was
        told longest ago first, and the workers' queues."""
        memory = self.memory
        memory.began = True
        adopted = [
            (memory.fold.adopt(run), run) for run in islice(self.known.open_runs(), MOST_ADOPTED)
        ]
        for told_us, run in sorted(adopted, key=itemgetter(0)):
            memory.workers.adopt(run, told_us, batch.at_us)
        self._learn_queues(None, batch.at_us)
        self.sweep = True

    def _gaps(self, outages: Sequence[Outage]) -> Iterator[ChangePage]:
        for outage in outages:
            gap = TrailGap(moment(outage.from_us), moment(outage.to_us), outage.cause[:300])
            self.sweep = True
            # The cursor stays where it was until the runs were told: who stops tells again.
            gaps: tuple[TrailGap, ...] = (gap,)
            for runs in pages(gap_notes(self.known.open_runs(), gap)):
                yield self._aside(runs, gaps)
                gaps = ()
            if gaps:
                yield self._aside((), gaps)
            self.memory.silences.unread_until_us = outage.to_us
            self.memory.workers.unheard(outage.to_us)

    def _aside(self, runs: Sequence[RunSnapshot], gaps: tuple[TrailGap, ...]) -> ChangePage:
        sweep, self.sweep = self.sweep, False
        return ChangePage(runs=tuple(runs), cursor=dict(self.cursor), gaps=gaps, sweep=sweep)

    # -- asking workers -----------------------------------------------------------------------

    def _ask_tasks(self, hosts: Sequence[str], now_us: int) -> list[RunSnapshot]:
        def ask(control: Control) -> list[RunSnapshot]:
            answers = control.tasks_by_worker(to=sorted(control.count(to=hosts)))
            return self.memory.silences.conclude(hosts, answers, self.known, now_us)

        return self._asked(ask) or []

    def _ask_queues(self, now_us: int) -> None:
        """A worker that came online: which queue is its own? And its limits are to be set again,
        which can be done from the moment that it answers."""
        due = self.memory.workers.to_ask(now_us)
        if due and (answered := self._learn_queues(due, now_us)):
            self.memory.workers.answered(answered)
            self.sweep = True

    def _learn_queues(self, hosts: Sequence[str] | None, now_us: int) -> list[str]:
        def ask(control: Control) -> list[str]:
            queues_by_host = control.active_queues(to=hosts)
            stats = control.stats(to=sorted(queues_by_host))
            self.memory.workers.learn(queues_by_host, stats, now_us)
            for host, queues in queues_by_host.items():
                self.memory.fold.learn_queue(host, queues[0] if len(queues) == 1 else "")
            return list(queues_by_host)

        return self._asked(ask) or []

    def _asked(self, ask: Any) -> Any:
        """What the workers answer; None where the broker is away."""
        try:
            with self.client.control() as control:
                return ask(control)
        except ExternalError as error:
            log.warning("celery.unasked", target=self.target.slug, error=error.message)
            return None
