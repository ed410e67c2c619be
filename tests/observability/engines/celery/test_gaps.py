"""Workers that go silent, and runs that ended while nobody listened."""

from __future__ import annotations

from datetime import timedelta

from console.clients.celery.records import EventBatch, Outage, TaskOnWorker
from observability.engines.celery.events import microseconds
from observability.engines.celery.gaps import (
    ended_unseen,
    gap_notes,
    pages,
    silenced,
)
from observability.engines.celery.runs import Fold
from observability.engines.celery.workers import SILENT_AFTER, WorkerRegistry
from observability.engines.contracts import TrailGap
from tests.observability.engines.celery.event_listener import (
    NOW,
    Rows,
    event,
    received,
)

START = microseconds(NOW)


def running() -> tuple[Rows, Fold, WorkerRegistry]:
    """A task that runs on w1@test."""
    rows, fold, workers = Rows(), Fold("sample"), WorkerRegistry()
    events = (received(1), event("task-started", 2))
    rows.store(fold.runs(events, rows))
    workers.take(EventBatch(events, START, START))
    return rows, fold, workers


def test_a_silent_worker_loses_its_tasks_once_and_delivery_brings_them_back() -> None:
    rows, fold, workers = running()
    assert workers.silent(START + SILENT_AFTER) == []
    (lost,) = workers.silent(START + SILENT_AFTER + 1)
    assert workers.silent(START + SILENT_AFTER + 2) == []
    rows.store([silenced(lost, fold.attempt_of("u1"), "sample")])
    assert rows.status("u1") == "lost"
    later = START / 1e6 + 60 - 1_795_000_000.0
    again = (received(later, host="w2@test"), event("task-started", later + 1, host="w2@test"))
    rows.store(fold.runs(again, rows))
    assert rows.status("u1") == "running"
    rows.store(fold.runs([event("task-succeeded", later + 2, host="w2@test")], rows))
    assert rows.status("u1") == "succeeded"


def test_a_worker_is_not_blamed_for_what_nobody_could_hear() -> None:
    _, _, workers = running()
    back = START + 2 * SILENT_AFTER
    gap = EventBatch((), back, back, outage=None)
    from_outage = EventBatch((), back, back, outage=Outage(START, back, "away"))
    workers.take(from_outage)
    workers.take(gap)
    assert workers.silent(back + 1) == []


def test_a_worker_that_comes_online_is_asked_until_it_answers() -> None:
    workers = WorkerRegistry()
    workers.take(EventBatch((event("worker-online", 1, uuid=""),), START, START))
    assert workers.to_ask(START) == []
    assert workers.to_ask(START + 1_000_000) == ["w1@test"]
    assert workers.to_ask(START + 1_000_001) == []
    workers.answered(["w1@test"])
    assert workers.to_ask(START + 9_000_000) == []


def test_what_no_worker_has_after_a_gap_has_ended_unseen() -> None:
    rows, _, _ = running()
    there = {"u1": TaskOnWorker("u1", "x", "w1@test", "active")}
    assert list(ended_unseen(rows.open_runs(), there, reported=(), at_us=START)) == []
    assert list(ended_unseen(rows.open_runs(), {}, reported=("u1",), at_us=START)) == []
    (run,) = ended_unseen(rows.open_runs(), {}, reported=(), at_us=START)
    rows.store([run])
    assert rows.status("u1") == "lost"
    assert "how is not known" in rows.value("u1", "failure")


def test_open_runs_are_told_of_a_gap_the_same_way_each_time() -> None:
    rows, _, _ = running()
    gap = TrailGap(NOW, NOW + timedelta(days=365), "we were away")
    for _ in range(2):
        for page in pages(gap_notes(rows.open_runs(), gap)):
            rows.store(page)
    assert rows.kinds("u1").count("gap") == 1
    assert rows.status("u1") == "running"
