"""Starts one workflow for each way to end, and does to it what that takes."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from datetime import timedelta
from typing import Any

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import (
    Client,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowUpdateFailedError,
)
from temporalio.common import (
    Priority,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkerDeploymentVersion,
)
from temporalio.worker import Worker, WorkerDeploymentConfig

from deploy.demo.workloads.temporal_endings import (
    ApprovalFlow,
    FamilyFlow,
    HaulFlow,
    ImportFlow,
    InvoiceFlow,
    LetterFlow,
    Order,
    PollFlow,
    ShiftingFlowAfter,
    ShiftingFlowBefore,
    SlowFlow,
    charge_card,
)

TENANT = SearchAttributeKey.for_keyword("TenantId")
Handle = WorkflowHandle[Any, Any]


class Starter:
    """Starts workflows of one tenant on one queue, with ids that say how they will end."""

    def __init__(self, client: Client, queue: str, tenant: str) -> None:
        self.client = client
        self.queue = queue
        self.tenant = tenant
        self.batch = uuid.uuid4().hex[:8]
        self.handles: dict[str, Handle] = {}

    async def start(self, ending: str, workflow: Any, *arguments: Any, **more: Any) -> Handle:
        """Starts one; its id is TENANT-ENDING-BATCH."""
        queue = more.pop("task_queue", self.queue)
        handle: Handle = await self.client.start_workflow(
            workflow,
            args=arguments,
            id=f"{self.tenant}-{ending}-{self.batch}",
            task_queue=queue,
            search_attributes=TypedSearchAttributes([SearchAttributePair(TENANT, self.tenant)]),
            memo={"headroom.request_id": f"req-{self.batch}", "headroom.trace_id": self.batch * 4},
            priority=Priority(fairness_key=self.tenant),
            **more,
        )
        self.handles[ending] = handle
        return handle


async def start_all(client: Client, queue: str, tenant: str) -> dict[str, Handle]:
    """One workflow for each ending, by the ending's name; returns when all have ended but the one
    that its code no longer fits. Takes about 20 s and needs a worker on `queue`."""
    starter = Starter(client, queue, tenant)
    order = Order(tenant, 7)
    await starter.start("success", InvoiceFlow.run, order, static_summary="an invoice")
    await starter.start("failure", LetterFlow.run, order)
    await starter.start("cause", ImportFlow.run, 12, True)  # noqa: FBT003  # arguments of a run
    await starter.start("heartbeat-timeout", ImportFlow.run, 8, False)  # noqa: FBT003
    await starter.start("continued", PollFlow.run, 2)
    await starter.start("family", FamilyFlow.run, order)
    await starter.start("timeout", SlowFlow.run, run_timeout=timedelta(seconds=2))
    await starter.start("haul", HaulFlow.run, 5)
    await asyncio.gather(
        signal(starter, order),
        cancel(starter, order),
        terminate(starter, order),
        reset(starter, order),
        shift(starter, order),
    )
    finished = [handle for ending, handle in starter.handles.items() if ending != "non-determinism"]
    await asyncio.gather(*(handle.result() for handle in finished), return_exceptions=True)
    return starter.handles


async def signal(starter: Starter, order: Order) -> None:
    """An update, an update that is refused, a signal."""
    handle = await starter.start("signal", ApprovalFlow.run, order)
    await handle.execute_update(ApprovalFlow.approve, "alice")
    with contextlib.suppress(WorkflowUpdateFailedError):
        await handle.execute_update(ApprovalFlow.approve, "")
    await handle.signal(ApprovalFlow.release, "go on")


async def cancel(starter: Starter, order: Order) -> None:
    """Asks it to end by itself."""
    handle = await starter.start("cancel", ApprovalFlow.run, order)
    await handle.cancel()


async def terminate(starter: Starter, order: Order) -> None:
    """Ends it from outside."""
    handle = await starter.start("terminate", ApprovalFlow.run, order)
    await handle.terminate(reason="wrong customer")


async def reset(starter: Starter, order: Order) -> None:
    """Ends well, and then again from its first workflow task."""
    handle = await starter.start("reset", InvoiceFlow.run, order)
    try:
        await handle.result()
    except WorkflowFailureError:
        return
    answer = await starter.client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=starter.client.namespace,
            workflow_execution=WorkflowExecution(
                workflow_id=handle.id, run_id=handle.first_execution_run_id or ""
            ),
            reason="the second charge was wrong",
            workflow_task_finish_event_id=4,
            request_id=str(uuid.uuid4()),
        )
    )
    starter.handles["reset-again"] = starter.client.get_workflow_handle(
        handle.id, run_id=answer.run_id
    )


async def shift(starter: Starter, order: Order) -> None:
    """Begins with one version of the code and goes on with another that does not fit.

    Brings its own workers, one after the other. The run is stuck afterwards, until its time ends.
    """
    queue = f"{starter.queue}-shifting"
    handle = await starter.start(
        "non-determinism",
        ShiftingFlowBefore.run,
        order,
        task_queue=queue,
        run_timeout=timedelta(minutes=2),
    )
    async with _worker(starter.client, queue, ShiftingFlowBefore, "build-a"):
        await _until(handle, "TIMER_STARTED")
    async with _worker(starter.client, queue, ShiftingFlowAfter, "build-b"):
        await _until(handle, "WORKFLOW_TASK_FAILED")


def _worker(client: Client, queue: str, version: type[Any], build: str) -> Worker:
    return Worker(
        client,
        task_queue=queue,
        workflows=[version],
        activities=[charge_card],
        identity=f"worker-of-{build}",
        # Without a cache the next worker gets the whole history at once.
        max_cached_workflows=0,
        deployment_config=WorkerDeploymentConfig(
            version=WorkerDeploymentVersion("shifting", build), use_worker_versioning=False
        ),
    )


async def _until(handle: Handle, wanted: str) -> None:
    """Until an event of that type is in the history, at most 20 s."""
    number = _event_types()[f"EVENT_TYPE_{wanted}"]
    async with asyncio.timeout(20):
        while True:
            history = await handle.fetch_history()
            if any(event.event_type == number for event in history.events):
                return
            await asyncio.sleep(0.1)


def _event_types() -> dict[str, int]:
    return {name: int(value) for name, value in EventType.items()}
