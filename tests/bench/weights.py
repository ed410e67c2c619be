"""The weights of 1,000 tenants on one shared Temporal task queue, in calls."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

from quotas.enforcement.reconcile.planning import target_ref
from tenants.adapters.temporal import client_for
from tests.bench import sample_rows
from tests.bench.figures import Figure, less_is_better, progress
from tests.servers import temporal_server

TENANTS: Final = int(os.environ.get("BENCH_WEIGHTS_TENANTS", "1000"))
QUEUE: Final = "shared"


def run(home: Path) -> list[Figure]:
    """Writes that the client sent; every weight is read back."""
    del home
    with temporal_server() as server:
        target = sample_rows.target(
            "temporal",
            "temporal",
            endpoint=server.address,
            options={"namespace": "default", "queues": {QUEUE: {"base_rate": 10_000}}},
        )
        slugs = [f"w-{index:04d}" for index in range(TENANTS)]
        people = sample_rows.settle_in(target, sample_rows.plan(), slugs, queue=QUEUE)
        client = client_for(target_ref(target))
        client.probe()
        sample_rows.order(people)
        before = client.counter.copy()
        begun = time.perf_counter()
        sample_rows.carry_out(people)
        seconds = time.perf_counter() - begun
        calls = client.counter.since(before)
        weights = client.queue_config(QUEUE).weights
        if set(weights) != set(slugs):
            raise AssertionError(f"{len(weights)} weights are set instead of {TENANTS}")
        progress(f"{TENANTS} weights: {calls.writes} writes, {calls.reads} reads, {seconds:.2f} s")
    note = f"{TENANTS} tenants, {calls.reads} reads, {seconds:.2f} s with rows and rollout"
    return [
        less_is_better(
            *("temporal_weights", "calls", calls.writes, "calls"), "one per tenant", TENANTS, note
        )
    ]
