"""Headroom's worker helps to keep Celery's events: a reader that is gone with its keeper, as with
its container, has missed nothing when it comes back."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

import redis

from console.clients.celery.client import CeleryClient
from console.clients.celery.keeper_books import SETTLED_MS
from console.clients.celery.kept_events import KeeperSign, State
from observability.jobs.models import IngestGap, IngestState, JobRun
from tenants.models import Target
from tests.faults.installation import Installation
from tests.faults.test_celery_reader_killed import QUEUE
from tests.waiting import until
from tests.workers import celery_worker


def _keepers(app: str) -> dict[str, KeeperSign]:
    broker = redis.Redis.from_url(app)
    keys = broker.keys("headroom.celeryev.*.state")
    return State(broker.hgetall(keys[0])).keepers() if keys else {}


def _children(parent: int) -> list[int]:
    """The processes that a process started."""
    children = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent:
                children.append(int(stat.parent.name))
    return children


def test_a_reader_that_goes_with_its_keeper_has_missed_nothing(installation: Installation) -> None:
    app = installation.broker.url.removesuffix("/0") + "/5"
    target = Target.objects.create(slug="app", name="app", kind="celery", endpoint=app)
    installation.worker()
    reader = installation.ingest(patience=60.0, wait=False)
    until(IngestState.objects.filter(target=target, read_at__isnull=False).exists)
    until(lambda: len(_keepers(app)) == 2, what=installation.logs)
    youngest = max(sign.since for sign in _keepers(app).values())
    until(lambda: min(sign.at for sign in _keepers(app).values()) > youngest + SETTLED_MS)
    keepers = _children(reader.pid)
    assert keepers
    reader.kill()
    for keeper in keepers:
        os.kill(keeper, signal.SIGKILL)
    with celery_worker(app, QUEUE, name="app@standby", processes=1):
        client = CeleryClient(app)
        sent = [client.send("pipeline.extract", args=[1], queue=QUEUE).uuid for _ in range(20)]
        until(lambda: client.waiting(QUEUE) == 0)
        reader = installation.ingest(patience=60.0, wait=False)
        done = JobRun.objects.filter(target=target, external_id__in=sent, status="succeeded")
        until(lambda: done.count() == len(sent), what=installation.logs)
    assert not IngestGap.objects.exists()
    reader.stop()
