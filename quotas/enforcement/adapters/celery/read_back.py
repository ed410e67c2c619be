"""What workers were ordered is compared with what they then say: Celery's answer to an order is
"ok", whatever comes of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from console.clients.celery.control import Control
from console.errors import Unreachable
from quotas.enforcement.adapters.celery import rates
from quotas.enforcement.adapters.celery.compile import FIELD
from quotas.enforcement.adapters.celery.consumers import QueueWorkers, workers_of
from quotas.enforcement.adapters.celery.observe import Workers, queue_object
from quotas.enforcement.diff import diff, stored_otherwise
from quotas.enforcement.ports import Altered, Change, ObservedObject, Scalar
from quotas.enforcement.rules import listed
from tenants.contracts import TargetRef

PATIENCE: Final = 3.0
"""Seconds for a worker to do what it was ordered: with gevent it turns to it every two."""
PAUSE: Final = 0.1


def altered_by_workers(
    control: Control, target: TargetRef, change: Change, members: QueueWorkers, before: Workers
) -> Altered | None:
    """Where the queue is not as it was ordered a moment ago: who says what; None where it is.
    Raises Unreachable for a worker that does not say."""
    if change.desired is None:
        return None
    until = time.monotonic() + PATIENCE
    while True:
        workers = _asked_again(control, members, before)
        altered = _compared(target, change, members, workers)
        if altered is None or time.monotonic() >= until:
            return altered
        time.sleep(PAUSE)


def _asked_again(control: Control, members: QueueWorkers, before: Workers) -> Workers:
    hosts = sorted(members.consumers | members.paused)
    active, types = control.active_queues(to=hosts), control.registered(to=hosts)
    for host in hosts:
        if host not in active or host not in types:
            raise Unreachable(f"worker {host} did not say what became of its orders")
    return replace(before, active={**before.active, **active}, types={**before.types, **types})


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
