"""Workflows that wait to be acted on, and the worker that runs them, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from datetime import timedelta
from typing import Any, TypeVar
from uuid import uuid4

from temporalio import activity, workflow
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHandle
from temporalio.common import (
    RetryPolicy,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
)
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from tests.waiting import PATIENCE, until

T = TypeVar("T")
TENANT = SearchAttributeKey.for_keyword("TenantId")


@activity.defn
async def fail(name: str) -> None:
    """Never works."""
    raise RuntimeError(f"{name} is down")


@workflow.defn
class WaitingWorkflow:
    """Waits for the signal `go`, and says what came with it."""

    def __init__(self) -> None:
        self._said: list[Any] = []

    @workflow.run
    async def run(self, with_activity: bool) -> Any:
        """One timer, so that there are two workflow tasks; then a broken activity, or waiting."""
        await asyncio.sleep(0.01)  # clock: a timer of the workflow's
        if with_activity:
            await workflow.execute_activity(
                fail,
                "disk",
                activity_id="broken",
                start_to_close_timeout=timedelta(seconds=PATIENCE),
                retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=200)),
            )
        await workflow.wait_condition(lambda: bool(self._said))
        return self._said[0]

    @workflow.signal
    def go(self, value: Any = None) -> None:
        """Ends the waiting."""
        self._said.append(value)


class WorkflowWorker:
    """Starts workflows and looks at them."""

    def __init__(self, address: str) -> None:
        self.queue = f"worker-{uuid4().hex[:8]}"
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
            async with Worker(
                client,
                task_queue=self.queue,
                workflows=[WaitingWorkflow],
                activities=[fail],
                workflow_runner=UnsandboxedWorkflowRunner(),
                disable_eager_activity_execution=True,
            ):
                self._ready.set_result((asyncio.get_running_loop(), client, ended))
                await ended.wait()
        except BaseException as error:
            if not self._ready.done():
                self._ready.set_exception(error)
            raise

    def stop(self) -> None:
        """Ends the worker."""
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(PATIENCE)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine with the worker's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def start_waiting(
        self, *, activity: bool = False, tenant: str = ""
    ) -> WorkflowHandle[Any, Any]:
        """Starts a workflow and waits until it waits."""
        attributes = TypedSearchAttributes([SearchAttributePair(TENANT, tenant)] if tenant else [])
        handle = self.run(
            self._client.start_workflow(
                WaitingWorkflow.run,
                activity,
                id=f"workflow-{uuid4().hex[:8]}",
                task_queue=self.queue,
                search_attributes=attributes,
            )
        )
        until(lambda: len(self.events(handle, "WORKFLOW_TASK_COMPLETED")) >= 2)
        return handle

    def events(self, handle: WorkflowHandle[Any, Any], kind: str = "") -> list[HistoryEvent]:
        """The run's history, or its events of one kind."""
        history = self.run(handle.fetch_history())
        wanted = EventType.Value(f"EVENT_TYPE_{kind}") if kind else None
        return [event for event in history.events if wanted in (None, event.event_type)]

    def status(self, handle: WorkflowHandle[Any, Any]) -> str:
        """running, terminated …"""
        status = self.run(handle.describe()).status
        return status.name.lower() if status else ""

    def pending(self, handle: WorkflowHandle[Any, Any]) -> Any:
        """The only pending activity."""
        activities = self.run(handle.describe()).raw_description.pending_activities
        return activities[0] if activities else None

    def handle(self, workflow_id: str, run_id: str) -> WorkflowHandle[Any, Any]:
        """Another run."""
        return self._client.get_workflow_handle(workflow_id, run_id=run_id)
