"""Which worker consumes which queue, as a probe found it and as it is now. Pure.

A worker whose consumer of a queue was cancelled looks as if it had never had it. So a probe carries
on what earlier ones saw for as long as the worker's process is the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from console.clients.celery.records import WorkerStats
from tenants.contracts import TargetRef

QUEUES: Final = "queues"
QueueProcesses = Mapping[str, Mapping[str, int]]
"""Process id by node name by queue."""


@dataclass(frozen=True, slots=True)
class QueueWorkers:
    """The workers of one queue. `alone` consume nothing else, `shared` do; `paused` are known to
    have consumed it and no longer do."""

    queue: str
    alone: frozenset[str] = frozenset()
    shared: frozenset[str] = frozenset()
    paused: frozenset[str] = frozenset()
    other_queues: frozenset[str] = field(default_factory=frozenset)

    @property
    def consumers(self) -> frozenset[str]:
        """Everybody who consumes it now."""
        return self.alone | self.shared

    @property
    def vacant(self) -> bool:
        """Whether nobody is there whom a limit could bind."""
        return not (self.alone or self.shared or self.paused)


def known_queues(features: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """What a probe wrote into a target's features, whatever is there."""
    stored = features.get(QUEUES)
    if not isinstance(stored, Mapping):
        return {}
    return {
        str(queue): {str(host): int(pid) for host, pid in hosts.items() if isinstance(pid, int)}
        for queue, hosts in stored.items()
        if isinstance(hosts, Mapping)
    }


def carried_on(
    before: QueueProcesses, active: Mapping[str, tuple[str, ...]], stats: Mapping[str, WorkerStats]
) -> dict[str, dict[str, int]]:
    """Whom to take for a worker of each queue: who consumes it now, and who did before in the same
    process."""
    belongs: dict[str, dict[str, int]] = {}
    for queue, hosts in before.items():
        for host, pid in hosts.items():
            if host in stats and stats[host].pid == pid:
                belongs.setdefault(queue, {})[host] = pid
    for host, queues in active.items():
        if host in stats:
            for queue in queues:
                belongs.setdefault(queue, {})[host] = stats[host].pid
    return belongs


def workers_of(
    queue: str, belongs: QueueProcesses, active: Mapping[str, tuple[str, ...]]
) -> QueueWorkers:
    """The workers of one queue, from whom it belongs to and what is consumed now."""
    hosts = set(belongs.get(queue, {}))
    of_host: dict[str, set[str]] = {}
    for name, members in belongs.items():
        for host in members:
            of_host.setdefault(host, set()).add(name)
    consuming = {host for host in hosts if queue in active.get(host, ())}
    shared = {host for host in consuming if of_host[host] != {queue}}
    others = {name for host in shared for name in of_host[host]} - {queue}
    return QueueWorkers(
        queue=queue,
        alone=frozenset(consuming - shared),
        shared=frozenset(shared),
        paused=frozenset(hosts - consuming),
        other_queues=frozenset(others),
    )


def probed_workers(target: TargetRef, queue: str) -> QueueWorkers:
    """The workers of one queue as the last probe of the target knew them."""
    belongs = known_queues(target.features)
    active: dict[str, list[str]] = {}
    for name, hosts in belongs.items():
        for host in hosts:
            active.setdefault(host, []).append(name)
    return workers_of(queue, belongs, {host: tuple(names) for host, names in active.items()})
