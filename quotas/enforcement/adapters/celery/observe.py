"""Looking at the workers of a broker: three questions to all of them, whatever the number of
tenants."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from console.clients.celery.client import CeleryClient
from console.clients.celery.records import TaskType, WorkerStats
from console.errors import ExternalError
from console.pages.plural import plural
from quotas.enforcement.adapters.celery import rates
from quotas.enforcement.adapters.celery.compile import FIELD, RATE, rate_text, ref_of
from quotas.enforcement.adapters.celery.consumers import (
    QueueProcesses,
    QueueWorkers,
    carried_on,
    known_queues,
    workers_of,
)
from quotas.enforcement.ports import Observation, Observed, ObservedObject, Owner, Usage
from tenants.contracts import PlacementRef, TargetRef

NEW: Final = 600.0
"""Seconds for which a worker without our limits is taken for one that has just begun."""
MIXED: Final = "mixed"
MOST_REMEMBERED: Final = 10_000
"""Workers of queues of one target that are remembered between two probes."""
MOST_COUNTED: Final = 200
"""Queues without a consumer whose tasks are counted in one look."""
NO_USE: Final = "Celery counts no rate of starts"


@dataclass(frozen=True, slots=True)
class Workers:
    """Everything that the workers told, by node name. `reads` are the questions it took."""

    active: Mapping[str, tuple[str, ...]]
    stats: Mapping[str, WorkerStats]
    types: Mapping[str, tuple[TaskType, ...]]
    belongs: QueueProcesses
    reads: int

    def number(self, host: str) -> int:
        """How many workers there are of a node name: each is told the same."""
        return self.stats[host].workers if host in self.stats else 1

    def only_of(self, members: QueueWorkers) -> list[str]:
        """The workers of this queue and of no other, those that were paused included."""
        others = {
            host
            for queue, hosts in self.belongs.items()
            if queue != members.queue
            for host in hosts
        }
        return sorted((members.alone | members.paused) - others)

    def share(self, hosts: Iterable[str], milli: int) -> str:
        """What each of these is told, so that together they start `milli`/1000 tasks a second."""
        return rates.written(milli, sum(map(self.number, hosts)))


class Memory:
    """Whose worker was told to stop consuming which queue, in this process: what the probe has not
    seen yet. Bounded, as whoever answers for a worker may call it anything."""

    def __init__(self) -> None:
        """Nothing was paused yet."""
        self._lock = threading.Lock()
        self._processes: dict[int, OrderedDict[tuple[str, str], int]] = {}

    def add(self, target: int, queue: str, hosts: Mapping[str, int]) -> None:
        """These consume it, or did; those that were added longest ago are forgotten where there are
        too many."""
        with self._lock:
            processes = self._processes.setdefault(target, OrderedDict())
            for host, pid in hosts.items():
                processes[queue, host] = pid
                processes.move_to_end((queue, host))
            while len(processes) > MOST_REMEMBERED:
                processes.popitem(last=False)

    def forget_others(self, target: int, stats: Mapping[str, WorkerStats]) -> None:
        """What was remembered of workers that are other processes now."""
        with self._lock:
            processes = self._processes.get(target, OrderedDict())
            for (queue, host), pid in list(processes.items()):
                if host in stats and stats[host].pid != pid:
                    del processes[queue, host]

    def of(self, target: int) -> dict[str, dict[str, int]]:
        """All of a target: process id by node name by queue."""
        queues: dict[str, dict[str, int]] = {}
        with self._lock:
            for (queue, host), pid in self._processes.get(target, {}).items():
                queues.setdefault(queue, {})[host] = pid
        return queues


def ask(client: CeleryClient, target: TargetRef, memory: Memory) -> Workers:
    """Asks all workers what they consume, and who they are, and what they know."""
    with client.control() as control:
        active = control.active_queues()
        hosts = sorted(active)
        stats = control.stats(to=hosts)
        types = control.registered(to=hosts)
    memory.forget_others(target.id, stats)
    before = known_queues(target.features)
    for queue, members in memory.of(target.id).items():
        before.setdefault(queue, {}).update(members)
    return Workers(active, stats, types, carried_on(before, active, stats), reads=3)


def observe(
    client: CeleryClient, target: TargetRef, placements: Sequence[PlacementRef], memory: Memory
) -> Observation:
    """Every placement from one look."""
    workers = ask(client, target, memory)
    queues = {placement.location for placement in placements}
    idle = sorted(queue for queue in queues if not _consumers(queue, workers))
    waiting = _waiting(client, idle[:MOST_COUNTED])
    return Observation(
        placements={
            placement.id: _observed(target, placement.location, workers, waiting)
            for placement in placements
        },
        reads=workers.reads + bool(idle),
    )


def _consumers(queue: str, workers: Workers) -> frozenset[str]:
    return workers_of(queue, workers.belongs, workers.active).consumers


def _waiting(client: CeleryClient, queues: Sequence[str]) -> Mapping[str, int]:
    """How many tasks wait in queues that nobody consumes; nothing where the broker does not say."""
    try:
        return client.waiting_in(queues) if queues else {}
    except ExternalError:
        return {}


def _observed(
    target: TargetRef, queue: str, workers: Workers, waiting: Mapping[str, int]
) -> Observed:
    members = workers_of(queue, workers.belongs, workers.active)
    number = waiting.get(queue, 0)
    wait = f": {plural(number, 'task waits', 'tasks wait')} there" if number else ""
    if members.vacant:
        say = f"No worker of {queue} is online, so its limit applies to no worker now{wait}."
        return Observed(vacant=True, warnings=(say,))
    if members.consumers and not any(workers.types.get(host) for host in members.consumers):
        names = ", ".join(sorted(members.consumers))
        say = f"{names} knows no task type, so a rate of {queue} binds nothing."
        return Observed(vacant=True, warnings=(say, *same_names(members.consumers, workers)))
    there, reset = queue_object(target, members, workers)
    hard = there.fields[FIELD] if there is not None else None
    usage = Usage(RATE, hard if isinstance(hard, int) else None, None, why=NO_USE)
    return Observed(
        objects=() if there is None else (there,),
        usage=(usage,),
        warnings=(*_paused(members, wait), *_warnings(members, workers)),
        reset=reset,
    )


def same_names(hosts: Iterable[str], workers: Workers) -> tuple[str, ...]:
    """Says which node names several workers share. Celery tells all of them the same, so that a
    rate is divided by their number; and nobody can say which of them did what."""
    return tuple(
        f"{workers.number(host)} workers call themselves {host}: they are told the same, and their"
        " tasks cannot be told apart. Give each a name of its own (celery worker -n)."
        for host in sorted(hosts)
        if workers.number(host) > 1
    )


def queue_object(
    target: TargetRef, members: QueueWorkers, workers: Workers
) -> tuple[ObservedObject | None, bool]:
    """The queue as it is, and whether what differs is but a worker that began afresh."""
    if not members.consumers:
        return _object(target, members, 0, rate_text(0)), False
    if members.paused:
        # Somebody began anew and consumes again what others were told to leave alone.
        text = (
            f"paused on {len(members.paused)} of {len(members.paused | members.consumers)} workers"
        )
        return _object(target, members, MIXED, text), _began(members.consumers, workers)
    if members.shared:
        return None, False
    return _rates(target, members, workers)


def _object(
    target: TargetRef, members: QueueWorkers, value: int | str, text: str, owner: str = ""
) -> ObservedObject:
    owners = {FIELD: Owner(owner, declarative=False)} if owner else {}
    return ObservedObject(
        ref_of(target, members.queue), {FIELD: value}, shown={FIELD: text}, owners=owners
    )


def _rates(
    target: TargetRef, members: QueueWorkers, workers: Workers
) -> tuple[ObservedObject | None, bool]:
    by_type: dict[str, list[str]] = {}
    for host in sorted(members.alone):
        for task_type in workers.types.get(host, ()):
            rates_of_host = [task_type.rate_limit] * workers.number(host)
            by_type.setdefault(task_type.name, []).extend(rates_of_host)
    every = [rate for task_rates in by_type.values() for rate in task_rates]
    ours = [rate for rate in every if rates.is_ours(rate)]
    if not ours:
        return None, _began(members.alone, workers)
    totals = {rates.together(task_rates) for task_rates in by_type.values()}
    if len(ours) == len(every):
        # All of it is ours: where it is no longer right, the number of workers has changed.
        (total, *others) = totals
        if total is not None and not others:
            return _object(target, members, total, rate_text(total)), True
        return _object(target, members, MIXED, "not the same on all workers"), True
    hosts = {
        host
        for host in members.alone
        if not all(rates.is_ours(task_type.rate_limit) for task_type in workers.types.get(host, ()))
    }
    afresh = _began(hosts, workers)
    text = f"not in force on {', '.join(sorted(hosts))}"
    owner = "" if afresh else "remote control"
    return _object(target, members, MIXED, text, owner), afresh


def _began(hosts: frozenset[str] | set[str], workers: Workers) -> bool:
    """Whether one of these workers is new, or has none of the limits it may have had."""
    return any(
        workers.stats[host].uptime < NEW or _has_none(workers.types.get(host, ()))
        for host in hosts
        if host in workers.stats
    )


def _has_none(types: Sequence[TaskType]) -> bool:
    return all(rates.per_second(task_type.rate_limit) is None for task_type in types)


def _paused(members: QueueWorkers, wait: str) -> tuple[str, ...]:
    if members.consumers or not wait:
        return ()
    return (f"{members.queue} is paused{wait}.",)


def _warnings(members: QueueWorkers, workers: Workers) -> tuple[str, ...]:
    names = {task_type.name for host in members.alone for task_type in workers.types.get(host, ())}
    warnings = []
    if len(names) > 1:
        warnings.append(
            f"Celery's rate limits count per task type: the {len(names)} types of"
            f" {members.queue} may each start at its rate."
        )
    if members.shared:
        others = ", ".join(sorted(members.other_queues))
        warnings.append(f"{', '.join(sorted(members.shared))} consumes {others} too.")
    return (*warnings, *same_names(members.consumers | members.paused, workers))
