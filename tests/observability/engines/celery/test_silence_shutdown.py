"""Workers that shut down, are lost or begin anew: what is said of what they ran, and of what waited
with them. Times are in seconds after NOW."""

from __future__ import annotations

import pytest

from console.clients.celery.records import WorkerStats
from observability.engines.celery.silence import LOST_AFTER
from tests.observability.engines.celery.trail import HOST, START, Trail, running

OFFLINE = "w1@test went offline at 2026-11-22 12:00:10 UTC"
FINISHES = f"{OFFLINE}; a worker that shuts down warmly still finishes what it runs"
GIVEN_AGAIN = "it is delivered again when the broker gives it back"
DAY = LOST_AFTER / 1e6 + 100


def shutting_down() -> Trail:
    """A worker that went offline while it runs u1, with u2 waiting behind it."""
    trail = running(pool="prefork", beats=True)
    trail.hear(1, "task-received", uuid="u2")
    trail.hear(10, "worker-offline")
    return trail


def test_a_worker_that_shuts_down_finishes_what_it_runs() -> None:
    trail = shutting_down()
    for after in (41, 52, 63, 200, 3600):
        trail.ask(after)
    assert (trail.rows.status("u1"), trail.situation()) == ("running", FINISHES)
    assert trail.rows.kinds("u1") == ["scheduled", "attempt_started", "note"]
    trail.hear(3601, "task-succeeded")
    assert (trail.rows.status("u1"), trail.situation()) == ("succeeded", "")


def test_the_end_of_one_of_its_tasks_does_not_make_another_one_lost() -> None:
    trail = running(pool="prefork", beats=True)
    trail.hear(1, "task-received", "task-started", uuid="u2")
    trail.hear(10, "worker-offline")
    trail.hear(20, "task-succeeded", uuid="u2")
    for after in (51, 62, 73, 200):
        trail.ask(after)
    assert (trail.rows.status("u1"), trail.situation()) == ("running", FINISHES)


def test_after_a_day_nobody_says_how_a_task_ended_whose_worker_shut_down() -> None:
    trail = shutting_down()
    trail.ask(41)
    trail.ask(DAY)
    assert trail.rows.status("u1") == "ended"
    assert trail.rows.value("u1", "failure") == (
        "Worker w1@test went offline while it ran, and nobody said how it ended."
    )


def test_another_process_of_the_name_does_not_end_what_an_earlier_one_may_finish() -> None:
    trail = shutting_down()
    trail.hear(12, "worker-online", pid=8)
    for after in (32, 38, 60, 300):
        trail.hear(after - 1, "worker-heartbeat", freq=2.0, active=0, pid=8)
        trail.ask(after, w1=[])
    assert (trail.rows.status("u1"), trail.situation()) == ("running", FINISHES)
    assert trail.rows.kinds("u1").count("note") == 1
    for after in (611, 617):
        trail.hear(after - 1, "worker-heartbeat", freq=2.0, active=0, pid=8)
        trail.ask(after, w1=[])
    assert trail.rows.status("u1") == "ended"


def test_while_an_earlier_process_may_finish_another_one_is_rarely_asked() -> None:
    trail = shutting_down()
    trail.hear(12, "worker-online", pid=8)
    times = []
    for after in range(14, 700, 2):
        trail.hear(after, "worker-heartbeat", freq=2.0, active=0, pid=8)
        if trail.ask(after, w1=[]):
            times.append(after)
        if trail.rows.status("u1") == "ended":
            break
    assert len(times) < 12
    assert times[-1] == 610


def test_what_waited_with_a_worker_that_went_offline_is_delivered_again() -> None:
    trail = shutting_down()
    trail.ask(41)
    assert trail.rows.status("u2") == "waiting"
    assert trail.situation("u2") == f"w1@test, which had it, went offline at {OFFLINE[-23:]}; " + (
        GIVEN_AGAIN
    )
    trail.hear(50, "task-received", uuid="u2", host="w2@test")
    assert trail.situation("u2") == "worker w2@test has it, and has not started it yet"


def test_what_waited_with_a_worker_that_is_lost_is_delivered_again() -> None:
    trail = running(pool="prefork", beats=True)
    trail.hear(1, "task-received", uuid="u2")
    trail.ask(32)
    trail.ask(43)
    assert trail.rows.status("u1") == "lost"
    assert trail.situation("u2") == f"w1@test, which had it, is gone; {GIVEN_AGAIN}"


@pytest.mark.parametrize("runs", [True, False])
def test_what_waited_with_a_worker_that_began_anew_is_delivered_again(runs: bool) -> None:
    trail = running(pool="prefork", beats=True) if runs else Trail()
    trail.hear(1, "task-received", uuid="u2")
    trail.hear(10, "worker-online", pid=8)
    for after in (16, 22, 28, 34, 40, 46):
        trail.hear(after - 1, "worker-heartbeat", freq=2.0, active=0, pid=8)
        trail.ask(after, w1=[])
    assert trail.situation("u2") == f"w1@test, which had it, was started again; {GIVEN_AGAIN}"
    assert trail.rows.kinds("u2") == ["scheduled", "note"]
    if runs:
        assert trail.rows.status("u1") == "lost"


def test_a_task_that_a_rate_limit_holds_back_stays_with_its_worker() -> None:
    """Celery's answers do not have it."""
    trail = running(pool="prefork", beats=True)
    trail.hear(2, "task-received", uuid="u2")
    for after in range(30, 4000, 10):
        trail.hear(after, "worker-heartbeat", freq=2.0, active=1)
        trail.ask(after + 1, w1=["u1"])
    assert trail.situation("u2") == f"worker {HOST} has it, and has not started it yet"


@pytest.mark.parametrize(("uptime", "is_anew"), [(5.0, True), (500.0, False)])
def test_a_reader_that_takes_up_a_waiting_task_knows_whether_its_worker_began_anew(
    uptime: float, is_anew: bool
) -> None:
    first = Trail()
    first.hear(1, "task-received")
    (run,) = first.rows.open_runs()
    second = Trail(rows=first.rows)
    second.workers.adopt(run, second.fold.adopt(run), START + 50_000_000)
    stats = WorkerStats(8, uptime, 1, "prefork")
    second.workers.learn({}, {HOST: stats}, START + 50_000_000)
    suspects = [second.ask(after, w1=[]) for after in (50, 56, 62, 68)]
    assert suspects == [[HOST], [HOST] * is_anew, [], []]
    assert ("was started again" in second.situation()) == is_anew


def test_a_reader_that_takes_up_what_waits_with_nobody_blames_no_worker() -> None:
    first = Trail()
    first.hear(1, "task-received", "task-started")
    first.hear(2, "task-retried", exception="ValueError('503')")
    (run,) = first.rows.open_runs()
    second = Trail(rows=first.rows)
    second.workers.adopt(run, second.fold.adopt(run), START + 50_000_000)
    assert second.ask(60, w1=[]) == []
    assert second.situation().startswith("retried once")


def test_a_task_that_its_worker_stopped_waits_for_a_day_and_is_lost_then() -> None:
    trail = running(pool="prefork", beats=True)
    trail.hear(9, "task-cancelled")
    trail.hear(10, "worker-offline")
    assert trail.rows.status("u1") == "waiting"
    assert trail.situation() == (
        "stopped by its worker, which shut down or lost the broker: it is delivered again only if"
        " it acknowledges late"
    )
    stopped = sorted(trail.rows.events["u1"].items())[-1][1]
    assert stopped.title == "Stopped by its worker: it shut down, or lost the broker"
    trail.ask(60)
    assert trail.rows.status("u1") == "waiting"
    trail.ask(DAY)
    assert trail.rows.status("u1") == "lost"
    assert trail.rows.value("u1", "failure") == (
        "Stopped by its worker w1@test; no worker took it up in a day."
    )
    trail.hear(DAY + 1, "task-received", "task-started", host="w2@test")
    assert trail.rows.status("u1") == "running"


def test_a_task_that_is_taken_up_after_its_worker_stopped_it_is_not_lost() -> None:
    trail = running(pool="prefork", beats=True)
    trail.hear(9, "task-cancelled")
    trail.hear(DAY - 1, "task-received", "task-started", host="w2@test")
    trail.ask(DAY)
    assert trail.rows.status("u1") == "running"


@pytest.mark.parametrize("is_back", [True, False])
def test_a_task_that_its_worker_stopped_is_lost_after_a_day_whoever_reads_then(
    is_back: bool,
) -> None:
    trail = running(pool="prefork", beats=True)
    trail.hear(9, "task-cancelled")
    stopped = trail.situation()
    for after in (3600, DAY - 200):
        trail = trail.next_reader(after)
        for later in (1, 32, 60, 90):
            if is_back:
                trail.hear(after + later, "worker-heartbeat", freq=2.0, active=0)
                trail.ask(after + later, w1=[])
            else:
                trail.ask(after + later)
        assert (trail.rows.status("u1"), trail.situation()) == ("waiting", stopped)
    trail.ask(DAY)
    assert trail.rows.status("u1") == "lost"
    assert trail.rows.value("u1", "failure") == (
        "Stopped by its worker w1@test; no worker took it up in a day."
    )


def test_a_stopped_task_that_is_taken_up_while_the_next_reader_reads_is_not_lost() -> None:
    trail = running(pool="prefork", beats=True)
    trail.hear(9, "task-cancelled")
    trail = trail.next_reader(3600)
    trail.hear(3700, "task-received", "task-started", host="w2@test")
    trail.ask(DAY)
    assert trail.rows.status("u1") == "running"
