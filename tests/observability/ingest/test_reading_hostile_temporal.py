"""A real Temporal server with names and payloads that nobody expects, through to rows and page."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson
import pytest
from django.test import Client
from temporalio.client import Client as Temporal

from console.access.models import Role, User
from observability.engines.contracts import MASK, Status
from observability.ingest.claims import claimed
from observability.ingest.reading import read_target
from observability.jobs.models import ArchiveState, JobRun
from observability.jobs.services.documents import download_of
from tests.observability.engines.temporal.conftest import new_namespace
from tests.observability.jobs.factories import make_target

NAMES = (
    "a/b?c=d#e%2F..",
    "<script>alert(1)</script>'\"--",
    "рабочий-\U0001f525-流程",
    "x" * 1000,
    "twice",
    "twice",
    "heavy",
)
HEAVY = "p" * 1_900_000
SECRET = "hunter2-of-many"


async def _start_and_end(address: str, namespace: str) -> None:
    client = await Temporal.connect(address, namespace=namespace)
    for name in NAMES:
        handle = await client.start_workflow(
            "Nothing", {"password": SECRET, "text": HEAVY if name == "heavy" else ""},
            id=name, task_queue="nobody/polls",
        )  # fmt: skip
        await handle.signal("note", f"{{'token': b'{SECRET}'}}")
        await handle.terminate(f"password={SECRET}")


@pytest.mark.django_db
def test_names_and_payloads_of_any_kind_come_through(
    temporal_address: str, client: Client, kept: Path
) -> None:
    namespace = new_namespace(temporal_address)
    asyncio.run(_start_and_end(temporal_address, namespace))
    target = make_target("real", endpoint=temporal_address, options={"namespace": namespace})
    for _ in range(2):  # the second time adds nothing
        with claimed(target.pk) as claim:
            assert claim is not None
            read_target(target.pk, token=claim.token, wait=0.0)
    runs = list(JobRun.objects.order_by("pk"))
    assert sorted(run.external_id for run in runs) == sorted(NAMES)
    assert len({run.run_id for run in runs}) == len(NAMES)
    assert {run.status for run in runs} == {Status.TERMINATED}
    assert {run.archive for run in runs} == {ArchiveState.STORED}
    client.force_login(User.objects.create_user("vera", role=Role.VIEWER))
    for run in runs:
        assert len(orjson.loads(download_of(run).data)["events"]) >= 3
        page = client.get(f"/jobs/{run.pk}/").content.decode()
        assert "<script>alert(1)" not in page
        assert SECRET not in page
        assert len(page) < 300_000
        content = repr(list(run.events.values()))
        assert MASK in content
        assert SECRET not in content
        assert run.event_count == run.events.count() > 0
    shown = client.get("/jobs/", {"q": "target:real"}).content.decode()
    assert "<script>alert(1)" not in shown
    assert len(list(kept.rglob("*.zst"))) == len(NAMES)
