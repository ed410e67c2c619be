"""The source over a real Valkey and real workers of the sample app, some of which are killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import closing

import pytest
import redis

from console.clients import pool
from console.clients.celery import keeping
from console.clients.celery.client import CeleryClient
from console.clients.celery.events import EventStream
from console.errors import NotFound, Unreachable
from deploy.ports import any_free
from observability.engines.celery import silence, workers
from observability.engines.celery.source import CelerySource
from observability.engines.contracts import RunRef, Status
from tenants.adapters.celery import client_for
from tenants.contracts import TargetRef
from tests.observability.engines.celery.event_listener import NOW, Listener
from tests.servers import Server, ValkeyServer
from tests.servers import valkey as own_valkey
from tests.waiting import PATIENCE, until
from tests.workers import celery_worker

QUEUE = "acme-tasks"
ACME = {"headroom_tenant": "acme", "headroom_request_id": "req-1"}


@pytest.fixture(scope="module")
def broker() -> Iterator[ValkeyServer]:
    """A Valkey that these tests may restart."""
    with own_valkey() as server:
        yield server
        pool.close_all()


@pytest.fixture(scope="module")
def url(broker: ValkeyServer) -> str:
    """Of the database with the sample app's queues."""
    return broker.url.removesuffix("/0") + "/1"


@pytest.fixture(scope="module")
def worker(url: str) -> Iterator[Server]:
    """Consumes the queue of acme."""
    with celery_worker(url, QUEUE, name="acme@test") as server:
        yield server


@pytest.fixture
def listener(url: str, worker: Server) -> Iterator[Listener]:
    """Listens already."""
    subscriber = Listener(url, 1)
    subscriber.read(lambda: True)
    yield subscriber
    pool.close_all()


@pytest.fixture
def client(url: str) -> CeleryClient:
    """To send tasks."""
    return CeleryClient(url)


def keys(url: str, pattern: str) -> list[str]:
    """What the broker has."""
    names = redis.Redis.from_url(url).keys(pattern)
    return [key.decode() for key in names]  # type: ignore[union-attr]  # as bytes, in the stubs too


def test_success_retries_and_failures_are_told_with_their_attempts(
    listener: Listener, client: CeleryClient
) -> None:
    good = client.send("reports.build", args=[3, 0.05], queue=QUEUE, headers=ACME).uuid
    second = client.send(
        "imports.fetch", args=["erp"], kwargs={"succeeds_at": 2}, queue=QUEUE, headers=ACME
    ).uuid
    bad = client.send("invoices.check", args=[7, -1.5], queue=QUEUE).uuid
    listener.read(listener.ended(good, second, bad))
    rows = listener.rows
    assert rows.status(good) == "succeeded"
    assert rows.value(good, "queue") == QUEUE
    progress = rows.runs[good].progress or {}
    assert (progress["done"], progress["total"], progress["text"]) == (3, 3, "page 3")
    assert rows.kinds(good).count("checkpoint") == 3
    assert (rows.status(second), rows.runs[second].attempts) == ("succeeded", 2)
    failed = [event for event in rows.events[second].values() if event.kind == "attempt_failed"]
    assert [(event.attempt, event.message) for event in failed] == [
        (1, "SourceError: erp answered 503 (attempt 1)")
    ]
    assert "Traceback" in failed[0].detail["traceback"]
    waits = [event.title for event in rows.events[second].values() if "held until" in event.title]
    assert len(waits) == 1
    assert rows.status(bad) == "failed"
    assert rows.value(bad, "failure") == "ValueError: Invoice 7 has the amount -1.5"
    # A page says it once; later ones that say nothing take nothing back.
    runs = [run for page in listener.pages for run in page.runs if run.tenant]
    declared = {run.external_id: run.tenant for run in runs}
    assert (declared[good], declared.get(bad)) == ("acme", None)


def test_a_killed_process_is_a_lost_worker(listener: Listener, client: CeleryClient) -> None:
    lost = client.send("images.resize", args=["a"], kwargs={"fatal": True}, queue=QUEUE).uuid
    listener.read(listener.ended(lost))
    assert listener.rows.status(lost) == "lost"
    assert listener.rows.value(lost, "failure_kind") == "worker_lost"
    assert "signal 9 (SIGKILL)" in listener.rows.value(lost, "failure")
    assert listener.rows.kinds(lost)[-1] == "lost"


def test_a_task_that_is_revoked_while_it_runs_is_terminated(
    listener: Listener, client: CeleryClient
) -> None:
    long = client.send("models.train", args=[100, 0.2], queue=QUEUE).uuid
    listener.read(lambda: long in listener.rows.runs and listener.rows.status(long) == "running")
    with client.control(wait=PATIENCE) as control:
        there = control.tasks(to=["acme@test"])
        assert (there[long].name, there[long].state) == ("models.train", "active")
    with client.control() as control:
        assert control.revoke(long, terminate=True) == {"acme@test": f"terminate: {long}"}
    listener.read(listener.ended(long))
    assert listener.rows.status(long) == "terminated"


def test_a_chain_is_told_by_parent_and_root(listener: Listener, client: CeleryClient) -> None:
    first = client.send("pipeline.extract", args=[3], queue=QUEUE, headers=ACME)
    second = client.send(
        "pipeline.transform", args=[3], queue=QUEUE, parent_id=first.uuid, root_id=first.uuid
    )
    listener.read(listener.ended(first.uuid, second.uuid))
    assert listener.rows.value(second.uuid, "parent_key") == f"celery/sample/{first.uuid}/"


def test_two_targets_hear_each_for_itself(
    listener: Listener, client: CeleryClient, url: str
) -> None:
    other, elsewhere = Listener(url, 2), Listener(url.removesuffix("/1") + "/2", 3)
    for subscriber in (other, elsewhere):
        subscriber.read(lambda: True)
    done = client.send("pipeline.extract", args=[1], queue=QUEUE).uuid
    for subscriber in (listener, other):
        subscriber.read(subscriber.ended(done))
        assert subscriber.rows.status(done) == "succeeded"
    elsewhere.read(lambda: len(elsewhere.pages) > 1)
    assert elsewhere.rows.runs == {}


def test_a_reader_that_was_away_has_missed_nothing(
    listener: Listener, client: CeleryClient
) -> None:
    long = client.send("models.train", args=[200, 0.05], queue=QUEUE).uuid
    listener.read(lambda: long in listener.rows.runs and listener.rows.status(long) == "running")
    pool.close_all()  # as when the process ends
    listener.source = CelerySource()
    meanwhile = [client.send("pipeline.extract", args=[1], queue=QUEUE).uuid for _ in range(5)]
    until(lambda: client.waiting(QUEUE) == 0)
    listener.pages.clear()
    listener.read(listener.ended(*meanwhile))
    assert [page.gaps for page in listener.pages if page.gaps] == []
    assert listener.pages[0].sweep
    assert "gap" not in listener.rows.kinds(long)
    listener.read(listener.ended(long))
    assert listener.rows.status(long) == "succeeded"


def test_what_was_read_and_never_stored_is_read_again(
    listener: Listener, client: CeleryClient
) -> None:
    done = client.send("pipeline.extract", args=[1], queue=QUEUE).uuid
    cursor = dict(listener.cursor)
    listener.read(listener.ended(done))
    before = listener.rows.kinds(done)
    listener.cursor = cursor  # its transaction was rolled back
    del listener.rows.runs[done], listener.rows.events[done]
    listener.read(listener.ended(done))
    assert listener.rows.kinds(done) == before
    assert [page.gaps for page in listener.pages if page.gaps] == []


def test_where_the_broker_has_nothing_any_more_there_is_a_gap(
    listener: Listener, client: CeleryClient, url: str
) -> None:
    long = client.send("models.train", args=[200, 0.05], queue=QUEUE).uuid
    listener.read(lambda: long in listener.rows.runs and listener.rows.status(long) == "running")
    pool.close_all()
    keeping.end()  # and the keeper with it: as where a container ends
    redis.Redis.from_url(url).delete(*keys(url, "headroom.*"))
    listener.source = CelerySource()
    listener.pages.clear()
    listener.read(lambda: any(page.runs for page in listener.pages))
    (gap,) = (gap for page in listener.pages for gap in page.gaps)
    assert gap.starts_at < gap.ends_at
    assert "gap" in listener.rows.kinds(long)
    listener.read(listener.ended(long))
    assert listener.rows.status(long) == "succeeded"


def test_a_target_that_nobody_wants_leaves_nothing_at_the_broker(
    listener: Listener, url: str
) -> None:
    queue = str(listener.cursor["queue"])
    assert keys(url, f"{queue}*")
    listener.source.forget(target=listener.target, cursor=listener.cursor)
    assert keys(url, f"{queue}*") == []


def test_a_worker_that_dies_with_its_tasks_loses_them(
    listener: Listener, client: CeleryClient, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "SILENT_AFTER", 5_000_000)
    monkeypatch.setattr(silence, "pause", lambda times: 1_000_000)
    with celery_worker(url, "doomed", name="doomed@test", processes=1) as doomed:
        long = client.send("models.train", args=[100, 0.2], queue="doomed").uuid
        rows = listener.rows
        listener.read(lambda: long in rows.runs and rows.status(long) == "running")
        known = listener.source._memories[listener.target.id].workers.workers
        listener.read(lambda: known["doomed@test"].tells_its_death)
        os.killpg(doomed.pid, signal.SIGKILL)
        listener.read(lambda: rows.status(long) == "lost")
    assert rows.value(long, "failure_kind") == "worker_lost"
    assert "doomed@test" in rows.value(long, "failure")


def test_a_broker_that_restarts_is_a_gap_and_listening_goes_on(
    listener: Listener, client: CeleryClient, broker: ValkeyServer
) -> None:
    broker.restart()
    listener.pages.clear()
    listener.read(lambda: any(page.gaps for page in listener.pages))
    (gap,) = (gap for page in listener.pages for gap in page.gaps)
    assert "connection to the broker was lost" in gap.cause
    done = client.send("pipeline.extract", args=[1], queue=QUEUE).uuid
    listener.read(listener.ended(done))
    assert listener.rows.status(done) == "succeeded"


def test_a_broker_that_is_away_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.clients.celery.events.PATIENCE", 0.3)
    dead = Listener(f"redis://127.0.0.1:{any_free()}/1", 9)
    with pytest.raises(Unreachable):
        dead.read(lambda: True)


def test_there_is_no_history_to_fetch() -> None:
    target = TargetRef(1, "demo-celery", "celery", "redis://127.0.0.1:1/1", "")
    run = RunRef(1, "u1", "", "sample", Status.FAILED, "1-1-3-5", NOW)
    with pytest.raises(NotFound):
        CelerySource().history(target=target, run=run, after=0)


def test_one_reader_at_a_time(listener: Listener) -> None:
    stream: EventStream = client_for(listener.target).events()
    queue = str(listener.cursor["queue"])
    with closing(stream.batches(queue=queue)) as first:
        next(first)
        with pytest.raises(Unreachable, match="somebody else"):
            next(stream.batches(queue=queue))
