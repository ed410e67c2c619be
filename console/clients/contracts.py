"""Plain values that the clients hand out."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from console.errors import ExternalError


@dataclass(slots=True)
class RequestCounter:
    """How many requests a client has sent. `retries` are included in reads and writes."""

    reads: int = 0
    writes: int = 0
    retries: int = 0

    def copy(self) -> RequestCounter:
        """The numbers as of now, for a before/after difference."""
        return RequestCounter(self.reads, self.writes, self.retries)

    def since(self, before: RequestCounter) -> RequestCounter:
        """What was sent after `before` was copied."""
        return RequestCounter(
            self.reads - before.reads, self.writes - before.writes, self.retries - before.retries
        )


# -- Kubernetes ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class KubernetesProbe:
    """What one look at a cluster says. `kinds` holds `v1/Pod` and `batch/v1/Job` strings."""

    latency_ms: float
    version: str
    user: str
    groups: frozenset[str]
    kinds: frozenset[str]
    mutating_admission_policy: bool


@dataclass(frozen=True, slots=True)
class ApiPermission:
    """One thing that we need to be allowed to do.

    `resource` is `resourcequotas`, `jobs.batch` or `pods/log`; an empty namespace means all.
    """

    verb: str
    resource: str
    namespace: str = ""

    def __str__(self) -> str:
        where = f"in namespace {self.namespace}" if self.namespace else "in all namespaces"
        return f"{self.verb} {self.resource} {where}"


@dataclass(frozen=True, slots=True)
class AppliedObject:
    """The outcome for one manifest: either `object` as the server stored it, or `error`."""

    kind: str
    namespace: str
    name: str
    object: Mapping[str, Any] | None = None
    error: ExternalError | None = None

    @property
    def ok(self) -> bool:
        """True when the server stored it (or, in a dry run, would have)."""
        return self.error is None


# -- Temporal -----------------------------------------------------------------------------------


class QueueKind(enum.StrEnum):
    """The three kinds of a Temporal task queue; limits exist on activity and nexus queues only."""

    WORKFLOW = "workflow"
    ACTIVITY = "activity"
    NEXUS = "nexus"


class Unchanged(enum.Enum):
    """Type of UNCHANGED, which leaves a rate as it is (None removes it)."""

    UNCHANGED = "unchanged"


UNCHANGED = Unchanged.UNCHANGED


@dataclass(frozen=True, slots=True)
class TemporalProbe:
    """What one look at a Temporal server says. `capabilities` are the names that are on."""

    latency_ms: float
    version: str
    capabilities: frozenset[str]
    namespace_exists: bool


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A rate on a task queue in milli-requests/s, None when none is set, and who set it when.

    The server keeps reason, identity and time also for a limit that was removed.
    """

    milli: int | None = None
    reason: str = ""
    identity: str = ""
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class QueueConfig:
    """What a task queue enforces. Rates are milli-requests/s, weights are milli (1000 = 1.0).

    `effective_milli` is the rate in force over all partitions and `effective_source` where it
    comes from: `api`, `worker` or `system`.
    """

    queue: str
    kind: QueueKind
    queue_rate: RateLimit = RateLimit()
    key_default: RateLimit = RateLimit()
    weights: Mapping[str, int] = field(default_factory=dict)
    effective_milli: int | None = None
    effective_source: str = ""


@dataclass(frozen=True, slots=True)
class Poller:
    """A worker that polls a queue; `rate_milli` is its own limit, None when it has none."""

    identity: str
    last_access_at: datetime | None
    rate_milli: int | None


@dataclass(frozen=True, slots=True)
class QueueStats:
    """Counts and rates of a task queue, up to 5 s old (the server caches them).

    `backlog` in tasks, `backlog_age` in seconds, rates in tasks/s.
    """

    queue: str
    kind: QueueKind
    backlog: int
    backlog_age: float
    add_rate: float
    dispatch_rate: float
    rate_limiting_active: bool
    pollers: tuple[Poller, ...]
