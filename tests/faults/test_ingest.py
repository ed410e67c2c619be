"""`manage.py ingest` as a process: killed while it reads, and stopped in good order."""

from __future__ import annotations

import asyncio
from functools import partial

from django.utils import timezone
from temporalio.client import Client

from observability.jobs.models import IngestState, JobRun
from tests.faults.installation import Installation
from tests.waiting import until

RUNS = 150


async def _start_and_end(address: str, prefix: str) -> None:
    client = await Client.connect(address)
    for number in range(RUNS):
        handle = await client.start_workflow(
            "Nothing", id=f"{prefix}-{number}", task_queue="nobody-polls"
        )
        await handle.terminate("a test")


def _more_than(number: int, prefix: str) -> bool:
    return JobRun.objects.filter(external_id__startswith=f"{prefix}-").count() > number


def test_killed_again_and_again_it_loses_and_doubles_nothing(
    installation: Installation, temporal_address: str
) -> None:
    target = installation.temporal(temporal_address)
    asyncio.run(_start_and_end(temporal_address, installation.prefix))
    mine = JobRun.objects.filter(external_id__startswith=f"{installation.prefix}-")
    for number in range(4):
        process = installation.ingest(patience=60.0)
        until(partial(_more_than, 30 * number, installation.prefix), what=installation.logs())
        process.kill()
    since = timezone.now()
    process = installation.ingest(patience=60.0)
    taken_over = IngestState.objects.filter(target=target, read_at__gt=since)
    until(taken_over.exists, what=installation.logs())
    done = mine.filter(archive="stored", history_due=False, status="terminated")
    until(lambda: done.count() == RUNS, what=installation.logs())
    process.stop()
    assert mine.count() == RUNS
    for run in mine:
        seqs = list(run.events.values_list("seq", "key"))
        assert len(seqs) == len(set(seqs)) == run.event_count > 0
    state = IngestState.objects.get(target=target)
    assert (state.claim, state.error) == ("", "")
    stored = {path.name for path in (installation.home / "archive").rglob("*.zst")}
    assert {run.archive_path.rsplit("/", 1)[1] for run in mine} <= stored
