"""The same over a real RabbitMQ, which keeps events in a queue of ours."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from console.clients import pool
from console.clients.celery import amqp_events
from console.clients.celery.client import CeleryClient
from observability.engines.celery.source import CelerySource
from tests import rabbitmq
from tests.observability.engines.celery.event_listener import Listener
from tests.servers import Server
from tests.waiting import PATIENCE, until
from tests.workers import celery_worker

QUEUE = "acme-tasks"
HOST = "acme@rabbit"
SCRIPT = rabbitmq.program()
pytestmark = pytest.mark.skipif(SCRIPT is None, reason="this machine has no RabbitMQ")


@pytest.fixture(scope="module")
def broker() -> Iterator[Server]:
    """One that these tests may restart."""
    assert SCRIPT is not None
    with rabbitmq.rabbitmq(SCRIPT) as server:
        yield server
        pool.close_all()


@pytest.fixture(scope="module")
def url(broker: Server) -> str:
    """Of the sample app's broker; guest may come from this machine."""
    return f"amqp://{broker.address}//"


@pytest.fixture(scope="module")
def worker(url: str) -> Iterator[Server]:
    """Consumes the queue of acme."""
    with celery_worker(url, QUEUE, name=HOST, processes=1) as server:
        yield server


@pytest.fixture
def client(url: str, worker: Server) -> CeleryClient:
    """To send tasks, once the worker is there."""
    return CeleryClient(url)


def gone(listener: Listener) -> None:
    """As when the process is killed."""
    pool.close_all()
    listener.source = CelerySource()


def gaps(listener: Listener) -> list[str]:
    """What is said to be missing."""
    return [gap.cause for page in listener.pages for gap in page.gaps]


def test_what_comes_while_nobody_reads_is_read_by_the_next_reader(
    url: str, client: CeleryClient
) -> None:
    listener = Listener(url, 21)
    listener.read(lambda: True)
    queue = str(listener.cursor["queue"])
    good = client.send(
        "reports.build", args=[3, 0.01], queue=QUEUE, headers={"headroom_tenant": "acme"}
    ).uuid
    listener.read(listener.ended(good))
    assert listener.rows.status(good) == "succeeded"
    gone(listener)
    ids = [client.send("pipeline.extract", args=[1], queue=QUEUE).uuid for _ in range(20)]
    until(lambda: client.waiting(queue) > 0)
    listener.read(listener.ended(*ids))
    assert gaps(listener) == []
    listener.read(lambda: client.waiting(queue) == 0)  # what is stored is acknowledged


def test_what_was_read_and_never_stored_is_read_again(url: str, client: CeleryClient) -> None:
    listener = Listener(url, 22)
    listener.read(lambda: True)
    cursor = dict(listener.cursor)
    done = client.send("pipeline.extract", args=[1], queue=QUEUE).uuid
    listener.read(listener.ended(done))
    before = listener.rows.kinds(done)
    listener.cursor = cursor  # its transaction was rolled back
    del listener.rows.runs[done], listener.rows.events[done]
    listener.read(listener.ended(done))
    assert listener.rows.kinds(done) == before
    assert gaps(listener) == []


def test_more_than_the_queue_holds_is_a_gap(
    url: str, client: CeleryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(amqp_events, "MOST_MESSAGES", 5)
    listener = Listener(url, 23)
    listener.read(lambda: True)
    queue = str(listener.cursor["queue"])
    gone(listener)
    ids = [client.send("pipeline.extract", args=[1], queue=QUEUE).uuid for _ in range(20)]
    until(lambda: client.waiting(queue) >= 5 and client.waiting(QUEUE) == 0)
    listener.read(lambda: ids[-1] in listener.rows.runs)
    assert gaps(listener) == [amqp_events.TOO_MANY]


def test_a_target_that_nobody_wants_leaves_no_queue_and_its_events_are_a_gap(
    url: str, client: CeleryClient
) -> None:
    listener = Listener(url, 24)
    listener.read(lambda: True)
    listener.source.forget(target=listener.target, cursor=listener.cursor)
    client.send("pipeline.extract", args=[1], queue=QUEUE)
    assert client.waiting(str(listener.cursor["queue"])) == 0
    gone(listener)
    listener.read(lambda: gaps(listener))
    assert gaps(listener) == [amqp_events.GONE]


def test_limits_are_told_and_a_restart_of_the_broker_is_a_gap(
    broker: Server, url: str, client: CeleryClient
) -> None:
    listener = Listener(url, 25)
    listener.read(lambda: True)
    with client.control(wait=PATIENCE) as control:
        assert control.active_queues(to=[HOST]) == {HOST: (QUEUE,)}
        control.rate_limit("reports.build", "+2.5/s", to=[HOST])
        rates = {task.name: task.rate_limit for task in control.registered(to=[HOST])[HOST]}
    assert rates["reports.build"] == "+2.5/s"
    listener.pages.clear()
    broker.restart()
    listener.read(lambda: gaps(listener))
    assert "The connection to the broker was lost" in gaps(listener)[0]
    until(lambda: _answers(client))
    after = client.send("reports.build", args=[1, 0.01], queue=QUEUE).uuid
    listener.read(listener.ended(after))
    assert listener.rows.status(after) == "succeeded"


def _answers(client: CeleryClient) -> bool:
    with client.control(wait=2) as control:  # clock: asked again and again
        return control.count() == {HOST: 1}
