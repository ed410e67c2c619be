"""Many finished Temporal runs with histories, made by a worker process of its own.

`python -m tests.bench.temporal_runs ADDRESS COUNT` starts COUNT workflows of one activity each (11
events) and ends when all have ended.
"""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import timedelta
from typing import Final

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

QUEUE: Final = "bench"
TENANTS: Final = 50
_AT_ONCE: Final = 100
_TENANT: Final = SearchAttributeKey.for_keyword("TenantId")


@activity.defn(name="charge")
async def charge(amount: int) -> int:
    """What most jobs do: something small."""
    return amount


@workflow.defn(name="InvoiceFlow")
class InvoiceFlow:
    """One activity."""

    @workflow.run
    async def run(self, amount: int) -> int:
        """Charges once."""
        return await workflow.execute_activity(
            charge, amount, start_to_close_timeout=timedelta(seconds=60)
        )


async def make(address: str, count: int) -> None:
    """Starts and finishes them, some at a time."""
    client = await Client.connect(address)
    numbers = iter(range(count))

    async def some() -> None:
        for number in numbers:
            tenant = SearchAttributePair(_TENANT, f"bench-{number % TENANTS:02d}")
            handle = await client.start_workflow(
                InvoiceFlow.run,
                number,
                id=f"invoice-{number:06d}",
                task_queue=QUEUE,
                search_attributes=TypedSearchAttributes([tenant]),
            )
            await handle.result()

    async with Worker(
        client,
        task_queue=QUEUE,
        workflows=[InvoiceFlow],
        activities=[charge],
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_concurrent_workflow_tasks=_AT_ONCE,
        max_concurrent_activities=_AT_ONCE,
    ):
        await asyncio.gather(*(some() for _ in range(_AT_ONCE)))


if __name__ == "__main__":
    asyncio.run(make(sys.argv[1], int(sys.argv[2])))
    os._exit(0)  # the SDK's threads may crash an orderly end of the interpreter
