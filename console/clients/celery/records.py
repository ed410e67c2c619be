"""Plain values that the Celery client hands out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class CeleryEvent(NamedTuple):
    """One event of the `celery events` protocol.

    `type` is as `task-started`, `us` the sender's time in microseconds since 1970, `hostname` who
    sent it (a worker's node name), `uuid` the task's id (empty for worker events), and `fields`
    everything that came, as it came.
    """

    type: str
    us: int
    hostname: str
    uuid: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which nobody listened, in microseconds since 1970, and why."""

    from_us: int
    to_us: int
    cause: str


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Some events in the order of their arrival.

    `at_us` is when the batch was closed: we listened until then, since `since_us`. `outage` is set
    on the first batch after a connection was lost; `strange` counts messages that were no events.
    """

    events: tuple[CeleryEvent, ...]
    at_us: int
    since_us: int
    outage: Outage | None = None
    strange: int = 0


@dataclass(frozen=True, slots=True)
class TaskType:
    """A task type that a worker knows; `rate_limit` as the worker has it (`10/m`), or empty."""

    name: str
    rate_limit: str = ""


@dataclass(frozen=True, slots=True)
class WorkerStats:
    """One worker process: `uptime` in seconds, `processes` that run tasks side by side."""

    pid: int
    uptime: float
    processes: int
    total: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TaskOnWorker:
    """A task that a worker has now. `state` is `active`, `reserved` or `scheduled`."""

    uuid: str
    name: str
    hostname: str
    state: str


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
