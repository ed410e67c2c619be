"""Task queues: reading and changing their limits, with all that the server does not check."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from temporalio.api.enums.v1 import RateLimitSource, TaskQueueType
from temporalio.api.taskqueue.v1 import PollerInfo, RateLimitConfig, TaskQueue, TaskQueueConfig
from temporalio.api.taskqueue.v1 import RateLimit as WireRateLimit
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeTaskQueueResponse,
    ListTaskQueuePartitionsRequest,
    UpdateTaskQueueConfigRequest,
)

from console.clients.contracts import (
    UNCHANGED,
    Poller,
    QueueConfig,
    QueueKind,
    QueueStats,
    RateLimit,
    Unchanged,
)
from console.clients.temporal.connection import UNDECODABLE, Connection
from console.clients.temporal.name_checks import check_keys, check_queue, shorten
from console.clients.temporal.payloads import moment, seconds, text
from console.clients.temporal.rates import (
    from_wire,
    key_default_to_wire,
    to_wire,
    weight_to_wire,
)
from console.clients.temporal.token_bucket import TokenBucket
from console.errors import Refused

OURS: Final = "headroom"
"""Who asks."""
MOST_WEIGHTS_A_CALL: Final = 1000
NO_WORKER_LIMIT: Final = 100_000.0  # what a worker without a limit of its own announces

_KINDS: Final = {
    QueueKind.WORKFLOW: TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    QueueKind.ACTIVITY: TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
    QueueKind.NEXUS: TaskQueueType.TASK_QUEUE_TYPE_NEXUS,
}
_SOURCES: Final = {
    RateLimitSource.RATE_LIMIT_SOURCE_API: "api",
    RateLimitSource.RATE_LIMIT_SOURCE_WORKER: "worker",
    RateLimitSource.RATE_LIMIT_SOURCE_SYSTEM: "system",
}


class Queues:
    """The task queues of one namespace. Runs on the bridge's loop."""

    def __init__(self, connection: Connection, namespace: str, bucket: TokenBucket) -> None:
        self._connection = connection
        self._namespace = namespace
        self._bucket = bucket

    async def config(self, queue: str, kind: QueueKind, deadline: float) -> QueueConfig:
        """What the queue enforces now. Where a worker's poll makes the description of its queue
        undecodable, it is what a change of nothing answers: that names no workers."""
        request = self._describe(queue, kind)
        request.report_config = True
        try:
            return described_config(queue, kind, await self._ask(request, queue, deadline))
        except Refused as problem:
            if problem.code != UNDECODABLE:
                raise
        nothing = self._change(queue, kind, OURS)
        return _config(queue, kind, await self._send(nothing, deadline), None, "")

    async def stats(self, queue: str, kind: QueueKind, deadline: float) -> QueueStats:
        """Backlog, rates and pollers. Refused (code `undecodable`) where a worker polls in a way
        that nobody can decode."""
        request = self._describe(queue, kind)
        request.report_stats = True
        request.report_pollers = True
        return described_stats(queue, kind, await self._ask(request, queue, deadline))

    async def partitions(self, queue: str, deadline: float) -> int:
        """How many partitions the activity queue has."""
        answer = await self._connection.call(
            lambda client: client.workflow_service.list_task_queue_partitions,
            ListTaskQueuePartitionsRequest(
                namespace=self._namespace, task_queue=TaskQueue(name=check_queue(queue))
            ),
            what=f"list partitions of {queue}",
            deadline=deadline,
        )
        return len(answer.activity_task_queue_partitions)

    async def update(
        self,
        queue: str,
        kind: QueueKind,
        *,
        queue_rate: int | Unchanged | None,
        key_default: int | Unchanged | None,
        set_weights: Mapping[str, int],
        unset_weights: Sequence[str],
        reason: str,
        identity: str,
        deadline: float,
    ) -> QueueConfig:
        """Change limits; several calls when there are more weights than one call takes."""
        check_queue(queue)
        check_keys(set_weights, unset_weights)
        if kind is QueueKind.WORKFLOW and _sets(queue_rate, key_default):
            raise Refused("workflow task queues cannot have rate limits", code="invalid")
        weights = {key: weight_to_wire(milli) for key, milli in set_weights.items()}
        first = self._change(queue, kind, identity)
        if not isinstance(queue_rate, Unchanged):
            wire = None if queue_rate is None else to_wire(queue_rate)
            first.update_queue_rate_limit.CopyFrom(_rate_update(wire, reason))
        if not isinstance(key_default, Unchanged):
            wire = None if key_default is None else key_default_to_wire(key_default)
            first.update_fairness_key_rate_limit_default.CopyFrom(_rate_update(wire, reason))
        stored = TaskQueueConfig()
        for request in self._requests(first, weights, unset_weights):
            stored = await self._send(request, deadline)
        return _config(queue, kind, stored, None, "")

    async def nudge(self, queue: str, reason: str, identity: str, deadline: float) -> bool:
        """Change the per-key default by a thousandth and back; False when there is none."""
        kind = QueueKind.ACTIVITY
        default = (await self.config(queue, kind, deadline)).key_default
        if default.milli is None:
            return False
        for milli, why in ((default.milli + 1, reason), (default.milli, default.reason or reason)):
            request = self._change(queue, kind, identity)
            request.update_fairness_key_rate_limit_default.CopyFrom(
                _rate_update(_nearest(milli), why)
            )
            await self._send(request, deadline)
        return True

    def _requests(
        self,
        first: UpdateTaskQueueConfigRequest,
        weights: Mapping[str, float],
        unset: Sequence[str],
    ) -> Iterator[UpdateTaskQueueConfigRequest]:
        """`first` and, if the weights do not fit in it, what follows. Removals go first: the
        server limits a queue to 1000 weights in total."""
        request, room = first, MOST_WEIGHTS_A_CALL
        changes: list[tuple[str, float | None]] = [(key, None) for key in dict.fromkeys(unset)]
        changes += weights.items()
        for key, weight in changes:
            if room == 0:
                yield request
                request = UpdateTaskQueueConfigRequest(
                    namespace=first.namespace,
                    identity=first.identity,
                    task_queue=first.task_queue,
                    task_queue_type=first.task_queue_type,
                )
                room = MOST_WEIGHTS_A_CALL
            if weight is None:
                request.unset_fairness_weight_overrides.append(key)
            else:
                request.set_fairness_weight_overrides[key] = weight
            room -= 1
        yield request

    def _change(self, queue: str, kind: QueueKind, identity: str) -> UpdateTaskQueueConfigRequest:
        return UpdateTaskQueueConfigRequest(
            namespace=self._namespace,
            identity=shorten(identity),
            task_queue=check_queue(queue),
            task_queue_type=_KINDS[kind],
        )

    async def _send(
        self, request: UpdateTaskQueueConfigRequest, deadline: float
    ) -> TaskQueueConfig:
        await self._bucket.take(deadline)
        answer = await self._connection.call(
            lambda client: client.workflow_service.update_task_queue_config,
            request,
            what=f"update task queue {request.task_queue}",
            deadline=deadline,
            write=True,
        )
        return answer.config

    def _describe(self, queue: str, kind: QueueKind) -> DescribeTaskQueueRequest:
        return DescribeTaskQueueRequest(
            namespace=self._namespace,
            task_queue=TaskQueue(name=check_queue(queue)),
            task_queue_type=_KINDS[kind],
        )

    async def _ask(
        self, request: DescribeTaskQueueRequest, queue: str, deadline: float
    ) -> DescribeTaskQueueResponse:
        return await self._connection.call(
            lambda client: client.workflow_service.describe_task_queue,
            request,
            what=f"describe task queue {queue}",
            deadline=deadline,
        )


def described_config(queue: str, kind: QueueKind, answer: DescribeTaskQueueResponse) -> QueueConfig:
    """What a queue enforces, from its description."""
    effective, source = None, ""
    if answer.HasField("effective_rate_limit"):
        effective = from_wire(answer.effective_rate_limit.requests_per_second)
        source = _SOURCES.get(answer.effective_rate_limit.rate_limit_source, "")
    return _config(queue, kind, answer.config, effective, source)


def described_stats(queue: str, kind: QueueKind, answer: DescribeTaskQueueResponse) -> QueueStats:
    """Backlog, rates and pollers of a queue, from its description."""
    stats = answer.stats
    return QueueStats(
        queue=queue,
        kind=kind,
        backlog=max(stats.approximate_backlog_count, 0),
        backlog_age=max(seconds(stats.approximate_backlog_age) or 0.0, 0.0),
        add_rate=_rate(stats.tasks_add_rate),
        dispatch_rate=_rate(stats.tasks_dispatch_rate),
        rate_limiting_active=stats.rate_limiting_active,
        pollers=tuple(map(_poller, answer.pollers)),
    )


def _rate(rate: float) -> float:
    return rate if math.isfinite(rate) and rate > 0 else 0.0


def _sets(*rates: int | Unchanged | None) -> bool:
    return any(rate is not None and rate is not UNCHANGED for rate in rates)


def _nearest(milli: int) -> float:
    """A rate for nudging: any value near `milli` will do, so it need not be exact."""
    return milli / 1000


def _rate_update(wire: float | None, reason: str) -> UpdateTaskQueueConfigRequest.RateLimitUpdate:
    limit = None if wire is None else WireRateLimit(requests_per_second=wire)
    return UpdateTaskQueueConfigRequest.RateLimitUpdate(rate_limit=limit, reason=shorten(reason))


def _config(
    queue: str, kind: QueueKind, config: TaskQueueConfig, effective: int | None, source: str
) -> QueueConfig:
    return QueueConfig(
        queue=queue,
        kind=kind,
        queue_rate=_rate_limit(config.queue_rate_limit),
        key_default=_rate_limit(config.fairness_keys_rate_limit_default),
        weights={
            key: from_wire(value) or 0 for key, value in config.fairness_weight_overrides.items()
        },
        effective_milli=effective,
        effective_source=source,
    )


def _rate_limit(config: RateLimitConfig) -> RateLimit:
    milli = None
    if config.HasField("rate_limit"):
        milli = from_wire(config.rate_limit.requests_per_second)
    return RateLimit(
        milli=milli,
        reason=text(config.metadata.reason),
        identity=text(config.metadata.update_identity),
        updated_at=moment(config.metadata.update_time),
    )


def _poller(poller: PollerInfo) -> Poller:
    limited = 0 < poller.rate_per_second < NO_WORKER_LIMIT
    return Poller(
        identity=text(poller.identity),
        last_access_at=moment(poller.last_access_time),
        rate_milli=from_wire(poller.rate_per_second) if limited else None,
    )
