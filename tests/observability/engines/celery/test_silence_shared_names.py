"""Workers that share a node name: nobody knows of which an event is. Times are in seconds after
NOW."""

from __future__ import annotations

from tests.observability.engines.celery.trail import Trail, running

ALONE = "Worker w1@test was started again while it ran."


def beats(trail: Trail, *pids: int, start: float, stop: float) -> None:
    """Heartbeats of processes, each two seconds after the last one."""
    for after in range(round(start), round(stop), 2):
        for pid in pids:
            trail.hear(after, "worker-heartbeat", freq=2.0, active=int(pid == 7), pid=pid)


def with_a_twin() -> Trail:
    """A worker runs a task, and another one of its name begins."""
    trail = running(pool="prefork")
    trail.hear(5, "worker-online", freq=2.0, pid=8)
    return trail


def test_what_one_of_them_has_is_not_lost_as_another_began() -> None:
    trail = with_a_twin()
    for after in range(12, 80, 6):
        trail.ask(after, workers=2, answered=2, w1=["u1"])
    assert trail.rows.status("u1") == "running"
    trail.hear(80, "task-succeeded")
    assert trail.rows.kinds("u1") == ["scheduled", "attempt_started", "succeeded"]


def test_as_long_as_not_all_of_them_answer_nothing_is_over() -> None:
    trail = with_a_twin()
    for after in range(12, 80, 6):
        trail.ask(after, workers=2, answered=1, w1=[])
    assert trail.rows.status("u1") == "running"


def test_heartbeats_of_two_processes_show_that_one_alone_answers() -> None:
    trail = with_a_twin()
    for after in range(12, 100, 12):
        beats(trail, 7, 8, start=after - 6, stop=after)
        trail.ask(after, w1=[])
    assert trail.rows.status("u1") == "running"


def test_what_none_of_them_has_ended_without_saying_how() -> None:
    trail = with_a_twin()
    for after in range(12, 60, 6):
        trail.ask(after, workers=2, answered=2, w1=[])
    assert trail.rows.status("u1") == "ended"


def test_what_ran_in_the_one_that_died_is_lost_once_the_other_is_alone() -> None:
    trail = with_a_twin()
    beats(trail, 7, 8, start=6, stop=20)
    beats(trail, 8, start=20, stop=60)
    trail.ask(60, w1=[])
    trail.ask(66, w1=[])
    assert (trail.rows.status("u1"), trail.rows.value("u1", "failure")) == ("lost", ALONE)


def test_a_worker_that_begins_anew_is_alone() -> None:
    trail = running(pool="prefork")
    trail.hear(4, "worker-heartbeat", freq=2.0, active=1, pid=7)
    trail.hear(5, "worker-online", freq=2.0, pid=8)
    beats(trail, 8, start=6, stop=12)
    trail.ask(12, w1=[])
    trail.ask(18, w1=[])
    assert (trail.rows.status("u1"), trail.rows.value("u1", "failure")) == ("lost", ALONE)
