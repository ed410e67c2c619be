"""Workers of whom nothing is heard, and tasks that end without a word: what is said of their runs.

Times are by our own clock, in seconds after NOW; the events' own times do not matter here.
"""

from __future__ import annotations

from typing import Any

import pytest

from console.clients.celery.records import EventBatch, WorkerStats
from observability.engines.celery.silence import LOST_AFTER
from observability.engines.celery.workers import WorkerRegistry
from observability.engines.contracts import RunRef, Status
from tests.observability.engines.celery.event_listener import NOW, Rows, event
from tests.observability.engines.celery.trail import HOST, START, Trail, running


def test_a_worker_without_heartbeats_is_asked_and_is_well_when_it_answers() -> None:
    trail = running(pool="prefork")
    assert trail.ask(30) == []
    assert trail.ask(32, w1=["u1"]) == [HOST]
    assert trail.rows.status("u1") == "running"
    assert trail.rows.kinds("u1") == ["scheduled", "attempt_started"]


def test_of_a_worker_that_does_not_answer_no_more_is_said_than_since_when() -> None:
    trail = running()  # as case 04: nothing tells what kind of pool it has
    for after in (32, 60, 90, 200, 600, 3600):
        trail.ask(after)
    assert trail.rows.status("u1") == "running"
    assert trail.situation().startswith("no sign of life of w1@test since 2026-11-22 12:00:01 UTC")
    assert trail.rows.kinds("u1") == ["scheduled", "attempt_started", "note"]
    trail.hear(3601, "task-succeeded", result="'done'", runtime=3600.0)
    assert trail.rows.status("u1") == "succeeded"
    assert trail.situation() == ""


def test_a_solo_worker_that_is_busy_is_not_lost_although_its_heartbeats_stop() -> None:
    trail = running(pool="solo", beats=True)
    for after in (32, 60, 90, 200):
        trail.ask(after)
    assert trail.rows.status("u1") == "running"
    assert "no sign of life" in trail.situation()
    trail.hear(201, "worker-heartbeat", freq=2.0, active=1)
    trail.ask(232, w1=["u1"])
    assert trail.situation() == ""
    assert trail.rows.kinds("u1")[-1] == "worker"


def test_a_worker_that_would_answer_is_lost_when_it_does_not_and_delivery_brings_it_back() -> None:
    trail = running(pool="prefork", beats=True)
    trail.ask(32)
    assert trail.rows.status("u1") == "running"
    trail.ask(43)
    assert trail.rows.status("u1") == "lost"
    assert trail.rows.value("u1", "failure_kind") == "worker_lost"
    assert "does not answer" in trail.rows.value("u1", "failure")
    trail.hear(60, "task-received", "task-started", host="w2@test")
    assert trail.rows.status("u1") == "running"
    trail.hear(61, "task-succeeded", host="w2@test")
    assert trail.rows.status("u1") == "succeeded"


def test_what_a_busy_solo_worker_may_have_taken_is_not_said_to_wait_for_nobody() -> None:
    trail = Trail()
    trail.workers.learn({HOST: ("q",)}, {HOST: WorkerStats(7, 1.0, 1, "solo")}, START)
    trail.hear(1, "task-sent", queue="q")
    trail.hear(1, "task-sent", queue="other", uuid="u2")
    assert trail.situation() == "no worker has said yet that it took it up"
    assert trail.ask(31) == []
    trail.ask(33)
    assert trail.situation() == (
        "no worker has said that it took it up, but of w1@test, which consumes q, there is no sign"
        " of life since 2026-11-22 12:00:00 UTC: it may be at work on it"
    )
    assert trail.situation("u2") == "no worker has said yet that it took it up"
    trail.hear(80, "task-received", "task-started", "task-succeeded")
    assert (trail.rows.status("u1"), trail.situation()) == ("succeeded", "")


def test_a_slow_heartbeat_is_no_silence() -> None:
    trail = running(pool="prefork")
    trail.hear(2, "worker-heartbeat", freq=60.0, active=1)
    assert trail.ask(31.5, w1=["u1"]) == [HOST]  # for the task, of which nothing came
    assert trail.ask(62) == []


def test_nobody_waits_for_a_sign_of_life_for_more_than_a_day() -> None:
    trail = running()
    trail.ask(32)
    trail.ask(LOST_AFTER / 1e6 + 100)
    assert trail.rows.status("u1") == "lost"


def test_a_task_that_ignores_itself_has_ended_once_no_worker_has_it() -> None:
    trail = running(pool="prefork", beats=True)
    for after in range(2, 32, 2):
        trail.hear(after, "worker-heartbeat", freq=2.0, active=1)
    assert trail.ask(32, w1=[]) == [HOST]
    assert trail.rows.status("u1") == "running"  # its end may be on its way
    trail.hear(34, "worker-heartbeat", freq=2.0, active=1)
    trail.ask(38, w1=[])
    assert trail.rows.status("u1") == "ended"
    assert "none said how it ended" in trail.rows.value("u1", "failure")
    assert trail.rows.kinds("u1")[-1] == "ended"
    assert trail.ask(70, w1=[]) == []


def test_a_worker_that_says_it_runs_less_is_asked_sooner() -> None:
    trail = running(pool="prefork")
    trail.hear(7, "worker-heartbeat", freq=2.0, active=0)
    assert trail.ask(8, w1=[]) == [HOST]


def test_an_end_that_comes_late_counts_more_than_our_conclusion() -> None:
    trail = running(pool="prefork")
    trail.ask(32, w1=[])
    trail.ask(38, w1=[])
    assert trail.rows.status("u1") == "ended"
    trail.hear(39, "task-failed", exception="ValueError('late')")
    assert trail.rows.status("u1") == "failed"


def test_a_worker_that_was_started_again_has_lost_what_it_ran() -> None:
    trail = running(pool="prefork")
    trail.hear(10, "worker-online", freq=2.0, pid=8)
    trail.ask(32, w1=[])
    trail.ask(38, w1=[])
    assert trail.rows.status("u1") == "lost"
    assert trail.rows.value("u1", "failure") == ("Worker w1@test was started again while it ran.")


def test_what_ran_before_events_were_lost_ended_while_they_were() -> None:
    trail = running(pool="prefork")
    trail.silences.unread_until_us = START + 20_000_000
    trail.ask(32, w1=[])
    trail.ask(38, w1=[])
    assert trail.rows.status("u1") == "ended"
    assert "while its events were not being read" in trail.rows.value("u1", "failure")


def test_a_worker_is_not_blamed_for_what_nobody_could_hear() -> None:
    trail = running(pool="prefork", beats=True)
    trail.workers.unheard(START + 100_000_000)
    assert trail.ask(101, w1=["u1"]) == [HOST]  # only for the task itself
    assert trail.rows.status("u1") == "running"


def test_a_new_reader_takes_up_what_an_earlier_one_knew() -> None:
    first = running(pool="prefork", beats=True)
    (run,) = first.rows.open_runs()
    second = Trail(rows=first.rows)
    second.workers.adopt(run, second.fold.adopt(run), START + 50_000_000)
    assert second.ask(50, w1=[]) == [HOST]
    second.ask(56, w1=[])
    assert second.rows.status("u1") == "ended"


def test_a_retried_run_of_an_earlier_reader_ends_as_the_attempt_that_it_was_at() -> None:
    first = Trail()
    first.hear(1, "task-received", "task-started", retries=3)
    (run,) = first.rows.open_runs()
    second = Trail(rows=first.rows)
    second.workers.adopt(run, second.fold.adopt(run), START + 50_000_000)
    second.ask(50, w1=[])
    second.ask(56, w1=[])
    assert second.rows.status("u1") == "ended"


def test_a_run_without_a_worker_is_nobodys() -> None:
    workers = WorkerRegistry()
    workers.adopt(RunRef(1, "u1", "", "sample", Status.RUNNING, "0-1-1-5", NOW), 5, START)
    assert workers.suspects(START + 10**12) == []


def test_the_same_id_twice_at_once_is_told() -> None:
    trail = running(pool="prefork")
    trail.hear(3, "task-received", "task-started", host="w2@test")
    notes = [e.title for e in trail.rows.events["u1"].values() if e.kind == "note"]
    assert notes == ["Started while w1@test runs it, too: it was delivered twice"]
    trail.hear(4, "task-succeeded")
    assert trail.rows.status("u1") == "succeeded"
    trail.hear(5, "task-failed", host="w2@test", exception="ValueError('second')")
    assert trail.rows.status("u1") == "failed"


def test_a_task_that_starts_again_after_a_silence_is_not_called_twice_at_once() -> None:
    trail = running(pool="prefork")
    trail.hear(60, "task-received", "task-started", host="w2@test")
    notes = [e.title for e in trail.rows.events["u1"].values() if e.kind == "note"]
    assert notes == ["Started again; of w1@test, which had it, nothing is heard any more"]
    trail.ask(62, w2=["u1"])
    trail.ask(80, w2=["u1"])
    assert trail.rows.status("u1") == "running"


def test_an_event_that_comes_again_starts_nothing_twice() -> None:
    trail = running(pool="prefork")
    trail.hear(1, "task-received", "task-started")
    assert trail.rows.kinds("u1") == ["scheduled", "attempt_started"]


def test_what_an_app_says_after_the_end_does_not_end_it_again() -> None:
    trail = running(pool="prefork")
    trail.hear(2, "task-succeeded")
    trail.hear(3, "task-progress", done=1)
    trail.ask(34, w1=[])
    trail.ask(40, w1=[])
    assert trail.rows.status("u1") == "succeeded"
    assert "ended" not in trail.rows.kinds("u1")


def test_a_worker_that_comes_online_is_asked_until_it_answers() -> None:
    workers = WorkerRegistry()
    workers.take(EventBatch((event("worker-online", 1, uuid="")._replace(heard_us=0),), START))
    assert workers.to_ask(START) == []
    assert workers.to_ask(START + 1_000_000) == ["w1@test"]
    assert workers.to_ask(START + 1_000_001) == []
    workers.answered(["w1@test"])
    assert workers.to_ask(START + 9_000_000) == []


@pytest.mark.parametrize("number", [1, 5])
def test_questions_about_one_worker_become_rare(number: int) -> None:
    trail = running()
    times = [after for after in range(3600) if trail.ask(after)]
    assert len(times) < 15
    assert times[number] - times[number - 1] >= 9


@pytest.mark.parametrize("runs", [True, False])
def test_a_worker_that_only_sends_heartbeats_is_asked_more_and_more_rarely(runs: bool) -> None:
    """Without remote control it never answers."""
    trail = running(pool="prefork", beats=True)
    if not runs:
        trail.hear(2, "task-succeeded")
        trail.hear(3, "task-received", uuid="u2")
        trail.hear(4, "worker-online", pid=8)
    times = []
    for after in range(6, 3600, 2):
        trail.hear(after, "worker-heartbeat", freq=2.0, active=0)
        if trail.ask(after):
            times.append(after)
    assert 5 < len(times) < 15
    assert trail.rows.status("u1" if runs else "u2") == ("running" if runs else "waiting")


REVOKED: dict[str, Any] = {"terminated": False, "signum": None, "expired": False}


@pytest.mark.parametrize("other", ["w2@test", HOST])
def test_a_copy_that_is_revoked_does_not_end_what_runs_elsewhere(other: str) -> None:
    trail = running(pool="prefork", beats=True)
    trail.hear(3, "task-received", host=other)
    trail.hear(3.1, "task-revoked", host=other, **REVOKED)
    assert (trail.rows.status("u1"), trail.situation()) == ("running", "")
    assert trail.rows.value("u1", "worker") == HOST
    assert trail.rows.value("u1", "failure") is None
    titles = [row.title for row in trail.rows.events["u1"].values()]
    assert f"Revoked: a copy, while {HOST} runs it" in titles
    trail.hear(9, "task-succeeded")
    assert trail.rows.status("u1") == "succeeded"


def test_what_waits_is_revoked_though_another_worker_had_it() -> None:
    trail = running(pool="prefork", beats=True)
    trail.ask(32)
    trail.ask(43)
    assert trail.rows.status("u1") == "lost"
    trail.hear(50, "task-received", host="w2@test")
    trail.hear(51, "task-revoked", host="w2@test", **REVOKED)
    assert trail.rows.status("u1") == "cancelled"
    assert trail.rows.value("u1", "failure") == "Revoked before it ran again"


def opened_again() -> Trail:
    """A task that ended and runs again, on a prefork worker of whom heartbeats came; of runs no
    more than five are remembered."""
    trail = Trail(remembered=5)
    trail.workers.learn({HOST: ("q",)}, {HOST: WorkerStats(7, 1.0, 1, "prefork")}, START)
    trail.hear(0, "worker-heartbeat", freq=2.0, active=1)
    trail.hear(1, "task-received", "task-started", retries=2)
    trail.hear(2, "task-failed", exception="ValueError('503')")
    trail.hear(3, "task-received", "task-started", retries=2)
    return trail


def others(trail: Trail, after: float) -> None:
    """More tasks than are remembered."""
    for count in range(10):
        trail.hear(after, "task-received", "task-succeeded", uuid=f"o{count}", host="w2@test")


def test_what_is_concluded_of_a_run_counts_however_long_ago_that_was_remembered() -> None:
    trail = opened_again()
    others(trail, 4)
    trail.ask(34)
    trail.ask(45)
    assert trail.rows.status("u1") == "lost"
    assert trail.rows.kinds("u1")[-1] == "lost"
    assert sorted(trail.rows.events["u1"].items())[-1][1].attempt == 3


def test_what_is_given_up_counts_however_long_ago_that_was_remembered() -> None:
    trail = opened_again()
    trail.hear(4, "task-cancelled")
    others(trail, 5)
    trail.ask(LOST_AFTER / 1e6 + 100)
    assert trail.rows.status("u1") == "lost"


def test_of_what_a_worker_answers_that_it_has_no_row_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trail = opened_again()
    others(trail, 4)
    monkeypatch.delattr(Rows, "revisions")
    assert trail.ask(34, w1=["u1"]) == [HOST]
    assert trail.rows.status("u1") == "running"
