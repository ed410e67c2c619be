"""What workers were ordered is compared with what they then say: Celery's answer to an order is
"ok", whatever comes of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, repeat
from typing import Final

from console.clients.celery.control import Control
from console.errors import ExternalError
from quotas.enforcement.adapters.celery import rates
from quotas.enforcement.adapters.celery.compile import FIELD
from quotas.enforcement.adapters.celery.consumers import QueueWorkers, workers_of
from quotas.enforcement.adapters.celery.observe import Workers, queue_object
from quotas.enforcement.diff import diff, stored_otherwise
from quotas.enforcement.ports import Altered, Change, ObservedObject, Scalar
from quotas.enforcement.rules import listed
from tenants.contracts import TargetRef

PATIENCE: Final = 3.0
"""Seconds for workers to do what they were ordered: with gevent they turn to it every two."""
PAUSES: Final = (0.1, 0.2, 0.4, 0.8)
"""Seconds between one look and the next; the last one goes on."""


@dataclass(frozen=True, slots=True)
class QueueCommand:
    """What was ordered of the workers of one queue."""

    change: Change
    members: QueueWorkers

    @property
    def hosts(self) -> frozenset[str]:
        """Everybody who was told."""
        return self.members.consumers | self.members.paused


Outcome = Altered | ExternalError | None
"""What came out otherwise than it was ordered; who did not say; nothing where all is as ordered."""


def outcomes_of(
    control: Control, target: TargetRef, commands: Sequence[QueueCommand], before: Workers
) -> list[Outcome]:
    """What became of each command, after at most PATIENCE for all of them together."""
    outcomes: list[Outcome] = [None] * len(commands)
    left = [index for index, command in enumerate(commands) if command.change.desired is not None]
    until, pauses = time.monotonic() + PATIENCE, chain(PAUSES, repeat(PAUSES[-1]))
    while left:
        workers, silent = _asked_again(control, [commands[index] for index in left], before)
        for index in left:
            outcomes[index] = _outcome(target, commands[index], workers, silent)
        left = [index for index in left if outcomes[index] is not None]
        if time.monotonic() >= until:
            break
        if left:
            time.sleep(next(pauses))
    return outcomes


def _asked_again(
    control: Control, commands: Sequence[QueueCommand], before: Workers
) -> tuple[Workers, frozenset[str]]:
    """The workers as they are now, and those that do not answer."""
    hosts = sorted(frozenset[str]().union(*(command.hosts for command in commands)))
    active, types = control.active_queues(to=hosts), control.registered(to=hosts)
    silent = frozenset(host for host in hosts if host not in active or host not in types)
    now = replace(before, active={**before.active, **active}, types={**before.types, **types})
    return now, silent


def _outcome(
    target: TargetRef, command: QueueCommand, workers: Workers, silent: frozenset[str]
) -> Outcome:
    if quiet := sorted(command.hosts & silent):
        message = f"worker {quiet[0]} did not say what became of its orders"
        # Of this placement alone, not of the broker: others are served.
        return ExternalError(message, retryable=True, code="no_answer")
    return _compared(target, command.change, command.members, workers)


def _compared(
    target: TargetRef, change: Change, members: QueueWorkers, workers: Workers
) -> Altered | None:
    wanted = None if change.desired is None else change.desired.fields[FIELD]
    now = workers_of(members.queue, workers.belongs, workers.active)
    if change.desired is None or (wanted != 0 and not _is_bound(now, workers)):
        return None
    stored, _ = queue_object(target, now, workers)
    # Either way as the next look tells it, so that it is known again then.
    if stored is not None:
        altered = stored_otherwise(change, stored)
    else:
        (left,) = diff([change.desired], [])
        altered = Altered(ObservedObject(change.ref, {}), left)
    if altered is None:
        return None
    return replace(altered, suspects=tuple(_sayings(wanted, now, workers)))


def _is_bound(members: QueueWorkers, workers: Workers) -> bool:
    """Whether a rate can hold: a worker of other queues too is told none, and one that knows no
    task type is not held by any."""
    everybody = members.consumers | members.paused
    return not members.shared and any(workers.types.get(host) for host in everybody)


def _sayings(wanted: Scalar, members: QueueWorkers, workers: Workers) -> Iterator[str]:
    """Each worker that says something else than it was ordered."""
    if wanted == 0:
        yield from (f"{host} still consumes {members.queue}" for host in sorted(members.consumers))
        return
    for host in sorted(members.paused):
        yield f"{host} does not consume {members.queue}"
    hosts = workers.only_of(members)
    ordered = workers.share(hosts, wanted) if isinstance(wanted, int) else ""
    for host in hosts:
        types: dict[str, list[str]] = {}
        for task_type in workers.types.get(host, ()):
            if task_type.rate_limit != ordered:
                types.setdefault(rates.shown(task_type.rate_limit), []).append(task_type.name)
        for rate, names in types.items():
            yield f"{host} reports {rate} for {listed(names)}"
