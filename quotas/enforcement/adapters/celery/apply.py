"""Telling workers: how fast each task type may start, and whether to consume a queue."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from console.clients.celery.client import CeleryClient
from console.clients.celery.control import Control
from console.errors import ExternalError
from quotas.enforcement.adapters.celery import rates
from quotas.enforcement.adapters.celery.compile import FIELD
from quotas.enforcement.adapters.celery.consumers import QueueWorkers, workers_of
from quotas.enforcement.adapters.celery.observe import Memory, Workers, ask
from quotas.enforcement.adapters.celery.read_back import Outcome, QueueCommand, outcomes_of
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
    if not any(requested.changes for requested in work):
        for requested in work:
            on_result(ApplyResult(requested.placement, (), None))
        return
    try:
        workers = ask(client, target, memory)
    except ExternalError as error:
        for requested in work:
            on_result(ApplyResult(requested.placement, (), error if requested.changes else None, 1))
        return
    given = [_given(client, target, requested, workers, memory) for requested in work]
    _read_back(client, target, given, workers)
    for done in given:
        on_result(done.result())


@dataclass(slots=True)
class _Given:
    """The orders of one placement, and what came of them."""

    requested: PlacementChanges
    commands: list[QueueCommand] = field(default_factory=list)
    calls: int = 0
    seconds: float = 0.0
    error: ExternalError | None = None
    altered: tuple[Altered, ...] = ()

    def result(self) -> ApplyResult:
        """As it is reported."""
        done = () if self.error else self.requested.changes
        return ApplyResult(
            self.requested.placement, done, self.error, self.calls, self.seconds, self.altered
        )


def _given(
    client: CeleryClient,
    target: TargetRef,
    requested: PlacementChanges,
    workers: Workers,
    memory: Memory,
) -> _Given:
    """Gives the orders of one placement. Nobody there: nothing to do."""
    given, began = _Given(requested), time.monotonic()
    try:
        for change in requested.changes:
            members = workers_of(change.ref.name, workers.belongs, workers.active)
            command = QueueCommand(change, members)
            pids = {host: workers.stats[host].pid for host in command.hosts}
            memory.add(target.id, members.queue, pids)
            with client.control() as control:
                calls = _order(control, change, members, workers)
            given.calls += calls
            given.commands += [command] if calls else []
    except ExternalError as error:
        given.error = error
    given.seconds = time.monotonic() - began
    return given


def _read_back(
    client: CeleryClient, target: TargetRef, given: Sequence[_Given], workers: Workers
) -> None:
    """Asks all workers that were told something what became of it, in one go for all placements."""
    ordered = [(one, command) for one in given if one.error is None for command in one.commands]
    if not ordered:
        return
    began = time.monotonic()
    outcomes: list[Outcome]
    try:
        with client.control() as control:
            outcomes = outcomes_of(control, target, [command for _, command in ordered], workers)
    except ExternalError as error:
        outcomes = [error] * len(ordered)
    seconds = (time.monotonic() - began) / len(ordered)
    for (one, _), outcome in zip(ordered, outcomes, strict=True):
        one.seconds += seconds
        if isinstance(outcome, ExternalError):
            one.error = one.error or outcome
        elif outcome is not None:
            one.altered = (*one.altered, outcome)


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
