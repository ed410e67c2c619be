"""Starts workflows for tests, with or without a worker."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.worker import Worker

from deploy.demo.workloads.temporal_endings import activities, workflows
from tests.observability.engines.temporal.memory_reader import Reading

QUEUE = "endings"
HEARTBEATS = timedelta(milliseconds=200)
"""How far apart a worker sends them at most, so that a busy machine has the rest of the timeout."""


async def connect(reading: Reading) -> Client:
    return await Client.connect(
        reading.target.endpoint, namespace=str(reading.target.options["namespace"])
    )


def with_worker(reading: Reading, act: Callable[[Client], Awaitable[Any]]) -> Any:
    """Runs `act(client)` while a worker works."""

    async def go() -> Any:
        client = await connect(reading)
        worker = Worker(
            client,
            task_queue=QUEUE,
            workflows=workflows(),
            activities=activities(),
            disable_eager_activity_execution=True,
            max_heartbeat_throttle_interval=HEARTBEATS,
        )
        async with worker:
            return await act(client)

    return asyncio.run(go())


def without_worker(reading: Reading, act: Callable[[Client], Awaitable[Any]]) -> Any:
    """Runs `act(client)`; nobody takes up what it starts."""

    async def go() -> Any:
        return await act(await connect(reading))

    return asyncio.run(go())


async def start(client: Client, workflow: str, *arguments: Any, **more: Any) -> Any:
    """A workflow with a name of its own unless one is given."""
    name = more.pop("id", f"run-{uuid.uuid4().hex[:8]}")
    return await client.start_workflow(workflow, args=arguments, id=name, task_queue=QUEUE, **more)
