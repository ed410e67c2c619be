"""Taking 10,000 finished Temporal runs with their histories into the trail, beside the loop of the
SDK that only lists and fetches them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from console.clients.temporal.client import TemporalClient
from observability.jobs.models import ArchiveState, JobEvent, JobRun
from tenants.services.governance import create_tenant
from tests.bench import sample_rows
from tests.bench.figures import Figure, median, more_is_better, progress
from tests.bench.temporal_readers import AT_ONCE, EVENTS_EACH
from tests.bench.temporal_runs import TENANTS
from tests.servers import temporal_server

RUNS: Final = int(os.environ.get("BENCH_TEMPORAL_RUNS", "10000"))
ROUNDS: Final = 2
LEAST_EVENTS: Final = 5
"""Rows of one run: workflow tasks are bookkeeping of the engine and become no rows."""


def run(home: Path) -> list[Figure]:
    """Both read the same server one after the other, twice; the medians are compared."""
    with temporal_server() as server:
        _populate(server.address)
        plain, together, ours = [], [], []
        for number in range(ROUNDS):
            plain.append(_child("plain", server.address))
            together.append(_child("together", server.address))
            ours.append(_ours(home, server.address, number))
    rate = median([figures["rate"] for figures in ours])
    peak = max(figures["mib"] for figures in ours)
    loop, quick = (median([figures["rate"] for figures in rounds]) for rounds in (plain, together))
    note = f"{RUNS} runs, {EVENTS_EACH} events each, rows and archive included"
    return [
        more_is_better(
            "ingest_temporal", "rate_vs_sdk_loop", rate, "runs/s", "SDK loop", loop, note
        ),
        more_is_better(
            *("ingest_temporal", "rate_vs_sdk_8_at_once", rate, "runs/s"),
            *(f"SDK, {AT_ONCE} fetches at once", quick),
        ),
        Figure(
            *("ingest_temporal", "peak_rss", peak, "MiB"),
            note=f"SDK loop {max(figures['mib'] for figures in plain):.0f} MiB",
        ),
    ]


def _populate(address: str) -> None:
    TemporalClient(address).ensure_search_attributes({"TenantId": "Keyword"})
    for number in range(TENANTS):
        slug = f"bench-{number:02d}"
        create_tenant(slug=slug, name=slug, actor=sample_rows.BENCH, reason="bench")
    progress(f"making {RUNS} runs, about {RUNS / 40 / 60:.0f} min")
    begun = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "tests.bench.temporal_runs", address, str(RUNS)], check=True
    )
    progress(f"made {RUNS} runs in {time.perf_counter() - begun:.0f} s")


def _ours(home: Path, address: str, number: int) -> dict[str, float]:
    """Into rows that are empty again, and an archive of its own."""
    JobRun.objects.all().delete()
    slug = f"round-{number}"
    sample_rows.target(slug, "temporal", endpoint=address, options={"namespace": "default"})
    os.environ["ARCHIVE_URL"] = f"file://{home / slug}"
    figures = _child("ours", slug)
    runs = JobRun.objects.filter(target__slug=slug)
    stored = runs.filter(archive=ArchiveState.STORED, tenant__isnull=False).count()
    events = JobEvent.objects.filter(run__target__slug=slug).count()
    if stored != RUNS or events < RUNS * LEAST_EVENTS:
        raise AssertionError(f"{stored} of {RUNS} runs are whole, with {events} events")
    return figures


def _child(what: str, where: str) -> dict[str, float]:
    answer = subprocess.run(
        [sys.executable, "-m", "tests.bench.temporal_readers", what, where],
        check=True,
        stdout=subprocess.PIPE,
    ).stdout
    figures: dict[str, float] = json.loads(answer.splitlines()[-1])
    figures["rate"] = RUNS / figures["seconds"]
    progress(f"{what}: {figures['rate']:.0f} runs/s, {figures['mib']:.0f} MiB")
    return figures
