"""What a worker was ordered is compared with what it then says of itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast

import pytest

from console.clients.celery.client import CeleryClient
from console.clients.celery.records import TaskType, WorkerStats
from console.errors import ExternalError, Unreachable
from quotas.enforcement.adapters.celery import apply, read_back
from quotas.enforcement.adapters.celery.compile import compiled
from quotas.enforcement.adapters.celery.observe import Memory, observe
from quotas.enforcement.diff import changes_json, diff
from quotas.enforcement.ports import ApplyResult, Observed, PlacementChanges
from tenants.contracts import PlacementRef, TargetRef
from tests.contract.adapter_harness import limits

TARGET = TargetRef(1, "lab", "celery", "redis://nowhere", "", {"app": "sample"})
ACME = PlacementRef(1, "acme", "lab", "celery", "acme-tasks")
BUILD = "reports.build"


@dataclass
class ScriptedWorkers:
    """Workers of one queue. What is ordered of one of `odd` passes through its function first;
    one of `silent` says nothing of itself once it has had an order, and one of `deaf` goes on
    consuming."""

    rates: dict[str, dict[str, str]]
    odd: dict[str, Callable[[str], str]] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    deaf: set[str] = field(default_factory=set)
    paused: set[str] = field(default_factory=set)
    ordered: set[str] = field(default_factory=set)

    @contextmanager
    def control(self) -> Iterator[ScriptedWorkers]:
        yield self

    def waiting_in(self, _: Sequence[str]) -> dict[str, int]:
        return {}

    def _answering(self, to: Sequence[str] | None) -> list[str]:
        return [host for host in to or self.rates if host not in self.silent & self.ordered]

    def active_queues(self, *, to: Sequence[str] | None = None) -> dict[str, tuple[str, ...]]:
        answering = self._answering(to)
        return {host: () if host in self.paused else ("acme-tasks",) for host in answering}

    def stats(self, *, to: Sequence[str]) -> dict[str, WorkerStats]:
        return {host: WorkerStats(number, 5000.0, 2) for number, host in enumerate(to, 1)}

    def registered(self, *, to: Sequence[str]) -> dict[str, tuple[TaskType, ...]]:
        return {
            host: tuple(TaskType(name, rate) for name, rate in self.rates[host].items())
            for host in self._answering(to)
        }

    def rate_limit(self, task: str, rate: str, *, to: Sequence[str]) -> None:
        for host in to:
            self.rates[host][task] = self.odd.get(host, str)(rate)
        self.ordered |= set(to)

    def add_consumer(self, _: str, *, to: Sequence[str]) -> None:
        self.paused -= set(to) - self.deaf
        self.ordered |= set(to)

    def cancel_consumer(self, _: str, *, to: Sequence[str]) -> None:
        self.paused |= set(to) - self.deaf
        self.ordered |= set(to)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_back, "PATIENCE", 0.0)


def see(workers: ScriptedWorkers, memory: Memory) -> Observed:
    """A look at the queue of acme."""
    client = cast(CeleryClient, workers)
    return observe(client, TARGET, [ACME], memory).placements[ACME.id]


def push(workers: ScriptedWorkers, milli: int | None) -> tuple[ApplyResult, Memory]:
    """What comes of ordering a rate."""
    memory, results = Memory(), list[ApplyResult]()
    wanted = compiled(limits({"celery.queue_rate": milli}), ACME, TARGET)
    changes = diff(wanted.objects, see(workers, memory).objects)
    work = [PlacementChanges(ACME, changes)]
    apply.run(cast(CeleryClient, workers), TARGET, work, memory, on_result=results.append)
    return results[0], memory


def test_what_workers_say_as_it_was_ordered_is_no_news() -> None:
    for milli in (3_000, 0, None):
        result, _ = push(ScriptedWorkers({"a@x": {BUILD: ""}, "b@x": {BUILD: "9/s"}}), milli)
        assert (result.error, result.altered) == (None, ())


def test_a_worker_that_reports_another_rate_is_named() -> None:
    workers = ScriptedWorkers(
        {host: {BUILD: "", "imports.fetch": ""} for host in ("a@x", "b@x")},
        odd={"b@x": lambda _: "99/s"},
    )
    result, memory = push(workers, 3_000)
    (altered,) = result.altered
    assert result.error is None
    assert altered.suspects == ("b@x reports 99/s for reports.build, imports.fetch",)
    assert [(item.path, item.after) for item in altered.left.fields] == [("queue_rate", "3/s")]
    # The next look tells the same, so that nothing is ordered again for ever.
    wanted = compiled(limits({"celery.queue_rate": 3_000}), ACME, TARGET)
    again = diff(wanted.objects, see(workers, memory).objects)
    assert changes_json(again) == changes_json([altered.left])


@pytest.mark.parametrize(("stored", "shown"), [("99/s", "99/s"), ("0", "no rate"),
                                               ("+\u202e9", "no rate"), ("", "no rate"),
                                               ("+1/s", "1/s")])  # fmt: skip
def test_a_worker_that_is_alone_is_named_too(stored: str, shown: str) -> None:
    result, _ = push(ScriptedWorkers({"a@x": {BUILD: ""}}, {"a@x": lambda _: stored}), 3_000)
    (altered,) = result.altered
    assert altered.suspects == (f"a@x reports {shown} for reports.build",)


def test_a_worker_that_goes_on_consuming_a_paused_queue_is_named() -> None:
    workers = ScriptedWorkers({"a@x": {BUILD: ""}, "b@x": {BUILD: ""}}, deaf={"b@x"})
    result, _ = push(workers, 0)
    (altered,) = result.altered
    assert altered.suspects == ("b@x still consumes acme-tasks",)


def test_a_worker_that_does_not_consume_again_is_named() -> None:
    workers = ScriptedWorkers({"a@x": {BUILD: ""}, "b@x": {BUILD: ""}})
    _, memory = push(workers, 0)
    workers.deaf = {"b@x"}
    results: list[ApplyResult] = []
    wanted = compiled(limits({"celery.queue_rate": 3_000}), ACME, TARGET)
    work = [PlacementChanges(ACME, diff(wanted.objects, see(workers, memory).objects))]
    apply.run(cast(CeleryClient, workers), TARGET, work, memory, on_result=results.append)
    (altered,) = results[0].altered
    assert altered.suspects == ("b@x does not consume acme-tasks",)


def test_what_a_worker_did_not_say_is_ordered_again_later() -> None:
    result, _ = push(ScriptedWorkers({"a@x": {BUILD: ""}}, silent={"a@x"}), 3_000)
    # Not of the broker: that would keep everybody's limits from being enforced.
    assert isinstance(result.error, ExternalError)
    assert not isinstance(result.error, Unreachable)
    assert result.error.retryable
    assert result.error.message == "worker a@x did not say what became of its orders"
    assert result.done == ()


def test_a_worker_that_takes_a_moment_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    workers = ScriptedWorkers({"a@x": {BUILD: ""}}, deaf={"a@x"})
    monkeypatch.setattr(read_back, "PATIENCE", 60.0)  # clock: it ends with the second look

    def sleep(_: float) -> None:
        workers.paused.add("a@x")

    monkeypatch.setattr("quotas.enforcement.adapters.celery.read_back.time.sleep", sleep)
    result, _ = push(workers, 0)
    assert (result.error, result.altered) == (None, ())


def test_many_queues_are_asked_together_with_one_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    places = [PlacementRef(n, f"t{n}", "lab", "celery", f"queue-{n}") for n in range(1, 201)]
    workers = ManyQueues({f"w{place.id}@x": place.location for place in places})
    memory, results = Memory(), list[ApplyResult]()
    work = [
        PlacementChanges(
            place, diff(compiled(limits({"celery.queue_rate": 3_000}), place, TARGET).objects, [])
        )
        for place in places
    ]
    monkeypatch.setattr(read_back, "PATIENCE", 0.0)
    apply.run(cast(CeleryClient, workers), TARGET, work, memory, on_result=results.append)
    assert workers.looks == 2
    assert {result.placement.id for result in results if result.altered} == {
        place.id for place in places
    }


class ManyQueues:
    """A worker for each queue, which takes orders and does nothing about them."""

    def __init__(self, queues: dict[str, str]) -> None:
        self.queues, self.looks = queues, 0

    @contextmanager
    def control(self) -> Iterator[ManyQueues]:
        yield self

    def active_queues(self, *, to: Sequence[str] | None = None) -> dict[str, tuple[str, ...]]:
        self.looks += 1
        return {host: (self.queues[host],) for host in to or self.queues}

    def stats(self, *, to: Sequence[str]) -> dict[str, WorkerStats]:
        return {host: WorkerStats(number, 5000.0, 2) for number, host in enumerate(to, 1)}

    def registered(self, *, to: Sequence[str]) -> dict[str, tuple[TaskType, ...]]:
        return {host: (TaskType(BUILD, "99/s"),) for host in to}

    def rate_limit(self, *_: str, to: Sequence[str]) -> None:
        """Takes it."""
