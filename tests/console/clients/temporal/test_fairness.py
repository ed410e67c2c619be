"""Against real Temporal servers with fairness on and off."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import pytest

from console.clients import bridge
from console.clients.contracts import QueueKind
from console.clients.temporal.client import TemporalClient
from console.clients.temporal.fairness import FairnessProbe
from console.errors import Unreachable
from tests.servers import temporal_server
from tests.waiting import PATIENCE, until


@pytest.mark.parametrize(("fairness", "partitions"), [(True, 4), (False, 4), (False, 1)])
def test_the_probe_tells_whether_fairness_is_on_and_cleans_up(
    *, fairness: bool, partitions: int
) -> None:
    with temporal_server(fairness=fairness, partitions=partitions) as server:
        client = TemporalClient(server.address)
        assert client.fairness_enabled() is fairness
        listed = [
            str(Path(sys.executable).parent / "temporal"),
            "workflow",
            "list",
            "--address",
            server.address,
        ]
        done = subprocess.run(listed, capture_output=True, text=True, timeout=PATIENCE, check=True)
        assert done.stdout.strip().splitlines() == []


def test_the_probe_leaves_no_backlog(temporal_address: str) -> None:
    client = TemporalClient(temporal_address)

    async def probe() -> FairnessProbe:
        end = asyncio.get_running_loop().time() + PATIENCE
        experiment = FairnessProbe(client._connection, "default", end)
        assert await experiment.run() is True
        return experiment

    queue = bridge.run(probe, PATIENCE).queue
    until(lambda: not client.queue_stats(queue, QueueKind.WORKFLOW).backlog)  # cached for 5 s


def test_a_probe_that_cannot_reach_the_server_fails_in_time() -> None:
    begun = time.monotonic()
    with pytest.raises(Unreachable):
        TemporalClient("127.0.0.1:9").fairness_enabled(timeout=1)  # clock: nobody is there
    assert time.monotonic() - begun < PATIENCE
