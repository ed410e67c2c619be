"""What anybody who may send events can make a reader remember and do: bounded, and told."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from console.clients.celery.control import MOST_WORKERS
from console.clients.celery.records import CeleryEvent, EventBatch, WorkerStats
from observability.engines.celery import workers as registry_module
from observability.engines.celery.clocks import MOST_MACHINES, Clocks
from observability.engines.celery.held_tasks import MOST_HOLDERS, MOST_SENT
from observability.engines.celery.names import MOST_NAMES
from observability.engines.celery.runs import Fold
from observability.engines.celery.silence import Silences
from observability.engines.celery.source import _Memory, _Reading
from observability.engines.celery.workers import MOST_NEW, WorkerRegistry
from observability.engines.contracts import EARLIER_TYPES, Status
from tenants.contracts import TargetRef
from tests.observability.engines.celery.event_listener import T0, Rows, event, received, sent

NOW_US = round(T0 * 1e6)
TARGET = TargetRef(1, "app", "celery", "redis://nowhere", "", {"app": "sample"})


def steps(work: Callable[[], object]) -> int:
    """Lines of our own that run: the same on every machine."""
    count = 0

    def trace(frame: Any, what: str, _: object) -> Any:
        nonlocal count
        count += what == "line"
        return trace if "/observability/engines/celery/" in frame.f_code.co_filename else None

    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(None)
    return count


def beats(number: int, *, name: str = "invented") -> tuple[CeleryEvent, ...]:
    """Heartbeats of workers that somebody invents."""
    return tuple(
        event("worker-heartbeat", 0, "", f"{name}-{count}@x", freq=2.0) for count in range(number)
    )


def test_invented_workers_are_bounded_and_those_heard_of_last_stay() -> None:
    registry = WorkerRegistry()
    registry.take(EventBatch((received(0, "u1", host="silent@x"),), NOW_US))
    registry.take(EventBatch((event("worker-heartbeat", 0, "", "real@x"),), NOW_US))
    for part in range(20):
        registry.take(EventBatch(beats(1000, name=f"p{part}"), NOW_US))
        registry.take(EventBatch((event("task-started", 1, "u2", "real@x"),), NOW_US))
    assert len(registry.workers) == MOST_WORKERS
    assert registry.forgotten == 20_002 - MOST_WORKERS
    assert registry.workers["real@x"].tasks.keys() == {"u2"}
    assert "silent@x" not in registry.workers
    assert len(registry._to_ask) <= MOST_WORKERS
    assert len(registry.to_ask(NOW_US + 10**9)) == MOST_NEW


def test_how_many_workers_were_forgotten_is_told_once() -> None:
    memory = _Memory.of(TARGET, {})
    reading = _Reading(TARGET, None, {}, Rows(), memory)  # type: ignore[arg-type]  # not connected
    memory.workers.take(EventBatch(beats(MOST_WORKERS + 7), NOW_US))
    (notice,) = reading._unreadable(())
    assert (notice.kind, notice.location) == ("worker", "sample")
    assert notice.problem.startswith(
        "7 node names were forgotten, those heard of longest ago first"
    )
    assert reading._unreadable(()) == []


@pytest.mark.parametrize("workers", [1, 3])
def test_the_tasks_of_all_workers_together_are_bounded(
    monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.setattr(registry_module, "MOST_HELD", 50)
    registry = WorkerRegistry()
    for number in range(200):
        started = event("task-started", number, f"u{number}", f"w{number % workers}@x")
        registry.take(EventBatch((started,), NOW_US))
    held = sum(len(worker.tasks) for worker in registry.workers.values())
    assert held == registry._holders.number
    assert 0 < held <= 50


def test_an_event_costs_the_same_however_many_workers_there_are() -> None:
    def cost(number: int) -> int:
        registry = WorkerRegistry()
        registry.take(EventBatch(beats(number), NOW_US))
        events = [
            *(sent(0, f"u{count}") for count in range(20)),
            *(event("task-started", 1, f"u{count}", "real@x") for count in range(20)),
            *(event("task-succeeded", 2, f"u{count}", "real@x") for count in range(20)),
        ]
        return steps(lambda: registry.take(EventBatch(tuple(events), NOW_US)))

    assert cost(2000) == cost(20)


def test_silent_workers_and_what_waits_cost_no_product_of_both() -> None:
    def cost(number: int) -> int:
        registry = WorkerRegistry()
        hosts = [f"w{count}@x" for count in range(number)]
        queues = dict.fromkeys(hosts, ("acme-tasks",))
        registry.learn(queues, {host: WorkerStats(7, 1.0, 1) for host in hosts}, NOW_US)
        registry.take(EventBatch(tuple(sent(0, f"u{count}") for count in range(number)), NOW_US))
        return steps(lambda: registry.suspects(NOW_US + 10**9))

    assert cost(400) <= 2 * cost(200) + 50


def test_one_task_on_ever_other_workers_is_remembered_of_a_few_and_told_once_each() -> None:
    registry = WorkerRegistry()
    events = [event("task-started", count, "u1", f"w{count}@x") for count in range(500)]
    registry.take(EventBatch(tuple(events), NOW_US))
    assert len(registry._holders.of("u1")) == MOST_HOLDERS
    assert registry._holders.number == MOST_HOLDERS
    twice = registry.twice()
    assert len(twice) == 499
    assert len({again.hostname for again in twice}) == 499
    assert sum(len(worker.tasks) for worker in registry.workers.values()) == MOST_HOLDERS


def test_what_was_sent_is_remembered_until_a_worker_has_it_and_of_the_latest_only() -> None:
    registry = WorkerRegistry()
    many = tuple(sent(0, f"u{count}", queue=f"q{count}") for count in range(MOST_SENT + 5))
    registry.take(EventBatch(many, NOW_US))
    assert len(registry.sent) == MOST_SENT == len(registry.sent._tasks)
    registry.take(EventBatch((received(1, f"u{MOST_SENT}"),), NOW_US))
    assert len(registry.sent) == MOST_SENT - 1 == len(registry.sent._tasks)


def test_a_worker_that_is_lost_holds_nothing_any_more() -> None:
    registry, fold = WorkerRegistry(), Fold("sample")
    started = [event("task-started", 1, f"u{count}", "w1@x") for count in range(3)]
    beat = event("worker-heartbeat", 2, "", "w1@x", freq=2.0, active=3)
    registry.take(EventBatch((*started, beat), NOW_US))
    registry.learn({"w1@x": ("q",)}, {"w1@x": WorkerStats(7, 1.0, 3, "prefork")}, NOW_US)
    silences, after = Silences(registry, fold), NOW_US + 60 * 10**6
    runs = [run for us in (after, 2 * after) for run in silences.conclude(["w1@x"], {}, Rows(), us)]
    assert [run.status for run in runs] == [Status.LOST] * 3
    assert registry._holders.number == 0
    assert registry.suspects(3 * after) == []
    assert "w1@x" not in registry.workers


# -- names, queues and clocks ----------------------------------------------------------------------


def named(number: int) -> Iterator[CeleryEvent]:
    """A task that is called otherwise with each event."""
    for count in range(number):
        yield received(count, name=f"flow.step-{count}" + "x" * 5000 * (count % 2))


def test_ever_new_names_of_one_task_are_counted_and_their_rows_bounded() -> None:
    fold = Fold("sample")
    (run,) = fold.runs(named(3000), Rows())
    earlier = run.attributes[EARLIER_TYPES]
    assert earlier.startswith("flow.step-0, flow.step-1xxx")
    assert earlier.endswith(f" and {3000 - MOST_NAMES - 1:,} more")
    assert len(earlier) < MOST_NAMES * 220
    notes = [row for row in run.events if row.key.startswith("replaced:")]
    assert len(notes) == MOST_NAMES - 1
    assert len(run.events) == 3000 + MOST_NAMES - 1


def test_a_task_that_has_an_earlier_name_again_does_not_count_it() -> None:
    names = ("flow.a", "flow.b", "flow.a", "flow.b")
    events = [received(count, name=name) for count, name in enumerate(names)]
    (run,) = Fold("sample").runs(events, Rows())
    assert run.attributes[EARLIER_TYPES] == "flow.a"


def test_the_queues_of_workers_are_bounded_and_the_last_learnt_stay() -> None:
    fold = Fold("sample")
    for count in range(MOST_WORKERS + 100):
        fold.learn_queue(f"w{count}@x", "q")
    assert len(fold.queues) == MOST_WORKERS
    assert f"w{MOST_WORKERS + 99}@x" in fold.queues
    fold.learn_queue(f"w{MOST_WORKERS + 99}@x", "")
    assert f"w{MOST_WORKERS + 99}@x" not in fold.queues


def test_clocks_of_machines_that_nobody_hears_any_more_are_forgotten() -> None:
    clocks = Clocks()
    for machine in range(3 * MOST_MACHINES):
        for count in range(8):
            us = NOW_US + 2_000_000 * count
            beat = event("worker-heartbeat", 0, "", f"w@m{machine}", freq=2.0)
            late = us - 3_600_000_000
            clocks.corrected([beat._replace(us=late, stamp=late, heard_us=us)])
    assert len(clocks._ages) == len(clocks._off) == MOST_MACHINES


def test_a_checkpoint_in_bytes_is_told_whole() -> None:
    done, total = 5_368_709_120, 10**13
    (run,) = Fold("sample").runs([event("task-progress", 1, done=done, total=total)], Rows())
    assert run.progress is not None
    assert (run.progress.done, run.progress.total) == (done, total)
    assert run.events[0].title == f"Checkpoint {done} of {total}"
    assert json.loads(json.dumps(run.events[0].detail)) == {"done": done, "total": total}
