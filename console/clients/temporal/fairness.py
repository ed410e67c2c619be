"""Is `matching.enableFairness` on? No RPC says so; this finds it out by a small experiment.

Evidence (server 1.32.0, flag on and off, both with 4 partitions): GetSystemInfo, GetClusterInfo,
DescribeNamespace, ListTaskQueuePartitions and DescribeTaskQueue of an idle queue are identical.
They differ once there is a backlog. With fairness off, tasks are read in the order of their ids,
so the root partition's `task_queue_status.read_level` (id of the furthest task read) grows with
every new task. With fairness on, tasks are read by (pass, id): the first task of a new key belongs
to an earlier pass than the second task of an old key, so read_level stays where it was.

So: put four tasks of key A and then fewer of key B into the root partition of a queue that nobody
polls and look. Partitions are chosen at random by the server, hence the loops; about twenty starts
on 4 partitions. Seen right in every one of 30 runs (1 and 4 partitions, on and off). The workflows
are deleted again and expire by themselves should we die in between.

The flag can also be set for single queues; this answers for a queue without such an exception.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Final, Protocol

from google.protobuf.duration_pb2 import Duration
from temporalio.api.common.v1 import Priority, WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DeleteWorkflowExecutionRequest,
    DescribeTaskQueueRequest,
    PollWorkflowTaskQueueRequest,
    StartWorkflowExecutionRequest,
)

from console.clients.temporal.connection import Connection
from console.errors import ExternalError

PROBE_TYPE: Final = "headroom-fairness-probe"
"""Workflow type of the experiments, by which they are told from people's runs."""
MOST_STARTS: Final = 60  # 4 partitions need about 12; 60 still find the root one among 16
OLD_TASKS: Final = 4
ARRIVAL_SECONDS: Final = 0.03  # a start returns before its task is in the queue
SETTLE_SECONDS: Final = 0.3
EMPTY_QUEUE_SECONDS: Final = 1.0
EXPIRY: Final = Duration(seconds=60)


@dataclass(frozen=True, slots=True)
class _Level:
    backlog: int
    read: int


class _Grown(Protocol):
    def __call__(self, level: _Level) -> bool: ...


class FairnessProbe:
    """One experiment in one namespace."""

    def __init__(self, connection: Connection, namespace: str, deadline: float) -> None:
        self._connection = connection
        self._namespace = namespace
        self._deadline = deadline
        # A new queue each time: the server counts a used queue's backlog only roughly (seen: two
        # more after one start), and probes side by side must not count each other's tasks.
        self.queue = f"headroom-fairness-probe-{secrets.token_hex(4)}"
        self._started: list[str] = []

    async def run(self) -> bool | None:
        """True or False, or None when the server's answers do not tell."""
        try:
            return await self._experiment()
        finally:
            # Also when our time is over: whoever waits has gone, the clean-up has not.
            await asyncio.shield(asyncio.ensure_future(self._clean_up()))

    async def _experiment(self) -> bool | None:
        empty = await self._level()
        before = await self._fill("a", lambda level: level.backlog >= empty.backlog + OLD_TASKS)
        if before is None or before.read == 0:
            return None
        after = await self._fill("b", lambda level: level.backlog > before.backlog)
        # As many new tasks as old ones would reach the old ones' last pass and tell nothing.
        if after is None or after.backlog - before.backlog >= OLD_TASKS:
            return None
        return None if after.read < before.read else after.read == before.read

    async def _fill(self, key: str, grown: _Grown) -> _Level | None:
        """Start workflows with fairness key `key` until the root partition has `grown`."""
        for _ in range(MOST_STARTS):
            await self._start(key)
            await asyncio.sleep(ARRIVAL_SECONDS)
            if grown(await self._level()):
                await asyncio.sleep(SETTLE_SECONDS)  # tasks are read in the background
                return await self._level()
        return None

    async def _level(self) -> _Level:
        answer = await self._connection.call(
            lambda client: client.workflow_service.describe_task_queue,
            DescribeTaskQueueRequest(
                namespace=self._namespace,
                task_queue=TaskQueue(name=self.queue),
                task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
                include_task_queue_status=True,
            ),
            what="look at the probe queue",
            deadline=self._deadline,
        )
        status = answer.task_queue_status
        return _Level(status.backlog_count_hint, status.read_level)

    async def _start(self, key: str) -> None:
        name = f"headroom-fairness-probe-{secrets.token_hex(8)}"
        self._started.append(name)
        await self._connection.call(
            lambda client: client.workflow_service.start_workflow_execution,
            StartWorkflowExecutionRequest(
                namespace=self._namespace,
                workflow_id=name,
                workflow_type=WorkflowType(name=PROBE_TYPE),
                task_queue=TaskQueue(name=self.queue),
                workflow_run_timeout=EXPIRY,
                request_id=name,
                identity="headroom",
                priority=Priority(fairness_key=key),
            ),
            what="start a probe workflow",
            deadline=self._deadline,
            write=True,
        )

    async def _clean_up(self) -> None:
        await _quietly(*(self._delete(name) for name in self._started))
        # The tasks of deleted workflows stay in the backlog until somebody asks for them.
        await _quietly(*(self._empty_queue() for _ in range(4)))

    async def _delete(self, name: str) -> None:
        await self._connection.call(
            lambda client: client.workflow_service.delete_workflow_execution,
            DeleteWorkflowExecutionRequest(
                namespace=self._namespace, workflow_execution=WorkflowExecution(workflow_id=name)
            ),
            what="delete a probe workflow",
            deadline=asyncio.get_running_loop().time() + 5,
            write=True,
        )

    async def _empty_queue(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(EMPTY_QUEUE_SECONDS):
                await self._connection.call(
                    lambda client: client.workflow_service.poll_workflow_task_queue,
                    PollWorkflowTaskQueueRequest(
                        namespace=self._namespace,
                        task_queue=TaskQueue(name=self.queue),
                        identity="headroom",
                    ),
                    what="empty the probe queue",
                    deadline=asyncio.get_running_loop().time() + 10,
                    attempts=1,
                )


async def _quietly(*calls: Awaitable[None]) -> None:
    """Await all; what cannot be cleaned up expires by itself."""
    for outcome in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(outcome, BaseException) and not isinstance(outcome, ExternalError):
            raise outcome
