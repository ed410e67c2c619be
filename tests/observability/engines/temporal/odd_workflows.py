"""Workflows of unusual shape, and the clients and workers to run them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.converter import DataConverter, DefaultFailureConverterWithEncodedAttributes
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from tests.observability.engines.temporal.memory_reader import Reading

QUEUE = "odd"
ENCODING = DataConverter(failure_converter_class=DefaultFailureConverterWithEncodedAttributes)
ONCE = RetryPolicy(maximum_attempts=1)


@activity.defn
async def charge(how: str) -> str:
    if how == "fails":
        raise ApplicationError("card 17 was declined", type="PaymentError")
    return "paid"


@workflow.defn
class Odd:
    @workflow.run
    async def run(self, how: str) -> Any:
        if how == "bigint":
            return {"id": 2**70 + 1, "safe": 2**53 + 1, "price": 0.1}
        if how == "sleeps":
            await workflow.sleep(timedelta(hours=2))
        if how == "waits for nobody":
            return await workflow.execute_activity(
                charge,
                "pays",
                task_queue="nobody-polls",
                start_to_close_timeout=timedelta(minutes=1),
            )
        if how in ("fails", "keeps failing"):
            return await workflow.execute_activity(
                charge,
                "fails",
                start_to_close_timeout=timedelta(minutes=1),
                retry_policy=ONCE if how == "fails" else RetryPolicy(backoff_coefficient=1.0),
            )
        if how == "fails itself":
            raise ApplicationError("card 17 was declined", type="PaymentError")
        return "done"


async def connect(reading: Reading, **more: Any) -> Client:
    namespace = str(reading.target.options["namespace"])
    return await Client.connect(reading.target.endpoint, namespace=namespace, **more)


def odd_worker(client: Client) -> Worker:
    return Worker(
        client,
        task_queue=QUEUE,
        workflows=[Odd],
        activities=[charge],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )


def at_work(
    reading: Reading, act: Callable[[Client], Awaitable[Any]], *, worker: bool = True, **more: Any
) -> Any:
    """Runs `act(client)`, by default while a worker works."""

    async def go() -> Any:
        client = await connect(reading, **more)
        if not worker:
            return await act(client)
        async with odd_worker(client):
            return await act(client)

    return asyncio.run(go())


async def begin(client: Client, how: str, **more: Any) -> str:
    """The id of a workflow that was started."""
    name = more.pop("id", f"odd-{how.replace(' ', '-')}")
    await client.start_workflow("Odd", how, id=name, task_queue=QUEUE, **more)
    return str(name)


async def finish(client: Client, how: str, **more: Any) -> str:
    """The id of a workflow that has ended, however it did."""
    name = await begin(client, how, **more)
    await asyncio.gather(client.get_workflow_handle(name).result(), return_exceptions=True)
    return name
