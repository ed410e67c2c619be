"""Build 42 of the sample's batches: it lets large ones rest first, which recorded runs did not.

A bundle to replay against: runs of up to four steps fit it, longer ones diverge.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

LARGE = 4


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
    """Runs the steps one after the other."""

    @workflow.run
    async def run(self, batch: Batch) -> int:
        """Returns the number of steps done."""
        for number in range(batch.steps):
            if number == LARGE:
                await asyncio.sleep(1)
            await workflow.execute_activity(
                "crunch",
                Step(batch.tenant, number, batch.seconds),
                task_queue=batch.queue,
                start_to_close_timeout=timedelta(seconds=60),
                retry_policy=RetryPolicy(maximum_attempts=3),
            )
        return batch.steps
