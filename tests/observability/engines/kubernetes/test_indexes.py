"""Indexes are counted and named as they are, however many there are."""

from __future__ import annotations

from typing import Any

from observability.engines.contracts import SITUATION
from observability.engines.kubernetes.indexes import (
    index_list,
    index_ranges,
    index_words,
    succeeded_count,
)
from observability.engines.kubernetes.runs import run_of
from observability.engines.kubernetes.state import JobSnapshot
from tests.observability.engines.kubernetes.described_jobs import NOW, condition, job


def test_every_second_of_very_many_indexes_is_counted() -> None:
    listed = ",".join(map(str, range(0, 100_000, 2)))
    status = {"completedIndexes": listed, "succeeded": 50_000, "active": 10}
    sizes: dict[str, Any] = {"completionMode": "Indexed", "completions": 100_000, "parallelism": 10}
    run = run_of(JobSnapshot(job(status, **sizes)), NOW)
    assert run.attributes[SITUATION].startswith("50,000 of 100,000 succeeded")


def test_a_list_of_indexes_that_is_cut_says_so_and_ends_with_a_whole_one() -> None:
    assert index_list("0,2-4,10", 9) == "0,2-4,10"
    assert index_list("0,2-4,10,12345", 13) == "0,2-4,10,…"
    assert index_list(None, 9) == ""


def test_no_more_succeeded_than_a_job_wants() -> None:
    assert succeeded_count(job({"succeeded": 999_999_999}, completions=5)) == 5
    assert succeeded_count(job({"succeeded": 4}, completions=5)) == 4
    assert succeeded_count(job({"succeeded": -1})) == 0
    assert succeeded_count(job({"succeeded": 7})) == 7


def test_indexes_that_a_job_has_not_are_left_out() -> None:
    assert index_words(index_ranges("0-999999998,7", below=5)) == "indexes 0–4"
    assert index_ranges("5-9,7", below=5) == ()
    done = condition("Complete", "10:00:00", "SuccessPolicy")
    status = {"completedIndexes": "0-999999998", "conditions": [done]}
    run = run_of(JobSnapshot(job(status, completionMode="Indexed", completions=5)), NOW)
    words = "by its success policy: indexes 0–4 succeeded, what else still ran was stopped"
    assert run.attributes[SITUATION] == words
