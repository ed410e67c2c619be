"""Whose worker is whose, and rates as Celery takes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.clients.celery.records import WorkerStats
from quotas.enforcement.adapters.celery import rates
from quotas.enforcement.adapters.celery.consumers import carried_on, known_queues, workers_of
from quotas.enforcement.adapters.celery.observe import MOST_REMEMBERED, Memory

ONE, OTHER = WorkerStats(1, 50.0, 2), WorkerStats(2, 50.0, 2)


def test_a_cancelled_consumer_is_remembered_while_its_process_lives() -> None:
    before = {"a": {"w1": 1}}
    belongs = carried_on(before, {"w1": ()}, {"w1": ONE})
    assert workers_of("a", belongs, {"w1": ()}).paused == {"w1"}
    again = carried_on(before, {"w1": ("b",)}, {"w1": OTHER})
    assert again == {"b": {"w1": 2}}
    assert workers_of("a", again, {"w1": ("b",)}).vacant


def test_a_worker_of_two_queues_is_shared_even_while_one_is_paused() -> None:
    belongs = {"a": {"w1": 1}, "b": {"w1": 1, "w2": 2}}
    place = workers_of("b", belongs, {"w1": ("b",), "w2": ("b",)})
    assert place.shared == {"w1"}
    assert place.alone == {"w2"}
    assert place.other_queues == {"a"}


@pytest.mark.parametrize("junk", [{}, {"queues": None}, {"queues": {"a": None}}, {"queues": []}])
def test_features_of_another_shape_say_nothing(junk: dict[str, object]) -> None:
    assert known_queues(junk) == {}


@given(st.integers(1, 10**9), st.integers(1, 200))
def test_what_is_told_to_workers_adds_up_to_the_rate(milli: int, workers: int) -> None:
    text = rates.written(milli, workers)
    assert rates.is_ours(text)
    assert rates.together([text] * workers) == milli


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10/m", 10 / 60), ("2", 2.0), ("0", None), ("", None), ("5/x", None), ("7200/h", 2.0),
        ("inf/s", None), ("nan", None), ("1e308", None), ("-1/s", None),
    ],
)  # fmt: skip
def test_rates_are_read_as_celery_reads_them(text: str, expected: float | None) -> None:
    assert rates.per_second(text) == expected


def test_one_worker_without_a_limit_makes_the_whole_unlimited() -> None:
    assert rates.together(["1/s", ""]) is None


def test_what_was_paused_is_remembered_of_the_latest_workers_only() -> None:
    memory = Memory()
    for count in range(MOST_REMEMBERED + 50):
        memory.add(1, "acme-tasks", {f"w{count}": count + 1})
    memory.add(2, "acme-tasks", {"w": 1})
    hosts = memory.of(1)["acme-tasks"]
    assert len(hosts) == MOST_REMEMBERED
    assert "w49" not in hosts
    assert hosts[f"w{MOST_REMEMBERED + 49}"] == MOST_REMEMBERED + 50
    assert memory.of(2) == {"acme-tasks": {"w": 1}}


def test_what_was_paused_is_forgotten_when_the_worker_is_another_process() -> None:
    memory = Memory()
    memory.add(1, "a", {"w1": 1, "w2": 2, "away": 3})
    memory.forget_others(1, {"w1": ONE, "w2": ONE})
    assert memory.of(1) == {"a": {"w1": 1, "away": 3}}
