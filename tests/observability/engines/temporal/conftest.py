"""A namespace in which a workflow has ended in each way, read once."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass

import pytest
from temporalio.client import Client
from temporalio.worker import Worker

from console.clients.temporal.client import TemporalClient
from deploy.demo.workloads.start_temporal_endings import start_all
from deploy.demo.workloads.temporal_endings import activities, workflows
from observability.engines.contracts import EventKind, RunEvent, RunSnapshot
from observability.engines.temporal.source import TemporalSource
from tenants.contracts import TargetRef
from tests.observability.engines.temporal.memory_reader import Reading
from tests.observability.engines.temporal.start_workflows import HEARTBEATS


def target_of(address: str, namespace: str) -> TargetRef:
    return TargetRef(1, "lab", "temporal", address, "", {"namespace": namespace})


def new_namespace(address: str) -> str:
    """One of its own, so that a test sees only what it started."""
    name = f"trail-{uuid.uuid4().hex[:8]}"
    client = TemporalClient(address, name)
    client.register_namespace(retention=86400)
    client.ensure_search_attributes({"TenantId": "Keyword"})
    return name


@pytest.fixture
def reading(temporal_address: str) -> Reading:
    """A namespace of the test's own, and a reader of it."""
    return Reading(TemporalSource(), target_of(temporal_address, new_namespace(temporal_address)))


@dataclass
class Endings:
    """The runs by how they ended, in the order in which they began."""

    reading: Reading
    workflow_ids: dict[str, str]

    def runs(self, ending: str) -> list[RunSnapshot]:
        return self.reading.rows.of(self.workflow_ids[ending])

    def run(self, ending: str) -> RunSnapshot:
        return self.runs(ending)[-1]

    def story(self, ending: str) -> list[RunEvent]:
        return self.reading.rows.story(self.run(ending))

    def kinds(self, ending: str) -> list[EventKind]:
        return [event.kind for event in self.story(ending)]

    def first(self, ending: str, kind: EventKind) -> RunEvent:
        return next(event for event in self.story(ending) if event.kind is kind)


@pytest.fixture(scope="package")
def endings(temporal_address: str) -> Endings:
    """Everything that deploy/demo/workloads can do, done and read."""
    namespace = new_namespace(temporal_address)
    reading = Reading(TemporalSource(), target_of(temporal_address, namespace))
    return Endings(reading, asyncio.run(_end_all(temporal_address, namespace, reading)))


async def _end_all(address: str, namespace: str, reading: Reading) -> dict[str, str]:
    client = await Client.connect(address, namespace=namespace)
    worker = Worker(
        client,
        task_queue="endings",
        workflows=workflows(),
        activities=activities(),
        disable_eager_activity_execution=True,
        max_heartbeat_throttle_interval=HEARTBEATS,
    )
    async with worker:
        handles = await start_all(client, "endings", "acme")
    ids = {ending: handle.id for ending, handle in handles.items()}
    unsettled = {ids["non-determinism"]}

    def settled() -> bool:
        runs = reading.rows.runs.values()
        done = [run for run in runs if run.closed_at or run.external_id in unsettled]
        return len({run.external_id for run in done}) >= len(set(ids.values()))

    await asyncio.to_thread(reading.until, settled)
    return ids
