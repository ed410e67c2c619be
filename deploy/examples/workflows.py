"""The workflow that the sample tenants run: a few steps, each an activity on the tenant's queue."""

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
