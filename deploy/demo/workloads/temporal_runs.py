"""Sample Temporal runs for every tenant: a burst of each ending, then batches at a steady pace."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

from temporalio import activity
from temporalio.client import Client
from temporalio.common import Priority, SearchAttributeKey, SearchAttributePair
from temporalio.common import TypedSearchAttributes as Attributes
from temporalio.worker import Worker

from deploy.demo.sample import Sample, SampleTenant
from deploy.demo.workloads.launch_activities import launch_flow, launch_job, launch_task
from deploy.demo.workloads.start_temporal_endings import (
    Starter,
    cancel,
    reset,
    shift,
    signal,
    terminate,
)
from deploy.demo.workloads.temporal_endings import (
    ApprovalFlow,
    FamilyFlow,
    ImportFlow,
    InvoiceFlow,
    LetterFlow,
    Order,
    PollFlow,
    SlowFlow,
    activities,
    workflows,
)
from deploy.demo.workloads.temporal_workflows import (
    Batch,
    Close,
    NightlyClose,
    SampleBatch,
    Step,
)

Keep = Callable[..., Awaitable[None]]
TENANT: Final = SearchAttributeKey.for_keyword("TenantId")
AT_ONCE: Final = 7
"""Batches that each tenant starts with."""
ENDING_SECONDS: Final = 600.0
CLOSE_SECONDS: Final = 900.0


@activity.defn(name="crunch")
async def crunch(step: Step) -> int:
    """Pretends to work for about the time that the step says."""
    await asyncio.sleep(step.seconds * random.uniform(0.5, 1.5))
    return step.number


async def start_batch(client: Client, sample: Sample, tenant: SampleTenant) -> None:
    """Starts one batch on the queue of its tenant."""
    queue = tenant.queue or sample.shared_queue
    # A dedicated queue needs no key; on the shared one the key is what tells tenants apart.
    priority = Priority() if tenant.queue else Priority(fairness_key=tenant.slug)
    await client.start_workflow(
        SampleBatch.run,
        Batch(tenant.slug, queue, steps=random.randint(2, 6), seconds=0.3),
        id=f"{tenant.slug}-batch-{time.time_ns():x}",
        task_queue=sample.workflow_queue,
        search_attributes=Attributes([SearchAttributePair(TENANT, tenant.slug)]),
        priority=priority,
    )


async def start_batches(client: Client, sample: Sample, tenant: SampleTenant) -> None:
    """Several at once, then at the tenant's pace, for ever."""
    for _ in range(AT_ONCE):
        await start_batch(client, sample, tenant)
        await asyncio.sleep(0.3)
    while True:
        await asyncio.sleep(60 / tenant.runs_per_minute * random.uniform(0.6, 1.4))
        await start_batch(client, sample, tenant)


async def close_nightly(client: Client, sample: Sample, tenant: SampleTenant) -> None:
    """A run that starts others on every engine that the tenant has, every quarter of an hour."""
    launches = ["launch_job"] if tenant.jobs_per_minute else []
    launches += ["launch_flow"] if tenant.flows_per_minute else []
    launches += ["launch_task"] if tenant.task_queue else []
    queue = tenant.queue or sample.shared_queue
    while True:
        request, trace = f"req-{uuid.uuid4().hex[:10]}", uuid.uuid4().hex
        await client.start_workflow(
            NightlyClose.run,
            args=[
                Close(tenant.slug, launches, request, trace),
                Batch(tenant.slug, queue, steps=3, seconds=0.3),
            ],
            id=f"{tenant.slug}-close-{request[4:]}",
            task_queue=sample.workflow_queue,
            search_attributes=Attributes([SearchAttributePair(TENANT, tenant.slug)]),
            memo={"headroom.request_id": request, "headroom.trace_id": trace},
            priority=Priority(fairness_key=tenant.slug),
        )
        await asyncio.sleep(CLOSE_SECONDS)


async def _succeed(starter: Starter, order: Order) -> None:
    await starter.start("invoice", InvoiceFlow.run, order, static_summary="an invoice")


async def _fail(starter: Starter, order: Order) -> None:
    await starter.start("letter", LetterFlow.run, order)


async def _cause(starter: Starter, order: Order) -> None:
    await starter.start("import", ImportFlow.run, order.number, True)  # noqa: FBT003  # a payload


async def _resume(starter: Starter, order: Order) -> None:
    await starter.start("count", ImportFlow.run, 8 + order.number % 5, False)  # noqa: FBT003


async def _continue(starter: Starter, _order: Order) -> None:
    await starter.start("poll", PollFlow.run, 2)


async def _family(starter: Starter, order: Order) -> None:
    await starter.start("family", FamilyFlow.run, order)


async def _time_out(starter: Starter, _order: Order) -> None:
    await starter.start("sleep", SlowFlow.run, run_timeout=timedelta(seconds=8))


async def _wait(starter: Starter, order: Order) -> None:
    """Somebody has to release it: there to be acted on."""
    await starter.start("approval", ApprovalFlow.run, order, run_timeout=timedelta(minutes=30))


COMMON: Final = (_succeed, _fail, _cause, _resume, _continue, _family, _time_out)
BY_HAND: Final = (_wait, signal, cancel, terminate, reset)


async def end_in_every_way(client: Client, sample: Sample, tenant: SampleTenant) -> None:
    """One run of each ending, then some ending now and then."""
    ways: list[Callable[[Starter, Order], Awaitable[None]]] = [*COMMON, *BY_HAND]
    if tenant.queue:
        ways.append(shift)
    while True:
        for way in ways:
            starter = Starter(client, sample.workflow_queue, tenant.slug)
            await way(starter, Order(tenant.slug, random.randint(7, 9999)))
            await asyncio.sleep(random.uniform(0.1, 0.6))
        ways = [random.choice((*COMMON, *BY_HAND))]
        await asyncio.sleep(ENDING_SECONDS * random.uniform(0.6, 1.4))


async def temporal_side(sample: Sample, address: str, keep: Keep) -> None:
    """A worker for the workflows, one for each queue of activities, and the starters."""
    client = await Client.connect(address)
    queues = {sample.shared_queue, *(tenant.queue for tenant in sample.tenants if tenant.queue)}
    launches: list[Any] = [launch_job, launch_flow, launch_task]
    workers = [
        Worker(
            client,
            task_queue=sample.workflow_queue,
            workflows=[SampleBatch, NightlyClose, *workflows()],
            activities=[*activities(), *launches],
            # Progress is seen as it is made, not four fifths of a heartbeat timeout later.
            max_heartbeat_throttle_interval=timedelta(milliseconds=800),
        )
    ]
    for queue in sorted(queues):
        # Eager activities would pass every limit of the queue by.
        own = await Client.connect(address)
        workers.append(
            Worker(
                own,
                task_queue=queue,
                activities=[crunch],
                max_concurrent_activities=20,
                disable_eager_activity_execution=True,
            )
        )
    active = [tenant for tenant in sample.tenants if tenant.runs_per_minute]
    starters = [
        keep(f"{tenant.slug} ({make.__name__})", make, client, sample, tenant)
        for make in (start_batches, end_in_every_way)
        for tenant in active
    ]
    starters += [
        keep(f"{tenant.slug} (close)", close_nightly, client, sample, tenant)
        for tenant in active
        if tenant.task_queue
    ]
    await asyncio.gather(*(worker.run() for worker in workers), *starters)
