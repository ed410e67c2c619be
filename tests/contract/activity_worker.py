"""A Temporal worker for tests: it starts activities by the hundred and counts what really ran."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from concurrent.futures import Future
from contextlib import AsyncExitStack
from datetime import timedelta
from uuid import uuid4

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import Priority
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from tests.waiting import PATIENCE

COUNTS: Counter[str] = Counter()


@activity.defn
async def tick(name: str) -> None:
    """Count one start."""
    COUNTS[name] += 1


@workflow.defn
class Flood:
    """Starts many activities at once on another queue."""

    @workflow.run
    async def run(self, queue: str, name: str, number: int) -> None:
        """`number` activities that count as `name`."""
        await asyncio.gather(
            *(
                workflow.execute_activity(
                    tick, name, task_queue=queue, start_to_close_timeout=timedelta(minutes=5)
                )
                for _ in range(number)
            )
        )


class ActivityWorker:
    """Works on some activity queues in a thread of its own, until `stop`."""

    def __init__(self, address: str, queues: tuple[str, ...], *, workflows: str = "") -> None:
        self._workflows = workflows or f"flood-{uuid4().hex[:8]}"
        self._queues = queues
        self._ready: Future[tuple[asyncio.AbstractEventLoop, Client, asyncio.Event]] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._work(address)), daemon=True
        )
        self._thread.start()
        self._loop, self._client, self._ended = self._ready.result(PATIENCE)

    async def _work(self, address: str) -> None:
        try:
            client = await Client.connect(address)
            ended = asyncio.Event()
            async with AsyncExitStack() as stack:
                await stack.enter_async_context(
                    Worker(
                        client,
                        task_queue=self._workflows,
                        workflows=[Flood],
                        workflow_runner=UnsandboxedWorkflowRunner(),
                    )
                )
                for queue in self._queues:
                    await stack.enter_async_context(
                        Worker(client, task_queue=queue, activities=[tick])
                    )
                self._ready.set_result((asyncio.get_running_loop(), client, ended))
                await ended.wait()
        except Exception as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)

    def flood(self, queue: str, number: int, *, key: str = "") -> str:
        """Start activities on a queue (with a fairness key); the name they count under."""
        name = f"{queue}-{key}-{uuid4().hex[:8]}"

        async def start() -> None:
            await self._client.start_workflow(
                Flood.run,
                args=[queue, name, number],
                id=name,
                task_queue=self._workflows,
                priority=Priority(fairness_key=key) if key else Priority(),
            )

        asyncio.run_coroutine_threadsafe(start(), self._loop).result(PATIENCE)
        return name

    def stop(self) -> None:
        """Stop working. What still waits stays in the queues."""
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(PATIENCE)


def ran(name: str, seconds: float) -> int:
    """How many activities start within some seconds: of what is held, none, however long."""
    before = COUNTS[name]
    time.sleep(seconds)  # clock: there is nothing to wait for
    return COUNTS[name] - before
