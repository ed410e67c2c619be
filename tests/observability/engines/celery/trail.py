"""What a reader does with events and answers: times are by our own clock, in seconds after NOW; the
events' own times do not matter here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from console.clients.celery.records import (
    CeleryEvent,
    EventBatch,
    TaskOnWorker,
    TasksOfWorker,
    WorkerStats,
)
from observability.engines.celery.events import microseconds
from observability.engines.celery.runs import REMEMBERED, Fold
from observability.engines.celery.silence import Silences
from observability.engines.celery.workers import WorkerRegistry
from observability.engines.contracts import SITUATION
from tests.observability.engines.celery.event_listener import NOW, Rows, event, received

HOST = "w1@test"
START = microseconds(NOW)


@dataclass
class Trail:
    """What a reader does with what it hears and what workers answer."""

    rows: Rows = field(default_factory=Rows)
    workers: WorkerRegistry = field(default_factory=WorkerRegistry)
    remembered: int = REMEMBERED

    def __post_init__(self) -> None:
        self.fold = Fold("sample", remembered=self.remembered, runs_on=self.workers.runs_on)
        self.silences = Silences(self.workers, self.fold)

    def hear(
        self, after: float, *kinds: str, uuid: str = "u1", host: str = HOST, **more: Any
    ) -> None:
        """Events that come now."""
        self.take(after, *(self._event(kind, after, uuid, host, more) for kind in kinds))

    @staticmethod
    def _event(kind: str, after: float, uuid: str, host: str, more: dict[str, Any]) -> CeleryEvent:
        made = received(after, uuid=uuid, host=host, **more)
        if kind != "task-received":
            made = event(kind, after, uuid if kind.startswith("task-") else "", host, **more)
        return made._replace(us=START + round(after * 1e6), heard_us=START + round(after * 1e6))

    def take(self, after: float, *events: CeleryEvent) -> None:
        """A batch."""
        self.workers.take(EventBatch(events, START + round(after * 1e6)))
        self.rows.store(self.fold.runs(events, self.rows))
        self.rows.store(list(self.silences.twice(self.workers.twice())))

    def ask(
        self, after: float, *, workers: int = 1, answered: int = 1, **answers: list[str]
    ) -> list[str]:
        """Asks whom the reader would ask; who is asked. Answers name the tasks that a worker has,
        by the first part of its node name; `workers` share it, of whom `answered` did."""
        now_us = START + round(after * 1e6)
        suspects = self.workers.suspects(now_us)
        has = {
            f"{name}@test": TasksOfWorker(
                tuple(TaskOnWorker(uuid, "t", name, "active") for uuid in uuids),
                workers,
                complete=answered == workers,
            )
            for name, uuids in answers.items()
        }
        answering = {host: tasks for host, tasks in has.items() if host in suspects}
        self.rows.store(self.silences.conclude(suspects, answering, self.rows, now_us))
        self.rows.store(list(self.silences.given_up(self.rows, now_us)))
        return suspects

    def next_reader(self, after: float) -> Trail:
        """The one that begins then, and knows the rows only."""
        trail = Trail(rows=self.rows)
        for run in self.rows.open_runs():
            trail.workers.adopt(run, trail.fold.adopt(run), START + round(after * 1e6))
        return trail

    def situation(self, uuid: str = "u1") -> str:
        return str(self.rows.value(uuid, f"attributes.{SITUATION}"))


def running(*, pool: str = "", beats: bool = False) -> Trail:
    """A task that runs on a worker since a second."""
    trail = Trail()
    trail.hear(0, "worker-online", freq=2.0, pid=7)
    if pool:
        trail.workers.learn({HOST: ("q",)}, {HOST: WorkerStats(7, 1.0, 1, pool)}, START)
    if beats:
        trail.hear(0, "worker-heartbeat", freq=2.0, active=1)
    trail.hear(1, "task-received", "task-started")
    return trail
