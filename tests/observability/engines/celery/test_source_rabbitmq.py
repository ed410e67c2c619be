"""The same over a real RabbitMQ, which knows exclusive queues, topics and heartbeats."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from console.clients import pool
from console.clients.celery.client import CeleryClient
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


def test_tasks_are_heard_limits_are_told_and_a_restart_is_a_gap(broker: Server, url: str) -> None:
    listener, client = Listener(url, 21), CeleryClient(url)
    with celery_worker(url, QUEUE, name=HOST, processes=1):
        listener.read(lambda: True)
        good = client.send(
            "reports.build", args=[3, 0.01], queue=QUEUE, headers={"headroom_tenant": "acme"}
        ).uuid
        bad = client.send("invoices.check", args=[7, -1.5], queue=QUEUE).uuid
        listener.read(listener.ended(good, bad))
        assert (listener.rows.status(good), listener.rows.status(bad)) == ("succeeded", "failed")
        with client.control(wait=PATIENCE) as control:
            assert control.active_queues(to=[HOST]) == {HOST: (QUEUE,)}
            control.rate_limit("reports.build", "+2.5/s", to=[HOST])
            rates = {task.name: task.rate_limit for task in control.registered(to=[HOST])[HOST]}
        assert rates["reports.build"] == "+2.5/s"
        listener.pages.clear()
        broker.restart()
        listener.read(lambda: any(page.gaps for page in listener.pages))
        until(lambda: _answers(client))
        after = client.send("reports.build", args=[1, 0.01], queue=QUEUE).uuid
        listener.read(listener.ended(after))
        assert listener.rows.status(after) == "succeeded"


def _answers(client: CeleryClient) -> bool:
    with client.control(wait=2) as control:  # clock: asked again and again
        return control.ping() == (HOST,)
