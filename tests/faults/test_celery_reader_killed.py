"""`manage.py ingest` is killed again and again under a stream of Celery tasks: none is missing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis

from console.clients.celery.client import CeleryClient
from observability.jobs.models import IngestGap, IngestState, JobRun
from tenants.models import Target
from tests.faults.installation import Installation
from tests.fuzzing import fuzz_examples
from tests.waiting import until
from tests.workers import celery_worker

pytestmark = pytest.mark.fuzz

QUEUE = "acme-tasks"
KILLS = fuzz_examples(default=3, large=10)
BETWEEN = 40
"""Runs that are read between two kills, at least."""
PAUSE = 0.02
"""Seconds between two tasks."""


@contextmanager
def sending(app: str) -> Iterator[list[str]]:
    """Sends a task every moment; the ids of all that were sent."""
    sent: list[str] = []
    ended = threading.Event()
    client = CeleryClient(app)

    def send() -> None:
        while not ended.wait(PAUSE):
            sent.append(client.send("pipeline.extract", args=[1], queue=QUEUE).uuid)

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    try:
        yield sent
    finally:
        ended.set()
        thread.join()


def read(target: Target) -> int:
    """How many runs are there."""
    return JobRun.objects.filter(target=target).count()


def test_readers_that_are_killed_lose_no_task(installation: Installation) -> None:
    app = installation.broker.url.removesuffix("/0") + "/5"
    target = Target.objects.create(slug="app", name="app", kind="celery", endpoint=app)
    state = IngestState.objects.filter(target=target, read_at__isnull=False)
    with celery_worker(app, QUEUE, name="app@killed", processes=2):
        reader = installation.ingest(patience=60.0, wait=False)
        until(state.exists, what=installation.logs)
        with sending(app) as sent:
            for _ in range(KILLS):
                before = read(target)
                enough = before + BETWEEN
                until(lambda: read(target) > enough, what=installation.logs)  # noqa: B023 - at once
                reader.kill()
                on_the_way = len(sent)
                until(lambda: len(sent) > on_the_way + BETWEEN)  # noqa: B023 - while nobody reads
                reader = installation.ingest(patience=60.0, wait=False)
        runs = JobRun.objects.filter(target=target, external_id__in=sent)
        until(lambda: runs.filter(status="succeeded").count() == len(sent), what=installation.logs)
        reader.stop()
    missing = set(sent) - set(runs.values_list("external_id", flat=True))
    assert not missing
    assert not IngestGap.objects.filter(target=target).exists()
    for run in runs:
        kinds = sorted(run.events.values_list("kind", flat=True))
        assert kinds == ["attempt_started", "scheduled", "succeeded"], run.external_id


def test_what_is_kept_for_a_target_goes_with_it(installation: Installation) -> None:
    app = installation.broker.url.removesuffix("/0") + "/6"
    broker = redis.Redis.from_url(app)
    broker.sadd("_kombu.binding.celeryev", "#\x06\x16\x06\x16celeryev.headroom-0123456789")
    target = Target.objects.create(slug="app", name="app", kind="celery", endpoint=app)
    reader = installation.ingest(patience=60.0, wait=False)
    until(lambda: broker.keys("headroom.celeryev.*"), what=installation.logs)
    assert not broker.exists("_kombu.binding.celeryev")
    Target.objects.filter(pk=target.pk).update(enabled=False)
    until(lambda: not broker.keys("headroom.celeryev.*"), what=installation.logs)
    reader.stop()
