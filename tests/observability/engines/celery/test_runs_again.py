"""Tasks that go on: tried again, taken up by the next reader, delivered or sent again after their
end, and what is said of those that are revoked before that."""

from __future__ import annotations

from typing import Any

import pytest

from console.clients.celery.records import CeleryEvent
from observability.engines.celery.runs import Fold
from observability.engines.contracts import SITUATION
from tests.observability.engines.celery.event_listener import Rows, event, received, sent


@pytest.mark.parametrize("heard_before", [2, 4])
def test_a_reader_that_takes_up_a_run_knows_which_attempt_gives_up(heard_before: int) -> None:
    events = [
        received(1),
        event("task-started", 2),
        sent(3, retries=1, parent_id="u1"),
        received(3.1, retries=1, parent_id="u1"),
        event("task-retried", 3.2, exception="ValueError('503')"),
    ]
    rows, fold = Rows(), Fold("sample")
    rows.store(Fold("sample").runs(events[:heard_before], rows))
    for run in rows.open_runs():
        fold.adopt(run)
    rows.store(fold.runs(events[heard_before:], rows))
    (failed,) = (row for row in rows.events["u1"].values() if row.kind == "attempt_failed")
    assert failed.attempt == 1
    assert rows.value("u1", f"attributes.{SITUATION}") == (
        "worker w1@test has it, and has not started it yet; it was retried once before"
    )


REVOKED: dict[str, Any] = {"terminated": False, "signum": None, "expired": False}


@pytest.mark.parametrize(
    ("before", "how"),
    [
        ([received(1)], "{} before it {}"),
        (
            [
                received(1),
                event("task-started", 2),
                event("task-retried", 3, exception="ValueError('503')"),
                received(3.5, retries=1),
            ],
            "{} while it waited for its retry",
        ),
        (
            [received(1), event("task-started", 2), event("task-rejected", 3, requeue=True)],
            "{} before it ran again",
        ),
    ],
)
@pytest.mark.parametrize("readers", [1, 2])
def test_of_a_task_that_ran_nobody_says_that_it_was_revoked_before(
    before: list[CeleryEvent], how: str, readers: int
) -> None:
    for expired, words in ((False, ("Revoked", "ran")), (True, ("Expired", "could run"))):
        rows, fold = Rows(), Fold("sample")
        rows.store(fold.runs(before, rows))
        if readers == 2 and "again" not in how:  # a row does not tell what was given back
            fold = Fold("sample")
            for run in rows.open_runs():
                fold.adopt(run)
        rows.store(fold.runs([event("task-revoked", 9, **REVOKED | {"expired": expired})], rows))
        text = how.format(*words)
        assert (rows.status("u1"), rows.value("u1", "failure")) == ("cancelled", text)
        assert sorted(rows.events["u1"].items())[-1][1].title == text


def test_a_copy_that_is_revoked_after_the_end_ends_nothing() -> None:
    rows, fold = Rows(), Fold("sample")
    first = [received(1), event("task-started", 2), received(3, host="w2@test")]
    rows.store(fold.runs([*first, event("task-succeeded", 4)], rows))
    rows.store(fold.runs([event("task-revoked", 5, host="w2@test", **REVOKED)], rows))
    assert (rows.status("u1"), rows.value("u1", "failure")) == ("succeeded", "")
    assert rows.value("u1", "worker") == "w1@test"


TIMED_OUT = {"exception": "TimeLimitExceeded(3)", "traceback": ""}


@pytest.mark.parametrize("pieces", [1, 2, 3, 10])
def test_a_task_that_is_given_back_at_its_time_limit_goes_on(pieces: int) -> None:
    """Celery gives it back first (acks_on_timeout=False), and says then that it failed."""
    events = []
    for start in (0, 10):
        events += [
            received(start + 1),
            event("task-started", start + 2),
            event("task-rejected", start + 5, requeue=True),
            event("task-failed", start + 5.1, **TIMED_OUT),
        ]
    rows, fold = Rows(), Fold("sample")
    for start in range(0, len(events), pieces):
        rows.store(fold.runs(events[start : start + pieces], rows))
    assert rows.status("u1") == "waiting"
    assert rows.value("u1", f"attributes.{SITUATION}") == "given back to the queue"
    assert rows.value("u1", "failure") == "TimeLimitExceeded: 3"
    rows.store(fold.runs([received(21, host="w2@test")], rows))
    rows.store(fold.runs([event("task-started", 22, host="w2@test")], rows))
    assert rows.status("u1") == "running"
    rows.store(fold.runs([event("task-failed", 25, host="w2@test", **TIMED_OUT)], rows))
    assert rows.status("u1") == "timed_out"


AGAIN = [
    received(1),
    event("task-started", 2),
    sent(2.5, retries=1, parent_id="u1"),
    event("task-retried", 2.6, exception="ValueError('503')"),
    received(2.7, retries=1, parent_id="u1"),
    event("task-started", 3),
    event("task-succeeded", 4, result="1"),
    sent(100),
    received(101, host="w2@test"),
    event("task-started", 102, host="w2@test"),
]
ENDS_AGAIN = event("task-failed", 110, host="w2@test", exception="ValueError('second')")


@pytest.mark.parametrize("pieces", range(1, len(AGAIN) + 1))
@pytest.mark.parametrize("readers", [1, 2])
def test_a_task_that_runs_again_after_its_end_goes_on(pieces: int, readers: int) -> None:
    rows, fold = Rows(), Fold("sample")
    for start in range(0, len(AGAIN), pieces):
        fold = fold if readers == 1 else Fold("sample")
        rows.store(fold.runs(AGAIN[start : start + pieces], rows))
    assert (rows.status("u1"), rows.value("u1", "worker")) == ("running", "w2@test")
    for start in range(0, len(AGAIN), pieces):  # whoever reads them again changes nothing
        fold = fold if readers == 1 else Fold("sample")
        rows.store(fold.runs(AGAIN[start : start + pieces], rows))
    assert rows.status("u1") == "running"
    rows.store(fold.runs([ENDS_AGAIN], rows))
    assert (rows.status("u1"), rows.value("u1", "failure")) == ("failed", "ValueError: second")
    rows.store(fold.runs(AGAIN, rows))
    assert rows.status("u1") == "failed"


def test_a_start_that_is_heard_late_opens_nothing_again() -> None:
    rows, fold = Rows(), Fold("sample")
    rows.store(fold.runs([received(1), event("task-succeeded", 3)], rows))
    rows.store(fold.runs([event("task-started", 2)], rows))
    rows.store(fold.runs([received(2.5, host="w2@test")], rows))
    assert rows.status("u1") == "succeeded"


def test_an_end_that_is_heard_late_does_not_end_what_runs_again() -> None:
    rows, fold = Rows(), Fold("sample")
    rows.store(fold.runs(AGAIN, rows))
    rows.store(fold.runs([event("task-failed", 50, host="w3@test", exception="E()")], rows))
    assert rows.status("u1") == "running"


def test_a_clock_that_is_fast_opens_nothing_again() -> None:
    """The first worker's clock is two seconds ahead: it gave the task back before the other one
    took it up."""
    fast = [received(3), event("task-started", 3.1), event("task-rejected", 3.2, requeue=True)]
    second = [
        received(1.5, host="w2@test"),
        event("task-started", 1.6, host="w2@test"),
        event("task-succeeded", 1.7, host="w2@test"),
    ]
    for batches in ([[*fast, *second]], [fast, second]):
        rows, fold = Rows(), Fold("sample")
        for batch in batches:
            rows.store(fold.runs(batch, rows))
        assert rows.status("u1") == "succeeded"
