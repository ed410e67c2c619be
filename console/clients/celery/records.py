"""Plain values that the Celery client hands out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from console.clients.celery.kept_events import MOST_READ

LONGEST_HOST: Final = 255
"""Letters of a node name; a longer one is nobody's."""


class CeleryEvent(NamedTuple):
    """One event of the `celery events` protocol.

    `type` is as `task-started`, `us` when it happened in microseconds since 1970, `hostname` who
    sent it (a worker's node name), `uuid` the task's id (empty for worker events), and `fields`
    everything that came and could be read, as it came. `heard_us` is when it came to us, by our own
    clock; `told` is the sender's time as it came, which tells the same event again.
    """

    type: str
    us: int
    hostname: str
    uuid: str
    fields: Mapping[str, Any]
    heard_us: int = 0
    stamp: int | str = ""


class UnreadableEvent(NamedTuple):
    """An event that was set aside, or of which a value was left out: `problem` says why. What it
    says of itself may be empty."""

    uuid: str
    hostname: str
    type: str
    problem: str


@dataclass(frozen=True, slots=True)
class Outage:
    """A time of which events may be missing, in microseconds since 1970, and why."""

    from_us: int
    to_us: int
    cause: str


@dataclass(slots=True)
class MessagesRead:
    """What a reader of one broker came to: see EventBatch."""

    events: list[CeleryEvent]
    unreadable: list[UnreadableEvent]
    outages: list[Outage]
    position: str
    at_us: int = 0
    caught_up: bool = True
    size: int = 0
    """Bytes of the messages, each as it came."""

    def is_full(self, most: int) -> bool:
        """Whether it has so many events, or takes as much memory as a batch may."""
        return len(self.events) >= most or self.size >= MOST_READ


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Some events in the order of their arrival.

    `at_us` is the time up to which everything was heard: now where nothing more waits
    (`caught_up`). Whoever has stored the batch goes on from `position`. `outages` are times of
    which something may be missing; `unreadable` is what could not be read.
    """

    events: tuple[CeleryEvent, ...]
    at_us: int
    position: str = ""
    caught_up: bool = True
    outages: tuple[Outage, ...] = ()
    unreadable: tuple[UnreadableEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class TaskType:
    """A task type that a worker knows; `rate_limit` as the worker has it (`10/m`), or empty."""

    name: str
    rate_limit: str = ""


@dataclass(frozen=True, slots=True)
class WorkerStats:
    """One worker: `uptime` in seconds, `processes` that run tasks side by side, `pool` by what
    (prefork, solo, threads, …; empty where it does not say). `workers` is how many share its node
    name: then these are the figures of all of them, with the shortest uptime."""

    pid: int
    uptime: float
    processes: int
    pool: str = ""
    workers: int = 1


@dataclass(frozen=True, slots=True)
class TaskOnWorker:
    """A task that a worker has now. `state` is `active`, `reserved` or `scheduled`."""

    uuid: str
    name: str
    hostname: str
    state: str


@dataclass(frozen=True, slots=True)
class TasksOfWorker:
    """The tasks that the workers of one node name have: `workers` are how many share it, as far as
    anybody knows, and `complete` whether all of these told theirs."""

    tasks: tuple[TaskOnWorker, ...]
    workers: int = 1
    complete: bool = True


@dataclass(frozen=True, slots=True)
class BrokerProbe:
    """What one look at a broker says: its product and version where it tells them."""

    latency_ms: float
    product: str
    version: str


@dataclass(frozen=True, slots=True)
class Sent:
    """A task that was handed to the broker."""

    uuid: str
    name: str
    queue: str
