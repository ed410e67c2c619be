"""Revoking, killing and sending again, with a real worker on a real Valkey."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from console.clients import pool
from console.clients.celery.client import CeleryClient
from console.clients.celery.kept_events import PREFIX
from console.clients.celery.records import CeleryEvent
from console.errors import Refused, Unreachable
from observability.engines.celery.controls import CeleryControls
from observability.engines.contracts import Engine, Status
from observability.engines.verbs import ActionRequest, Answer, Recorded, RunFacts
from tenants.contracts import TargetRef
from tests.servers import Server, ValkeyServer
from tests.waiting import PATIENCE, until
from tests.workers import celery_worker

QUEUE = "acme-tasks"


@pytest.fixture(scope="module")
def url(valkey: ValkeyServer) -> Iterator[str]:
    """A database of this module's own."""
    yield valkey.url.removesuffix("/0") + "/9"
    pool.close_all()


@pytest.fixture(scope="module")
def worker(url: str) -> Iterator[Server]:
    """One process, so that a second task waits."""
    with celery_worker(url, QUEUE, name="acme@actions", processes=1) as server:
        yield server


@pytest.fixture(scope="module")
def target(url: str) -> TargetRef:
    return TargetRef(9, "tasks", "celery", url, "", {"app": "sample"})


@pytest.fixture
def client(url: str, worker: Server) -> CeleryClient:
    return CeleryClient(url)


@pytest.fixture
def events(url: str) -> Iterator[list[CeleryEvent]]:
    """Every event of the workers, as it comes."""
    buffer: list[CeleryEvent] = []
    stream = CeleryClient(url).events()
    ready, ended = threading.Event(), threading.Event()

    def listen() -> None:
        for batch in stream.batches(queue=f"{PREFIX}{uuid4().hex}", within=0.1):  # clock: again
            buffer.extend(batch.events)
            ready.set()
            if ended.is_set():
                return

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    assert ready.wait(PATIENCE)
    yield buffer
    ended.set()
    thread.join(PATIENCE)
    stream.close()


def types(events: list[CeleryEvent], uuid: str) -> list[str]:
    return [event.type for event in events if event.uuid == uuid]


def act(target: TargetRef, uuid: str, verb: str, **more: Any) -> Answer:
    run = RunFacts(
        1, Engine.CELERY, "celery/sample/x/", uuid, "", "sample", "reports.build",
        Status.RUNNING, **{"queue": QUEUE, **more},
    )  # fmt: skip
    request = ActionRequest(str(uuid4()), verb, {}, "wrong month", "olga")
    return CeleryControls().perform(run=run, target=target, request=request)


def test_a_waiting_task_is_revoked_and_a_running_one_is_killed(
    client: CeleryClient, target: TargetRef, events: list[CeleryEvent]
) -> None:
    running = client.send("reports.build", args=[600, 0.2], queue=QUEUE).uuid
    until(lambda: "task-started" in types(events, running))
    waiting = client.send("reports.build", args=[1], queue=QUEUE).uuid
    answer = act(target, waiting, "revoke")
    assert answer.result == {"workers": ["acme@actions"]}
    act(target, running, "revoke_terminate")
    revoked = until(lambda: [e for e in events if e.uuid == running and e.type == "task-revoked"])
    assert revoked[0].fields["terminated"]
    until(lambda: "task-revoked" in types(events, waiting))
    assert "task-started" not in types(events, waiting)


def test_a_task_is_sent_again_as_it_was_recorded(
    client: CeleryClient, target: TargetRef, events: list[CeleryEvent]
) -> None:
    first = client.send("reports.build", args=[2], kwargs={"seconds": 0.01}, queue=QUEUE).uuid
    received = until(lambda: [e for e in events if e.uuid == first and e.type == "task-received"])
    fields = received[0].fields
    recorded = Recorded("reports.build", fields["args"], fields["kwargs"])
    answer = act(target, first, "retry", recorded=recorded, tenant="acme")
    again = str(answer.result["task_id"])
    assert again != first
    until(lambda: "task-succeeded" in types(events, again))
    anew = next(e for e in events if e.uuid == again and e.type == "task-received").fields
    assert (anew["args"], anew["kwargs"]) == (fields["args"], fields["kwargs"])


def test_where_no_worker_listens_nothing_is_claimed(url: str) -> None:
    nobody = TargetRef(10, "nobody", "celery", url.removesuffix("/9") + "/10", "")
    with pytest.raises(Unreachable, match="no worker answered"):
        act(nobody, str(uuid4()), "revoke")


def test_what_was_not_recorded_whole_is_not_sent(target: TargetRef) -> None:
    recorded = Recorded("reports.build", "(1, 'long...", "{}")
    with pytest.raises(Refused, match="cut short"):
        act(target, str(uuid4()), "retry", recorded=recorded)
