"""The workflows that the sample tenants run: batches on the tenant's queue, and a close that starts
jobs on every engine that the tenant has."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy


@dataclass(frozen=True)
class Batch:
    """What one run does: `steps` activities of about `seconds` each on the queue `queue`."""

    tenant: str
    queue: str
    steps: int
    seconds: float


@dataclass(frozen=True)
class Step:
    """One activity's input."""

    tenant: str
    number: int
    seconds: float


@workflow.defn
class SampleBatch:
    """Runs the steps one after the other, so that a rate limit shows as waiting."""

    @workflow.run
    async def run(self, batch: Batch) -> int:
        """Returns the number of steps done."""
        for number in range(batch.steps):
            await workflow.execute_activity(
                "crunch",
                Step(batch.tenant, number, batch.seconds),
                task_queue=batch.queue,
                start_to_close_timeout=timedelta(seconds=60),
                retry_policy=RetryPolicy(maximum_attempts=3),
            )
        return batch.steps


@dataclass(frozen=True)
class Close:
    """What a nightly close is of. `launches` names the activities that start jobs elsewhere;
    `request` and `trace` are handed on to everything that it starts."""

    tenant: str
    launches: list[str]
    request: str
    trace: str


@dataclass(frozen=True)
class Launch:
    """One job to start on another engine, for the run whose key is `parent`."""

    tenant: str
    parent: str
    request: str
    trace: str


@workflow.defn
class NightlyClose:
    """Starts a job on each engine, all of one request, and has a batch as its child."""

    @workflow.run
    async def run(self, close: Close, batch: Batch) -> list[str]:
        """Returns the names of what it started."""
        own = workflow.info()
        parent = f"temporal/{own.namespace}/{own.workflow_id}/{own.run_id}"
        launch = Launch(close.tenant, parent, close.request, close.trace)
        names = [
            await workflow.execute_activity(
                name,
                launch,
                result_type=str,
                start_to_close_timeout=timedelta(seconds=60),
                retry_policy=RetryPolicy(maximum_attempts=3),
                summary=name.replace("_", " "),
            )
            for name in close.launches
        ]
        # Says nothing of its tenant: that is known from its parent.
        await workflow.execute_child_workflow(
            SampleBatch.run, batch, id=f"{own.workflow_id}-figures"
        )
        return names
