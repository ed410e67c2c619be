"""Events made by hand: what they say of a run, in whatever order and however often they come."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.clients.celery.records import CeleryEvent
from observability.engines.celery.revisions import (
    ENDED,
    WITH_WORKER,
    Revision,
    format_revision,
    parse_revision,
)
from observability.engines.celery.runs import Fold
from observability.engines.contracts import (
    EARLIER_TYPES,
    SITUATION,
    FailureKind,
    LinkKind,
    RunSnapshot,
)
from tests.observability.engines.celery.event_listener import (
    Rows,
    event,
    received,
    sent,
)

LOST = (
    'Traceback (most recent call last):\n  File "pool.py", line 1\n'
    'billiard.einfo.ExceptionWithTraceback: \n"""\nTraceback (most recent call last):\n'
    "billiard.exceptions.WorkerLostError: Worker exited prematurely: signal 9 (SIGKILL) Job: 2.\n"
    '"""\n'
)
RETRIED = [
    sent(0),
    event("task-headroom", 0.9, queue="acme-tasks", tenant="acme", request_id="req-7"),
    received(1),
    event("task-started", 2, pid=7),
    sent(3, retries=1, eta="2026-11-18T11:06:50+00:00", parent_id="u1"),
    event("task-retried", 3.1, exception="SourceError('503')", traceback="…"),
    received(4, retries=1, eta="2026-11-18T11:06:50+00:00", parent_id="u1"),
    event("task-started", 5, host="w2@test"),
    event("task-progress", 5.5, host="w2@test", done=1, total=2, text="half"),
    event("task-succeeded", 6, host="w2@test", result="'ok'", runtime=1.0),
]


def run_of(*events: CeleryEvent) -> RunSnapshot:
    *_, run = Fold("sample").runs(events, Rows())
    return run


def test_a_task_that_succeeds_at_its_second_attempt() -> None:
    run = run_of(*RETRIED)
    assert (run.status, run.attempts, run.type) == ("succeeded", 2, "imports.fetch")
    assert (run.queue, run.worker, run.tenant) == ("acme-tasks", "w2@test", "acme")
    assert run.links == {LinkKind.REQUEST: "req-7"}
    assert run.parent == ""
    assert [(row.kind, row.attempt) for row in run.events] == [
        ("created", 1), ("scheduled", 1), ("attempt_started", 1), ("retry", 2),
        ("attempt_failed", 1), ("scheduled", 2), ("attempt_started", 2), ("checkpoint", 2),
        ("succeeded", 2),
    ]  # fmt: skip
    failed = run.events[4]
    assert failed.message == "SourceError: 503"
    assert run.began_at is not None
    assert run.closed_at is not None
    assert run.progress is not None
    assert (run.progress.done, run.progress.total, run.progress.text) == (1, 2, "half")


def test_an_attempt_that_fails_after_the_next_one_was_received_is_still_the_earlier_one() -> None:
    run = run_of(
        sent(0),
        received(1),
        event("task-started", 2),
        sent(3, retries=1, parent_id="u1"),
        received(3.1, retries=1, parent_id="u1"),
        event("task-retried", 3.2, exception="SourceError('503')"),
        event("task-started", 5),
        event("task-failed", 6, exception="SourceError('504')"),
    )
    assert [(row.kind, row.attempt) for row in run.events] == [
        ("created", 1), ("scheduled", 1), ("attempt_started", 1), ("retry", 2), ("scheduled", 2),
        ("attempt_failed", 1), ("attempt_started", 2), ("failed", 2),
    ]  # fmt: skip
    assert (run.status, run.attempts) == ("failed", 2)


@given(st.randoms(use_true_random=False), st.integers(1, 10))
def test_order_and_repetition_make_no_difference(dice: random.Random, pieces: int) -> None:
    expected = Rows()
    expected.store(Fold("sample").runs(RETRIED, expected))
    shuffled = [*RETRIED, *dice.sample(RETRIED, 4)]
    dice.shuffle(shuffled)
    rows, fold = Rows(), Fold("sample")
    for start in range(0, len(shuffled), pieces):
        rows.store(fold.runs(shuffled[start : start + pieces], rows))
    assert set(rows.events["u1"]) == set(expected.events["u1"])
    got, want = rows.runs["u1"], expected.runs["u1"]
    assert got.latest == want.latest
    assert (got.created_at, got.began_at, got.attempts) == (
        want.created_at, want.began_at, want.attempts
    )  # fmt: skip


def test_an_event_that_comes_late_opens_nothing_again() -> None:
    rows, fold = Rows(), Fold("sample")
    rows.store(fold.runs([received(1), event("task-started", 2), event("task-succeeded", 3)], rows))
    rows.store(fold.runs([sent(9)], rows))  # the sender's clock is ahead
    rows.store(Fold("sample").runs([event("task-progress", 2.5, done=1)], rows))
    assert rows.status("u1") == "succeeded"
    assert len(rows.events["u1"]) == 5


def test_a_reader_that_was_restarted_knows_the_attempt_from_the_rows() -> None:
    rows = Rows()
    rows.store(Fold("sample").runs(RETRIED[:7], rows))
    rows.store(Fold("sample").runs(RETRIED[7:], rows))
    assert rows.status("u1") == "succeeded"
    last = sorted(rows.events["u1"].items())[-1][1]
    assert (last.kind, last.attempt) == ("succeeded", 2)


@pytest.mark.parametrize(
    ("fields", "status", "kind", "message"),
    [
        ({"exception": "ValueError('below zero')"}, "failed", FailureKind.APPLICATION,
         "ValueError: below zero"),
        ({"exception": "ExceptionWithTraceback()", "traceback": LOST}, "lost",
         FailureKind.WORKER_LOST,
         "WorkerLostError: Worker exited prematurely: signal 9 (SIGKILL) Job: 2."),
        ({"exception": "TimeLimitExceeded(30)"}, "timed_out", FailureKind.DEADLINE,
         "TimeLimitExceeded: 30"),
        ({"exception": "MemoryError()"}, "failed", FailureKind.OUT_OF_MEMORY, "MemoryError"),
        ({"exception": "<unprintable>"}, "failed", FailureKind.APPLICATION, "<unprintable>"),
        ({}, "failed", FailureKind.APPLICATION, ""),
    ],
)  # fmt: skip
def test_how_a_task_failed(
    fields: dict[str, str], status: str, kind: FailureKind, message: str
) -> None:
    run = run_of(received(1), event("task-failed", 3, **fields))
    assert (run.status, run.failure_kind, run.failure) == (status, kind, message)


@pytest.mark.parametrize(
    ("fields", "status", "kind"),
    [
        ({"terminated": True, "signum": "15", "expired": False}, "terminated", "terminated"),
        ({"terminated": False, "signum": None, "expired": False}, "cancelled", "cancelled"),
        ({"terminated": False, "signum": None, "expired": True}, "cancelled", "deadline"),
    ],
)
def test_how_a_task_was_revoked(fields: dict[str, Any], status: str, kind: str) -> None:
    run = run_of(received(1), event("task-revoked", 3, **fields))
    assert (run.status, run.failure_kind) == (status, kind)


def test_the_worker_that_tells_of_a_revocation_did_not_ask_for_it() -> None:
    revoked = event("task-revoked", 3, terminated=True, signum="15", expired=False)
    last = run_of(received(1), event("task-started", 2), revoked).events[-1]
    assert (last.title, last.actor) == ("Revoked while it ran (signal 15)", "")


def test_a_task_that_is_given_back_waits_and_runs_again() -> None:
    rows, fold = Rows(), Fold("sample")
    rows.store(fold.runs([received(1), event("task-started", 2)], rows))
    rows.store(fold.runs([event("task-rejected", 3, requeue=True)], rows))
    assert rows.status("u1") == "waiting"
    rows.store(fold.runs([received(4), event("task-started", 5, host="w2@test")], rows))
    assert rows.status("u1") == "running"


def test_a_step_of_a_chain_names_its_parent_and_its_root() -> None:
    run = run_of(received(1, uuid="c", root_id="a", parent_id="b"))
    assert run.parent == "celery/sample/b/"
    assert run.links == {LinkKind.CHAIN: "a"}


def test_the_only_queue_of_a_worker_is_the_queue_of_its_tasks() -> None:
    fold = Fold("sample")
    fold.queues["w1@test"] = "acme-tasks"
    (run,) = fold.runs([received(1)], Rows())
    assert run.queue == "acme-tasks"


def test_a_run_whose_start_was_not_heard_began_as_long_ago_as_it_ran() -> None:
    run = run_of(event("task-succeeded", 3, result="'ok'", runtime=2.5))
    assert (run.type, run.status) == ("", "succeeded")
    assert run.closed_at is not None
    assert run.began_at == run.created_at == run.closed_at - timedelta(seconds=2.5)


def test_how_long_it_ran_moves_no_start_that_was_heard() -> None:
    rows, fold = Rows(), Fold("sample")
    rows.store(fold.runs([received(1), event("task-started", 2)], rows))
    began = rows.runs["u1"].began_at
    rows.store(fold.runs([event("task-succeeded", 3, runtime=0.5)], rows))
    assert rows.runs["u1"].began_at == began


def test_a_task_that_is_held_until_its_time_says_until_when_and_by_whom() -> None:
    eta = "2026-11-18T11:46:50.485319+00:00"
    until = "2026-11-18T11:46:50.485319+00:00"

    def held(*events: CeleryEvent) -> Any:
        rows = Rows()
        rows.store(Fold("sample").runs(events, rows))
        return rows.value("u1", "hold")

    assert held(sent(0, eta=eta)) == {"until": until, "reason": "ETA"}
    assert held(sent(0, eta=eta), received(1, eta=eta)) == {
        "until": until, "reason": "ETA, held by w1@test",
    }  # fmt: skip
    assert held(received(9, retries=3, eta=eta))["reason"] == "retry, held by w1@test"
    assert held(received(9, eta="2026-11-18T11:00:00+00:00")) is None


@pytest.mark.parametrize(
    ("events", "situation"),
    [
        ([sent(0)], "no worker has said yet that it took it up"),
        ([sent(0), received(1)], "worker w1@test has it, and has not started it yet"),
        (
            [received(1, retries=5)],
            "worker w1@test has it, and has not started it yet; it was retried 5 times before",
        ),
        ([received(1), event("task-started", 2)], ""),
        (
            [received(1, retries=3999), event("task-retried", 2, exception="Retry('x')")],
            "retried 4,000 times, last at 2026-11-18 11:06:42 UTC",
        ),
        ([received(1), event("task-rejected", 2, requeue=True)], "given back to the queue"),
        ([received(1), event("task-succeeded", 2)], ""),
    ],
)
def test_how_an_open_task_is_now_is_said_in_a_sentence(
    events: list[CeleryEvent], situation: str
) -> None:
    assert run_of(*events).attributes[SITUATION] == situation


def test_a_task_that_asks_to_be_tried_again_has_not_failed() -> None:
    for nothing in ("None", "Retry('Retry in 1s')"):
        run = run_of(received(1), event("task-retried", 2, exception=nothing, traceback=""))
        assert (run.status, run.failure, run.failure_kind) == ("waiting", "", "")
        assert (run.events[-1].kind, run.events[-1].title) == ("retry", "Asked to be tried again")


def test_the_unlocking_of_a_chord_waits_and_does_not_fail() -> None:
    fold, rows = Fold("sample"), Rows()
    rows.store(fold.runs([received(1, name="celery.chord_unlock")], rows))
    (run,) = fold.runs([event("task-retried", 2, exception="TimeoutError()")], rows)
    assert (run.failure, run.events[0].kind) == ("", "waiting")
    assert run.events[0].title == "Waits for the other tasks of its chord"


def test_a_task_that_was_replaced_keeps_its_first_name_whoever_reads() -> None:
    first = [received(1, name="flow.substitute"), event("task-started", 2)]
    second = [
        sent(3, name="flow.real", parent_id="u1"),
        received(4, name="flow.real", host="w2@test", parent_id="u1"),
        event("task-succeeded", 5, host="w2@test"),
    ]
    for readers in (1, 2):
        rows, fold = Rows(), Fold("sample")
        rows.store(fold.runs(first, rows))
        rows.store((fold if readers == 1 else Fold("sample")).runs(second, rows))
        assert rows.value("u1", "type") == "flow.real"
        assert rows.value("u1", f"attributes.{EARLIER_TYPES}") == "flow.substitute"
        titles = [row.title for row in rows.events["u1"].values()]
        assert titles.count("Replaced by flow.real, which goes on under the same id") == 1
        assert rows.value("u1", "started_by") is None


@pytest.mark.parametrize(
    ("parent", "title"),
    [
        (None, "The same id was used again by flight.deregister"),
        ("u1", "Replaced by flight.deregister, which goes on under the same id"),
        # Of a chain that replaces a task the last step has its id, and the step before as parent.
        ("u2", "Replaced by flight.deregister, which goes on under the same id"),
    ],
)
def test_an_id_that_is_used_again_is_no_replacement(parent: str | None, title: str) -> None:
    run = run_of(
        sent(0, name="flight.register"), sent(0.1, name="flight.deregister", parent_id=parent)
    )
    assert title in [row.title for row in run.events]
    assert run.attributes[EARLIER_TYPES] == "flight.register"


def test_a_task_that_is_rejected_for_good_has_ended() -> None:
    run = run_of(received(1), event("task-started", 2), event("task-rejected", 3, requeue=False))
    assert (run.status, run.failure_kind) == ("failed", "other")
    assert run.failure == "Rejected by the task: its message is not delivered again"
    assert run.closed_at is not None


@pytest.mark.parametrize("given", [{}, {"requeue": None}])
def test_a_rejection_that_does_not_say_whether_the_task_comes_again_claims_neither(
    given: dict[str, Any],
) -> None:
    run = run_of(received(1), event("task-started", 2), event("task-rejected", 3, **given))
    assert (run.status, run.failure_kind) == ("failed", "other")
    words = "Rejected by the task: whether its message is delivered again is not known"
    assert run.failure == words
    assert run.events[-1].title == "Rejected by the task"


def test_cut_arguments_are_marked() -> None:
    whole, cut = run_of(sent(0)), run_of(sent(0, args="('aaaaaaaaaa..."))
    assert whole.events[0].detail["args"] == "('erp',)"
    assert "truncated" not in whole.events[0].detail
    assert cut.events[0].detail["truncated"] is True


def test_memory_is_bounded() -> None:
    fold = Fold("sample", remembered=10)
    fold.runs([received(index, uuid=f"u{index}") for index in range(100)], Rows())
    assert fold.attempt_of("u99") == 1
    assert len(fold._revisions) == 10


def test_a_revision_is_read_back_and_nothing_else_is() -> None:
    for ends in range(3):
        for phase in (WITH_WORKER, ENDED):
            revision = Revision(2, phase, 77, ends)
            assert parse_revision(format_revision(revision)) == revision
    for strange in ("", "77", "1-2", "1-2-3-x", "-1-2-3"):
        assert parse_revision(strange) is None
