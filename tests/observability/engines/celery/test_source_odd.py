"""Events and workers as public bug reports have them, over a real Valkey."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from itertools import count

import pytest

from console.clients import pool
from console.clients.celery import control
from console.clients.celery.client import CeleryClient
from observability.engines.celery import silence, workers
from observability.engines.contracts import EARLIER_TYPES, SITUATION
from tests.observability.engines.celery.event_listener import Listener
from tests.observability.engines.celery.played import publish, send
from tests.servers import ValkeyServer
from tests.waiting import HANGS
from tests.workers import ODD, celery_worker

QUEUE = "odd-tasks"
_numbers = count(100)


@pytest.fixture(scope="module")
def url(valkey: ValkeyServer) -> Iterator[str]:
    """A database of this module's own."""
    yield valkey.url.removesuffix("/0") + "/11"
    pool.close_all()


@pytest.fixture
def listener(url: str) -> Listener:
    """Listens already."""
    begun = Listener(url, next(_numbers))
    begun.read(lambda: True)
    return begun


@pytest.fixture
def client(url: str) -> CeleryClient:
    """To send tasks."""
    return CeleryClient(url)


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers are asked after a second, not after half a minute."""
    for name in ("SILENT_AFTER", "IDLE_AFTER", "MISSED_AFTER"):
        monkeypatch.setattr(workers, name, 1_000_000)
    monkeypatch.setattr(silence, "MISSED_AFTER", 1_000_000)
    monkeypatch.setattr(silence, "pause", lambda times: 1_000_000)


def played(listener: Listener, url: str, case: str, *last: str) -> dict[str, str]:
    """Plays a case until these have ended; the status of all runs by id."""
    publish(url, case)
    listener.read(listener.ended(*last))
    return {uuid: listener.rows.status(uuid) for uuid in listener.rows.runs}


def unreadable(listener: Listener) -> list[tuple[str, str]]:
    """What could not be read, by name."""
    return [(item.name, item.problem) for page in listener.pages for item in page.unreadable]


def test_one_strange_task_id_costs_no_other_task_anything(listener: Listener, url: str) -> None:
    statuses = played(listener, url, "01-uuid-object-as-task-id", "after-uuid-object")
    assert statuses == {"before-uuid-object": "succeeded", "after-uuid-object": "succeeded"}
    assert len(unreadable(listener)) == 3


@pytest.mark.parametrize(
    ("case", "statuses", "strange"),
    [
        ("02-poison-batch", {"neighbour-of-nan": "succeeded", "training-1": "running"}, "NaN"),
        (
            "03-lone-surrogate",
            {"neighbour-of-surrogate": "succeeded", "badname-1": "failed"},
            "half of a surrogate pair",
        ),
    ],
)
def test_of_a_poisoned_message_only_the_bad_value_is_lost(
    listener: Listener, url: str, case: str, statuses: dict[str, str], strange: str
) -> None:
    assert played(listener, url, case, next(iter(statuses))) == statuses
    ((_, problem),) = unreadable(listener)
    assert strange in problem


def test_times_in_milliseconds_and_hosts_that_are_numbers_are_read(
    listener: Listener, url: str
) -> None:
    statuses = played(listener, url, "09-odd-fields", "after-odd-fields")
    assert statuses == {
        "ms-1": "succeeded",
        "host-number": "waiting",
        "after-odd-fields": "succeeded",
    }
    age = abs(listener.rows.runs["ms-1"].created_at.timestamp() - time.time())
    assert age < HANGS
    assert {name for name, _ in unreadable(listener)} == {"ms-1", "host-number", "12345"}


def test_a_rejected_task_ends_at_once(listener: Listener, url: str) -> None:
    assert played(listener, url, "06-rejected-task", "rejected-1") == {"rejected-1": "failed"}
    assert "not delivered again" in listener.rows.value("rejected-1", "failure")


def test_a_worker_that_says_nothing_for_long_has_not_lost_its_task(
    listener: Listener, url: str
) -> None:
    statuses = played(listener, url, "04-worker-without-heartbeat", "long-quiet-1")
    assert statuses == {"long-quiet-1": "succeeded"}
    # Its worker's 90 seconds are sent at once here, so that the end comes from a clock ahead.
    kinds = sorted(listener.rows.kinds("long-quiet-1"))
    assert kinds == ["attempt_started", "scheduled", "succeeded"]


def test_an_ignored_task_is_said_to_have_failed_by_nobody(listener: Listener, url: str) -> None:
    statuses = played(listener, url, "05-ignored-task", "after-ignored")
    assert statuses == {"ignored-1": "running", "after-ignored": "succeeded"}
    assert not listener.rows.value("ignored-1", "failure")


def test_a_replaced_task_is_one_run_with_both_names(listener: Listener, url: str) -> None:
    assert played(listener, url, "07-replaced-task", "replaced-1") == {"replaced-1": "succeeded"}
    assert listener.rows.value("replaced-1", "type") == "flow.real"
    assert listener.rows.value("replaced-1", f"attributes.{EARLIER_TYPES}") == "flow.substitute"
    titles = [event.title for event in listener.rows.events["replaced-1"].values()]
    assert "Replaced by flow.real, which goes on under the same id" in titles


def test_thousands_of_retries_of_a_chord_are_no_failures(listener: Listener, url: str) -> None:
    publish(url, "11-chord-unlock-for-hours")
    rows = listener.rows
    listener.read(lambda: "chord-1" in rows.runs and rows.runs["chord-1"].attempts == 4000)
    assert rows.status("chord-1") == "waiting"
    assert not rows.value("chord-1", "failure")
    assert "retried 4,000 times, last at" in rows.value("chord-1", f"attributes.{SITUATION}")
    assert "attempt_failed" not in rows.kinds("chord-1")


def test_names_of_all_kinds_are_read_as_they_are(listener: Listener, url: str) -> None:
    assert played(listener, url, "12-names", "names-1") == {"names-1": "failed"}
    assert listener.rows.value("names-1", "worker") == "celery@h%20\u202eevil🚀"
    assert listener.rows.value("names-1", "failure") == (
        "ValueError: <script>alert(1)</script> {{7*7}} %s %(x)s"
    )


@pytest.mark.usefixtures("quickly")
def test_tasks_that_end_in_unusual_ways_are_told_as_what_they_are(
    listener: Listener, client: CeleryClient, url: str
) -> None:
    with celery_worker(url, QUEUE, name="odd@ways", app=ODD):
        ids = {
            name: client.send(f"odd.{name}", queue=QUEUE).uuid
            for name in ("ignored", "rejected", "replaced", "nan", "surrogate")
        }
        listener.read(listener.ended(*ids.values()))
    statuses = {name: listener.rows.status(uuid) for name, uuid in ids.items()}
    assert statuses == {
        "ignored": "ended",
        "rejected": "failed",
        "replaced": "succeeded",
        "nan": "succeeded",
        "surrogate": "failed",
    }
    earlier = listener.rows.value(ids["replaced"], f"attributes.{EARLIER_TYPES}")
    assert (earlier, listener.rows.value(ids["replaced"], "type")) == ("odd.replaced", "odd.plain")
    assert listener.rows.value(ids["surrogate"], "failure").startswith("ValueError: cannot open")


@pytest.mark.usefixtures("quickly")
def test_a_worker_without_heartbeats_that_is_busy_loses_nothing(
    listener: Listener, client: CeleryClient, url: str
) -> None:
    rows, more = listener.rows, ["--without-heartbeat"]
    with celery_worker(url, QUEUE, name="quiet@odd", processes=1, app=ODD, more=more):
        busy = client.send("odd.long", args=[7], queue=QUEUE).uuid
        listener.read(lambda: busy in rows.runs and rows.status(busy) == "running")
        known = listener.source._memories[listener.target.id].workers.workers["quiet@odd"]
        listener.read(lambda: busy in known.tasks and known.tasks[busy].questions)
        assert rows.status(busy) == "running"
        assert known.frequency is None
        listener.read(listener.ended(busy))
    assert rows.status(busy) == "succeeded"
    assert rows.kinds(busy) == ["scheduled", "attempt_started", "succeeded"]


@pytest.mark.usefixtures("quickly")
def test_a_worker_that_shuts_down_is_not_lost_before_it_has_finished(
    listener: Listener, client: CeleryClient, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, more = listener.rows, ["--heartbeat-interval", "1"]
    with celery_worker(url, QUEUE, name="warm@odd", processes=1, app=ODD, more=more) as worker:
        known = listener.source._memories[listener.target.id].workers.workers
        listener.read(lambda: "warm@odd" in known and known["warm@odd"].tells_its_death)
        busy = client.send("odd.long", args=[12], queue=QUEUE).uuid
        listener.read(lambda: busy in rows.runs and rows.status(busy) == "running")
        os.kill(worker.pid, signal.SIGTERM)
        monkeypatch.setattr(control, "WAIT", 0.5)  # clock: nobody answers
        ended = listener.ended(busy)
        listener.read(lambda: known["warm@odd"].unanswered > 1 or ended())
        assert ended() or "still finishes what it runs" in situation(listener, busy)
        listener.read(listener.ended(busy))
    assert rows.status(busy) == "succeeded"
    assert "lost" not in rows.kinds(busy)


@pytest.mark.usefixtures("quickly")
def test_of_a_solo_worker_that_is_busy_no_more_is_said_than_since_when(
    listener: Listener, client: CeleryClient, url: str
) -> None:
    rows, more = listener.rows, ["--pool", "solo"]
    with celery_worker(url, QUEUE, name="solo@odd", processes=1, app=ODD, more=more):
        known = listener.source._memories[listener.target.id].workers.workers
        listener.read(lambda: "solo@odd" in known and known["solo@odd"].pool == "solo")
        busy = client.send("odd.long", args=[15], queue=QUEUE).uuid
        event = {"type": "task-sent", "uuid": busy, "hostname": "gen1@web", "queue": QUEUE}
        send(url, json.dumps({**event, "timestamp": time.time()}).encode())
        listener.read(lambda: "no sign of life since" in situation(listener, busy))
        assert "which consumes odd-tasks" in situation(listener, busy)
        assert rows.status(busy) == "waiting"
        listener.read(listener.ended(busy))
    assert (rows.status(busy), situation(listener, busy)) == ("succeeded", "")


def situation(listener: Listener, uuid: str) -> str:
    """How a run is now."""
    known = uuid in listener.rows.runs
    return str(listener.rows.value(uuid, f"attributes.{SITUATION}")) if known else ""
