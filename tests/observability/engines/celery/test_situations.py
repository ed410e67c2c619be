"""Readers that begin while workers are silent: they know since when from what the runs say. Times
are in seconds after NOW."""

from __future__ import annotations

from datetime import timedelta

import pytest

from observability.engines.celery.silence import LOST_AFTER
from observability.engines.celery.situations import (
    let_go,
    no_sign,
    noted_silence,
    went_offline,
)
from tests.observability.engines.celery.event_listener import NOW
from tests.observability.engines.celery.trail import HOST, START, Trail, running

DAY = LOST_AFTER / 1e6
HOURS = 3600.0


def asked(trail: Trail, start: float) -> None:
    """Questions of the first minutes after a reader began, which nobody answers."""
    for after in (1, 12, 40, 90, 200, 400):
        trail.ask(start + after)


def gone_offline() -> Trail:
    """A worker that went offline while it ran u1, with u2 behind it, as both of them say."""
    trail = running(pool="prefork", beats=True)
    trail.hear(1, "task-received", uuid="u2")
    trail.hear(10, "worker-offline")
    trail.ask(41)
    return trail


@pytest.mark.parametrize("us", [START, START + 10_999_999])
def test_a_silence_is_noted_to_the_second(us: int) -> None:
    second = us // 1_000_000 * 1_000_000
    assert noted_silence(no_sign("w1@test", us)) == (second, False)
    assert noted_silence(went_offline("w1@test", us)) == (second, True)


@pytest.mark.parametrize(
    "situation",
    [
        "",
        "worker w1@test has it, and has not started it yet",
        let_go("w1@test", "went offline at 2026-11-22 12:00:10 UTC"),
        went_offline("w1@test", START).replace("-11-22", "-11-99"),
    ],
)
def test_what_is_no_silence_is_none(situation: str) -> None:
    assert noted_silence(situation) is None


def test_a_day_after_its_worker_went_offline_a_run_has_ended_whoever_reads_then() -> None:
    trail = gone_offline()
    situation, of_waiting = trail.situation(), trail.situation("u2")
    for hours in (1, 12, 23):
        trail = trail.next_reader(hours * HOURS)
        asked(trail, hours * HOURS)
        assert (trail.rows.status("u1"), trail.situation()) == ("running", situation)
        assert trail.situation("u2") == of_waiting
    trail.ask(DAY + 5)
    assert trail.rows.status("u1") == "running"
    trail.ask(DAY + 700)
    assert trail.rows.kinds("u1") == ["scheduled", "attempt_started", "note", "ended"]
    assert trail.rows.runs["u1"].latest["state"] == ("ended", NOW + timedelta(seconds=10))
    assert trail.rows.value("u1", "failure") == (
        "Worker w1@test went offline while it ran, and nobody said how it ended."
    )
    assert trail.situation("u2") == of_waiting


def test_a_day_after_its_worker_went_offline_a_run_has_ended_though_events_were_lost() -> None:
    trail = gone_offline()
    trail.workers.unheard(START + round(23 * HOURS * 1e6))
    trail.ask(DAY + 100)
    assert trail.rows.status("u1") == "ended"


def test_a_day_after_the_last_sign_of_life_a_run_is_lost_whoever_reads_then() -> None:
    trail = running()
    trail.ask(32)
    situation = trail.situation()
    for hours in (1, 12, 23):
        trail = trail.next_reader(hours * HOURS)
        asked(trail, hours * HOURS)
        assert (trail.rows.status("u1"), trail.situation()) == ("running", situation)
    trail.ask(DAY + 700)
    assert trail.rows.kinds("u1") == ["scheduled", "attempt_started", "note", "lost"]


def test_a_worker_that_a_new_reader_hears_again_is_not_given_up() -> None:
    trail = running()
    trail.ask(32)
    trail = trail.next_reader(70 * HOURS)
    trail.ask(70 * HOURS + 1)
    assert trail.rows.status("u1") == "running"
    trail.hear(70 * HOURS + 3, "worker-heartbeat", freq=2.0, active=1)
    trail.ask(70 * HOURS + 12, w1=["u1"])
    assert (trail.rows.status("u1"), trail.situation()) == ("running", "")
    assert trail.rows.kinds("u1")[-1] == "worker"


def test_what_began_after_a_silence_tells_that_its_worker_was_heard_since() -> None:
    trail = running()
    trail.ask(32)
    trail.hear(60, "task-received", "task-started", uuid="u2")
    trail = trail.next_reader(30 * HOURS)
    asked(trail, 30 * HOURS)
    assert [trail.rows.status(uuid) for uuid in ("u1", "u2")] == ["running", "running"]
    assert "since 2026-11-23 18:00:00 UTC" in trail.situation("u2")


def test_a_run_of_which_nothing_is_noted_is_not_given_up_as_it_runs_for_long() -> None:
    trail = running(pool="prefork", beats=True).next_reader(30 * HOURS)
    asked(trail, 30 * HOURS)
    assert trail.rows.status("u1") == "running"
    trail.ask(31 * HOURS, w1=["u1"])
    assert trail.situation() == ""


def test_an_earlier_process_of_a_name_may_finish_what_it_runs_whoever_reads_then() -> None:
    trail = gone_offline().next_reader(100)
    for after in (101, 110, 300, 500):
        trail.hear(after, "worker-heartbeat", freq=2.0, active=0, pid=8)
        trail.ask(after + 1, w1=[])
    assert trail.rows.status("u1") == "running"
    for after in (700, 800):
        trail.hear(after, "worker-heartbeat", freq=2.0, active=0, pid=8)
        trail.ask(after + 1, w1=[])
    assert trail.rows.status("u1") == "ended"
    assert "went offline" in trail.rows.value("u1", "failure")


def test_a_silent_worker_says_nothing_of_what_another_one_has_since() -> None:
    trail = Trail()
    trail.hear(1, "task-received")
    trail.hear(2, "task-received", "task-started", host="w2@test")
    trail.ask(31.5)
    assert (trail.rows.status("u1"), trail.rows.value("u1", "worker")) == ("running", "w2@test")
    assert trail.situation() == ""
    assert HOST in trail.workers.workers
