"""Which workers are there, what each runs, and which have gone silent while they ran something."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from console.clients.celery.records import CeleryEvent, EventBatch

SILENT_AFTER: Final = 30_000_000
"""Microseconds without a sign of life after which a worker is taken for lost; they send one every
two seconds."""
FORGOTTEN_AFTER: Final = 600_000_000
ASKED_AFTER: Final = 1_000_000
MOST_ASKED: Final = 5
MOST_RUNNING: Final = 10_000
_ENDS: Final = frozenset(
    {
        "task-succeeded", "task-failed", "task-retried", "task-revoked", "task-rejected",
        "task-cancelled",
    }
)  # fmt: skip


@dataclass(slots=True)
class _Worker:
    """One node name. `heard_us` is our own clock; `running` has the start of each task."""

    heard_us: int
    running: dict[str, int] = field(default_factory=dict)
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Silence:
    """A task whose worker went silent while it ran."""

    uuid: str
    hostname: str
    started_us: int
    heard_us: int
    went_offline: bool


class WorkerRegistry:
    """The workers of one broker, as their events tell."""

    def __init__(self) -> None:
        """Nobody is known yet."""
        self._workers: dict[str, _Worker] = {}
        self._to_ask: dict[str, tuple[int, int]] = {}

    def take(self, batch: EventBatch) -> None:
        """Notes who gave a sign of life and what they run."""
        if batch.outage is not None:
            for worker in self._workers.values():  # nobody could be heard
                worker.heard_us = batch.at_us
        for event in batch.events:
            self._note(event, batch.at_us)

    def _note(self, event: CeleryEvent, now_us: int) -> None:
        host = event.hostname
        if event.type == "task-sent" or not host:
            return
        worker = self._workers.get(host)
        if worker is None or event.type == "worker-online":
            self._to_ask[host] = (now_us + ASKED_AFTER, 0)
        if worker is None:
            worker = self._workers[host] = _Worker(now_us)
        worker.heard_us, worker.gone = now_us, event.type == "worker-offline"
        if event.type == "task-started":
            if len(worker.running) < MOST_RUNNING:
                worker.running[event.uuid] = event.us
            self._elsewhere(event.uuid, host)
        elif event.type in _ENDS:
            worker.running.pop(event.uuid, None)

    def _elsewhere(self, uuid: str, host: str) -> None:
        """A task that starts again on another worker is lost no more."""
        for name, worker in self._workers.items():
            if name != host:
                worker.running.pop(uuid, None)

    def silent(self, now_us: int) -> list[Silence]:
        """Tasks that were lost with their workers; each is given once."""
        silences: list[Silence] = []
        for host, worker in list(self._workers.items()):
            quiet = now_us - worker.heard_us
            if quiet > SILENT_AFTER and worker.running:
                silences += [
                    Silence(uuid, host, started, worker.heard_us, worker.gone)
                    for uuid, started in worker.running.items()
                ]
                worker.running.clear()
            if quiet > FORGOTTEN_AFTER:
                del self._workers[host]
        return silences

    def to_ask(self, now_us: int) -> list[str]:
        """Workers that came online and have not told their queues yet; asked a few times, as they
        hear remote control only some time after they said that they are online."""
        due = [host for host, (at, _) in self._to_ask.items() if at <= now_us]
        for host in due:
            _, times = self._to_ask[host]
            if times + 1 >= MOST_ASKED:
                del self._to_ask[host]
            else:
                self._to_ask[host] = (now_us + ASKED_AFTER, times + 1)
        return due

    def answered(self, hosts: Iterable[str]) -> None:
        """These need not be asked again."""
        for host in hosts:
            self._to_ask.pop(host, None)
