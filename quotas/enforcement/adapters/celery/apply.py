"""Telling workers: how fast each task type may start, and whether to consume a queue."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from console.clients.celery.client import CeleryClient
from console.clients.celery.control import Control
from console.errors import ExternalError
from quotas.enforcement.adapters.celery import rates
from quotas.enforcement.adapters.celery.compile import FIELD
from quotas.enforcement.adapters.celery.consumers import QueueWorkers, workers_of
from quotas.enforcement.adapters.celery.observe import Memory, Workers, ask
from quotas.enforcement.adapters.celery.read_back import altered_by_workers
from quotas.enforcement.ports import Altered, ApplyResult, Change, PlacementChanges
from tenants.contracts import TargetRef

NONE: Final = "0"
"""What takes a rate limit away."""


def run(
    client: CeleryClient,
    target: TargetRef,
    work: Sequence[PlacementChanges],
    memory: Memory,
    *,
    on_result: Callable[[ApplyResult], None],
) -> None:
    """Does the work of many placements after one look; each is reported when it is done."""
    try:
        workers = (
            ask(client, target, memory) if any(requested.changes for requested in work) else None
        )
    except ExternalError as error:
        for requested in work:
            on_result(ApplyResult(requested.placement, (), error if requested.changes else None, 1))
        return
    for requested in work:
        began = time.monotonic()
        done: tuple[Change, ...] = ()
        altered: list[Altered] = []
        failed: ExternalError | None = None
        calls = 0
        try:
            for change in requested.changes:
                if workers is not None:
                    number, stored = _change(client, target, change, workers, memory)
                    calls += number
                    altered += [] if stored is None else [stored]
            done = requested.changes
        except ExternalError as error:
            failed = error
        seconds = time.monotonic() - began
        on_result(ApplyResult(requested.placement, done, failed, calls, seconds, tuple(altered)))


def _change(
    client: CeleryClient, target: TargetRef, change: Change, workers: Workers, memory: Memory
) -> tuple[int, Altered | None]:
    """Makes one queue what it should be; the number of orders, and what came out otherwise. Nobody
    there: nothing to do."""
    members = workers_of(change.ref.name, workers.belongs, workers.active)
    everybody = members.consumers | members.paused
    memory.add(target.id, members.queue, {host: workers.stats[host].pid for host in everybody})
    with client.control() as control:
        calls = _order(control, change, members, workers)
        if not calls:
            return 0, None
        return calls, altered_by_workers(control, target, change, members, workers)


def _order(control: Control, change: Change, members: QueueWorkers, workers: Workers) -> int:
    wanted = None if change.desired is None else change.desired.fields.get(FIELD)
    if wanted == 0:
        control.cancel_consumer(members.queue, to=sorted(members.consumers))
        return int(bool(members.consumers))
    calls = 0
    if members.paused:
        control.add_consumer(members.queue, to=sorted(members.paused))
        calls += 1
    hosts = workers.only_of(members)
    if isinstance(wanted, int):
        return calls + _limit(control, hosts, workers, workers.share(hosts, wanted))
    return calls + _free(control, hosts, workers)


def _limit(control: Control, hosts: Sequence[str], workers: Workers, rate: str) -> int:
    calls = 0
    for name, knowing in _by_type(hosts, workers).items():
        late = [host for host, current in knowing.items() if current != rate]
        if late:
            control.rate_limit(name, rate, to=late)
            calls += 1
    return calls


def _free(control: Control, hosts: Sequence[str], workers: Workers) -> int:
    """Takes our limits away; what others set stays."""
    calls = 0
    for name, knowing in _by_type(hosts, workers).items():
        ours = [host for host, current in knowing.items() if rates.is_ours(current)]
        if ours:
            control.rate_limit(name, NONE, to=ours)
            calls += 1
    return calls


def _by_type(hosts: Iterable[str], workers: Workers) -> Mapping[str, Mapping[str, str]]:
    """Current rate by worker by task type."""
    by_type: dict[str, dict[str, str]] = {}
    for host in hosts:
        for task_type in workers.types.get(host, ()):
            by_type.setdefault(task_type.name, {})[host] = task_type.rate_limit
    return by_type
