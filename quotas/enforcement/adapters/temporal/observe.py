"""Reading task queues: each distinct queue once; use and workers too, unless there are many."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

import structlog

from console.clients.contracts import QueueConfig, QueueKind, QueueStats, RateLimit
from console.clients.temporal.client import TemporalClient
from console.clients.temporal.connection import UNDECODABLE
from console.deadline import ContextPool
from console.errors import ExternalError, Refused, Unreachable
from console.pages.plural import plural
from quotas.enforcement.adapters.temporal.compile import (
    QUEUE_RATE,
    TENANT_RATE,
    WEIGHT,
    rate_text,
    weight_text,
)
from quotas.enforcement.adapters.temporal.names import KIND, OURS
from quotas.enforcement.ports import (
    ObjectRef,
    Observation,
    Observed,
    ObservedObject,
    Owner,
    Scalar,
    Usage,
)
from quotas.plans.contracts import Unit
from quotas.plans.quantities import humanize
from tenants.contracts import PlacementRef, Unreadable

T = TypeVar("T")
log = structlog.get_logger(__name__)
MOST_AT_ONCE: Final = 8
"""A first touch loads a queue on the server: many at once would slow down its real work."""
FEW: Final = 16
"""So many queues are looked at closely in a sweep too; more would keep the server busy with us."""
WORKERS: Final = "Task queue's workers"
NOT_POLLED: Final = "with many queues, statistics are read only when a tenant is read by itself"
PER_KEY: Final = "Temporal reports no use per fairness key"


@dataclass(frozen=True, slots=True)
class _Queue:
    """What was read about one queue; `stats` (of its activities), those of its workflows and what
    follows only for a closer look. `problem` says why its workers cannot be read."""

    config: QueueConfig
    stats: QueueStats | None = None
    workflows: QueueStats | None = None
    partitions: int = 1
    problem: str = ""

    @property
    def with_workflows(self) -> bool:
        """Whether workflows run on it, too."""
        return self.workflows is not None and bool(self.workflows.pollers)


def observe(
    client: TemporalClient,
    placements: Sequence[PlacementRef],
    *,
    everything: bool,
    concurrency: int,
) -> Observation:
    """The queues of some placements, or (`everything`) of all. One read a queue in a sweep of many
    queues, four otherwise."""
    before = client.counter.copy()
    names = sorted({placement.location for placement in placements})
    queues = _read(client, names, everything=everything, concurrency=concurrency)
    foreign: dict[str, tuple[str, ...]] = {}
    if everything:
        keys = {(placement.location, placement.fairness_key) for placement in placements}
        foreign = {
            name: _foreign(queue.config, keys)
            for name, queue in queues.items()
            if isinstance(queue, _Queue)
        }
    observed: dict[int, Observed] = {}
    failures: dict[int, str] = {}
    errors: dict[int, Exception] = {}
    for placement in placements:
        name = placement.location
        came = _of_placement(client.namespace, placement, queues[name], foreign.get(name, ()))
        if isinstance(came, Observed):
            observed[placement.id] = came
        elif isinstance(came, ExternalError):
            failures[placement.id] = came.message
        else:
            errors[placement.id] = came
    return Observation(
        placements=observed,
        reads=client.counter.since(before).reads,
        failures=failures,
        errors=errors,
        unreadable=tuple(
            Unreadable(WORKERS, name, "", queue.problem)
            for name, queue in queues.items()
            if isinstance(queue, _Queue) and queue.problem
        ),
    )


def digest(client: TemporalClient, names: Sequence[str], *, concurrency: int) -> str:
    """Of all that observing everything is made of: two that are equal stand for the same. Empty
    where something of it could not be read."""
    queues = _read(client, sorted(names), everything=True, concurrency=concurrency)
    essences = []
    for queue in queues.values():
        if isinstance(queue, Exception) or queue.problem:
            return ""
        essences.append(_essence(queue))
    return hashlib.sha256(repr(essences).encode()).hexdigest()


def _essence(queue: _Queue) -> tuple[object, ...]:
    """What an observation says of a queue, without the moments at which workers asked for work."""
    config = replace(queue.config, weights=dict(sorted(queue.config.weights.items())))
    rate = None if queue.stats is None else round(queue.stats.dispatch_rate * 1000)
    return config, rate, _warnings(queue)


def _read(
    client: TemporalClient, names: Sequence[str], *, everything: bool, concurrency: int
) -> dict[str, _Queue | Exception]:
    """What was read of each queue, or why it could not be; raises where none could."""
    read = _config if everything and len(names) > FEW else _closely
    outcomes = _side_by_side(lambda name: read(client, name), names, concurrency)
    for outcome in outcomes:
        if isinstance(outcome, Unreachable):
            raise outcome  # not one queue's trouble but the server's
    refused = [outcome for outcome in outcomes if isinstance(outcome, ExternalError)]
    if refused and len(refused) == len(outcomes):
        raise refused[0]
    return dict(zip(names, outcomes, strict=True))


def _of_placement(
    namespace: str,
    placement: PlacementRef,
    queue: _Queue | Exception,
    foreign: tuple[str, ...],
) -> Observed | Exception:
    """One placement, or what went wrong with its queue; a mistake of ours is its alone."""
    if isinstance(queue, Exception):
        return queue
    try:
        return _observed(namespace, placement, queue, foreign)
    except Exception as error:
        log.exception("observe.failed", placement=placement.id, tenant=placement.tenant)
        return error


def _side_by_side(
    read: Callable[[str], T], names: Sequence[str], concurrency: int
) -> list[T | Exception]:
    def one(name: str) -> T | Exception:
        try:
            return read(name)
        except ExternalError as error:
            return error
        except Exception as error:
            log.exception("observe.failed", queue=name)
            return error

    workers = max(1, min(MOST_AT_ONCE, concurrency, len(names)))
    with ContextPool(max_workers=workers, thread_name_prefix="queues") as pool:
        return list(pool.map(one, names))


def _config(client: TemporalClient, name: str) -> _Queue:
    return _Queue(client.queue_config(name))


def _closely(client: TemporalClient, name: str) -> _Queue:
    config, partitions = client.queue_config(name), client.partitions(name)
    try:
        return _Queue(
            config=config,
            stats=client.queue_stats(name),
            workflows=client.queue_stats(name, QueueKind.WORKFLOW),
            partitions=partitions,
        )
    except Refused as problem:
        if problem.code != UNDECODABLE:
            raise
        return _Queue(config=config, partitions=partitions, problem=problem.message)


def _observed(
    namespace: str,
    placement: PlacementRef,
    queue: _Queue,
    foreign: tuple[str, ...],
) -> Observed:
    """`foreign`: what is on the queue and belongs to nobody, where all placements were given."""
    ref = ObjectRef(KIND, namespace, placement.location, placement.fairness_key)
    if placement.sharing == "dedicated":
        objects, usage = _dedicated(ref, queue)
    else:
        objects, usage = _share(ref, queue.config, leaving=placement.leaving)
    reset = not objects and _is_new(queue.config)
    return Observed(objects, usage, foreign, _warnings(queue), reset=reset)


def _is_new(config: QueueConfig) -> bool:
    """Whether nobody ever set a limit on a queue, as far as its server knows. A limit that somebody
    took away leaves who did it; one that went with the server's database leaves nothing."""
    rates = (config.queue_rate, config.key_default)
    return not config.weights and all(
        rate.milli is None and not rate.identity and rate.updated_at is None for rate in rates
    )


def observed_object(ref: ObjectRef, config: QueueConfig) -> ObservedObject | None:
    """A queue, or a fairness key of one, as the diff sees it, from the answer to a write."""
    objects, _ = _share(ref, config, leaving=False) if ref.part else _dedicated(ref, _Queue(config))
    return objects[0] if objects else None


def _owner(rate: RateLimit) -> Owner | None:
    """Who set a rate, unless it was us."""
    if rate.milli is None or rate.identity.startswith(OURS):
        return None
    return Owner(rate.identity or "unknown", declarative=False, at=rate.updated_at)


def _dedicated(
    ref: ObjectRef, queue: _Queue
) -> tuple[tuple[ObservedObject, ...], tuple[Usage, ...]]:
    rate, hard = queue.config.queue_rate, _in_force(queue.config)
    used = None if queue.stats is None else round(queue.stats.dispatch_rate * 1000)
    why = (queue.problem or NOT_POLLED) if used is None else ""
    usage = tuple(Usage(key, hard, used, why=why) for key in (QUEUE_RATE, TENANT_RATE))
    if rate.milli is None:
        return (), usage
    owner = _owner(rate)
    observed = ObservedObject(
        ref=ref,
        fields={"queue_rate": rate.milli},
        shown={"queue_rate": "paused" if rate.milli == 0 else rate_text(rate.milli)},
        owners={} if owner is None else {"queue_rate": owner},
        ours=owner is None,
    )
    return (observed,), usage


def _in_force(config: QueueConfig) -> int | None:
    """The rate that counts: the server's own ceiling may be lower than what was set."""
    rate, effective = config.queue_rate.milli, config.effective_milli
    if rate is None or effective is None or config.effective_source == "worker":
        return rate
    return min(rate, effective)


def _share(
    ref: ObjectRef, config: QueueConfig, *, leaving: bool
) -> tuple[tuple[ObservedObject, ...], tuple[Usage, ...]]:
    weight = config.weights.get(ref.part)
    if weight is None:
        return (), ()
    fields: dict[str, Scalar] = {"weight": weight}
    shown = {"weight": weight_text(weight)}
    owners: dict[str, Owner] = {}
    # A leaving tenant takes its weight along; the queue's own rates stay with the target.
    rates = {} if leaving else {"base_rate": config.key_default, "queue_rate": config.queue_rate}
    for path, rate in rates.items():
        if rate.milli is not None:
            fields[path] = rate.milli
            shown[path] = rate_text(rate.milli)
            if (owner := _owner(rate)) is not None:
                owners[path] = owner
    usage = [Usage(WEIGHT, weight, None, why=PER_KEY)]
    if config.key_default.milli is not None:
        rate_in_force = round(weight * config.key_default.milli / 1000)
        usage.append(Usage(TENANT_RATE, rate_in_force, None, why=PER_KEY))
    return (ObservedObject(ref, fields, shown, owners),), tuple(usage)


def _foreign(config: QueueConfig, known: set[tuple[str, str]]) -> tuple[str, ...]:
    unknown = sorted(key for key in config.weights if (config.queue, key) not in known)
    if not unknown:
        return ()
    some = ", ".join(unknown[:5]) + (", …" if len(unknown) > 5 else "")
    return (f"{len(unknown)} fairness keys of {config.queue} belong to no placement: {some}",)


def _warnings(queue: _Queue) -> tuple[str, ...]:
    if queue.problem:
        return (f"The workers of {queue.config.queue} cannot be read: {queue.problem}.",)
    if queue.stats is None:
        return ()
    return (
        *_unserved(queue, queue.stats),
        *_eager(queue),
        *_partitions(queue),
        *_workers(queue.stats),
        *_ceiling(queue.config),
    )


def _unserved(queue: _Queue, stats: QueueStats) -> tuple[str, ...]:
    """A queue that nobody polls, or a rate of it that binds nobody, with what waits there."""
    if stats.pollers:
        return _paused(queue, stats)
    name, limited = queue.config.queue, _limited(queue.config)
    if not queue.with_workflows:
        waiting = [stats] if queue.workflows is None else [stats, queue.workflows]
        binds = ", so its rate binds nobody now" if limited else ""
        return (f"No worker polls {name}{binds}{_backlog(waiting)}.",)
    if stats.backlog:
        return (f"No worker polls {name} for activities{_backlog([stats])}.",)
    if not limited:
        return ()
    return (f"Workers poll {name} for workflows only: its rate, on activities, binds nobody now.",)


def _paused(queue: _Queue, stats: QueueStats) -> tuple[str, ...]:
    if queue.config.queue_rate.milli != 0 or not stats.backlog:
        return ()
    return (f"{queue.config.queue} is paused{_backlog([stats])}.",)


def _backlog(stats: Sequence[QueueStats]) -> str:
    """`: 3 tasks wait, the oldest for 14 min`, where some do."""
    number = sum(each.backlog for each in stats)
    if not number:
        return ""
    age = int(max(each.backlog_age for each in stats))
    oldest = f", the oldest for {humanize(age, Unit.SECONDS)}" if age > 0 else ""
    return f": {plural(number, 'task waits', 'tasks wait')}{oldest}"


def _eager(queue: _Queue) -> tuple[str, ...]:
    if not queue.with_workflows or not _limited(queue.config):
        return ()
    return (
        f"Workflows run on {queue.config.queue} too: eager activities bypass its limits. Use a"
        " separate queue for activities, or start workers with disable_eager_activity_execution.",
    )


def _limited(config: QueueConfig) -> Mapping[str, int]:
    rates = {"queue": config.queue_rate.milli, "key": config.key_default.milli}
    return {name: rate for name, rate in rates.items() if rate}


def _partitions(queue: _Queue) -> tuple[str, ...]:
    smallest = min(_limited(queue.config).values(), default=None)
    if queue.partitions < 2 or smallest is None or smallest >= 10_000 * queue.partitions:
        return ()
    return (
        f"{queue.config.queue} has {queue.partitions} partitions, each with its part of the rate:"
        f" {rate_text(smallest)} is undershot when some of them are empty.",
    )


def _workers(stats: QueueStats) -> tuple[str, ...]:
    own = sorted({poller.rate_milli for poller in stats.pollers if poller.rate_milli is not None})
    if not own:
        return ()
    return (
        f"Workers on {stats.queue} announce limits of their own, from {rate_text(own[0])}; a limit"
        " set here replaces the queue-wide one, not what a worker does by itself.",
    )


def _ceiling(config: QueueConfig) -> tuple[str, ...]:
    rate, effective = config.queue_rate.milli, config.effective_milli
    if config.effective_source != "system" or rate is None or effective is None:
        return ()
    if rate <= effective:
        return ()
    return (f"The server's own ceiling for {config.queue} is {rate_text(effective)}.",)
