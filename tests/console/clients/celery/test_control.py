"""What workers answer to remote control, and what else may: anybody at the broker can answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from console.clients.celery.control import (
    MOST_QUEUES,
    MOST_SHARING,
    MOST_WORKERS,
    Control,
    Replies,
    _note,
)
from console.clients.celery.records import TaskOnWorker, TaskType, WorkerStats
from tests.fuzzing import fuzz_examples
from tests.mutations import mutants

STATS = {
    "pid": 24, "uptime": 61, "total": {"reports.build": 3},
    "pool": {"implementation": "celery.concurrency.prefork:TaskPool", "max-concurrency": 2},
}  # fmt: skip
QUEUES = [{"name": "acme-tasks", "exchange": {"name": "acme-tasks", "type": "direct"}}]
TYPES = ["reports.build [rate_limit=+2.5/s]", "imports.fetch"]
TASKS = [{"id": "u1", "name": "reports.build"}, {"request": {"id": "u2", "type": "imports.fetch"}}]
RECORDED = [STATS, QUEUES, TYPES, TASKS]


class Scripted(Control):
    """Remote control of workers that answer what a test says."""

    def __init__(self, **answers: list[Any]) -> None:
        super().__init__(None)
        self.answers = answers

    def _ask(self, command: str, *_: Any, **options: Any) -> dict[str, list[Any]]:
        assert options.get("linger", False) == (command == "ping")
        return {"w@test": self.answers.get(command, [[]])}


def everything(control: Control) -> Iterator[object]:
    """All that is asked."""
    yield control.stats()
    yield control.active_queues()
    yield control.registered()
    yield control.tasks()
    yield control.count()


def test_answers_are_read() -> None:
    control = Scripted(stats=[STATS], active_queues=[QUEUES], registered=[TYPES], active=[TASKS])
    assert control.stats() == {"w@test": WorkerStats(24, 61.0, 2, "prefork")}
    assert control.active_queues() == {"w@test": ("acme-tasks",)}
    assert control.registered() == {
        "w@test": (TaskType("reports.build", "+2.5/s"), TaskType("imports.fetch"))
    }
    assert control.tasks() == {
        "u1": TaskOnWorker("u1", "reports.build", "w@test", "active"),
        "u2": TaskOnWorker("u2", "imports.fetch", "w@test", "active"),
    }


def test_workers_of_one_name_are_counted_and_told_as_one() -> None:
    other = {**STATS, "pid": 99, "uptime": 3}
    control = Scripted(
        stats=[other, STATS],
        active_queues=[QUEUES, [{"name": "globex-tasks"}]],
        registered=[TYPES, ["reports.build", "imports.fetch"]],
        active=[TASKS[:1], TASKS[1:]],
    )
    assert control.stats() == {"w@test": WorkerStats(24, 3.0, 4, "prefork", workers=2)}
    assert control.active_queues() == {"w@test": ("acme-tasks", "globex-tasks")}
    # A rate that one of them does not have is not in force.
    assert control.registered()["w@test"][0] == TaskType("reports.build", "")
    assert set(control.tasks()) == {"u1", "u2"}


@pytest.mark.fuzz
@pytest.mark.parametrize("command", ["stats", "active_queues", "registered", "active", "scheduled"])
def test_no_answer_harms_another(command: str) -> None:
    for mutant in mutants(RECORDED, fuzz_examples()):
        strange = Scripted(**{"stats": [STATS], command: [mutant.value, RECORDED[mutant.origin]]})
        assert list(everything(strange)), str(mutant)


@pytest.mark.parametrize("pid", [None, "²", "7", 7, 7.5, 10**30, -1, True, [], {}])
def test_a_process_id_that_is_no_number_is_no_worker(pid: Any) -> None:
    stats = Scripted(stats=[{**STATS, "pid": pid}]).stats()
    assert bool(stats) == (pid in ("7", 7))


def test_answers_that_anybody_may_send_are_bounded_and_do_not_push_out_others() -> None:
    replies: Replies = {}
    _note(replies, {"w@test": "first"})
    for count in range(MOST_WORKERS + 10):
        _note(replies, {f"invented-{count}": [], "w@test": count, "x" * 5000: []})
    assert len(replies) == MOST_WORKERS
    assert replies["w@test"][0] == "first"
    assert len(replies["w@test"]) == MOST_SHARING
    stranger: list[Any] = [None, [], "w@test", 7]
    for strange in stranger:
        _note(replies, strange)


class Slow:
    """A connection over which answers come one after the other, the first at once."""

    def __init__(self, replies: Replies, *answers: dict[str, Any]) -> None:
        self.replies, self.answers = replies, list(answers)

    def drain_events(self, timeout: float) -> None:
        """The next one, or none in time."""
        del timeout
        if not self.answers:
            raise TimeoutError
        _note(self.replies, self.answers.pop(0))


@pytest.mark.parametrize(
    ("known", "linger", "number"), [({}, False, 1), ({}, True, 2), ({"w@test": 2}, False, 2)]
)
def test_workers_that_share_a_name_are_waited_for(
    known: dict[str, int],
    linger: bool,
    number: int,
) -> None:
    replies: Replies = {}
    control = Control(Slow(replies, {"w@test": "first"}, {"w@test": "second"}), expected=known)
    control._collect(replies, ["w@test"], linger=linger)
    assert len(replies["w@test"]) == number


def test_who_shares_a_name_is_counted_and_has_told_all_only_when_all_have() -> None:
    control = Scripted(ping=["pong", "pong"], active=[TASKS[:1]])
    assert control.tasks_by_worker()["w@test"].complete
    assert control.count(to=["w@test"]) == {"w@test": 2}
    (of_worker,) = control.tasks_by_worker().values()
    assert (len(of_worker.tasks), of_worker.workers, of_worker.complete) == (1, 2, False)
    control.answers["ping"] = ["pong"]
    assert control.count(to=["w@test"]) == {"w@test": 1}
    assert control.tasks_by_worker()["w@test"].complete


def test_of_a_worker_only_so_many_queues_are_taken() -> None:
    many = [{"name": f"q{count}"} for count in range(MOST_QUEUES + 10)]
    assert len(Scripted(active_queues=[many]).active_queues()["w@test"]) == MOST_QUEUES
