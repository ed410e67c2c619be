"""The times of a pod are by the clock of its node: how long its Job took is known without it."""

from __future__ import annotations

from datetime import datetime

import pytest

from observability.engines.contracts import STATUS_TIMES, RunSnapshot, Status
from observability.engines.kubernetes.runs import run_of
from observability.engines.kubernetes.state import JobSnapshot
from observability.engines.times import CLOCKS
from observability.jobs.charts.elements import RunTimes
from observability.jobs.charts.headline import HeadlineInput, headline, summarize
from tests.observability.engines.kubernetes.described_jobs import (
    NOW,
    Object,
    at,
    condition,
    job,
    pod,
)
from tests.observability.jobs.charts.test_timeline import moments

SOON, ENDED = datetime.fromisoformat(at("09:02:00")), datetime.fromisoformat(at("09:00:40"))
CREATED = datetime.fromisoformat(at("09:00:00"))
DONE = job(
    {
        "startTime": at("09:00:00"),
        "completionTime": at("09:00:40"),
        "conditions": [condition("Complete", "09:00:40")],
    }
)


def ran(began: str, ended: str) -> Object:
    """The pod, which ran from then to then by the clock of its node."""
    state = {"exitCode": 0, "reason": "Completed", "startedAt": at(began), "finishedAt": at(ended)}
    return pod("p", {"name": "main", "state": {"terminated": state}}, phase="Succeeded")


def words(run: RunSnapshot) -> tuple[str, str]:
    """The headline."""
    times = RunTimes(run.status, run.created_at, run.began_at, run.closed_at)
    problem = str(run.attributes.get(STATUS_TIMES, ""))
    facts = HeadlineInput(times, status_times=problem)
    line = headline(facts, summarize(moments(list(run.events))), now=NOW)
    return line.lead, line.text


@pytest.mark.parametrize("now", [SOON, NOW])
def test_a_node_whose_clock_is_fast_makes_no_run_wait_longer_than_it_took(now: datetime) -> None:
    run = run_of(JobSnapshot(DONE, (ran("09:05:10", "09:05:35"),)), now)
    assert (run.began_at, run.closed_at) == (ENDED, ENDED)
    assert CLOCKS in [event.title for event in run.events]
    unknown = "How much of it was waiting to start is not known."
    assert words(run) == ("Succeeded in 40 s", unknown)


def test_a_node_whose_clock_is_slow_leaves_known_how_long_a_run_took() -> None:
    run = run_of(JobSnapshot(DONE, (ran("08:55:10", "08:55:35"),)), NOW)
    assert (run.began_at, run.closed_at) == (CREATED, ENDED)
    assert CLOCKS in [event.title for event in run.events]
    assert words(run) == ("Succeeded in 40 s", "")


def test_a_node_whose_clock_is_right_needs_no_word() -> None:
    run = run_of(JobSnapshot(DONE, (ran("09:00:10", "09:00:35"),)), NOW)
    assert CLOCKS not in [event.title for event in run.events]
    assert words(run) == ("Succeeded in 40 s", "10 s of it waiting to start.")


@pytest.mark.parametrize("year", [9990, 9997])
@pytest.mark.parametrize("kind", ["Complete", "Failed"])
@pytest.mark.parametrize("seconds", [999_999_999, 2**63 - 1])
def test_a_clean_up_that_no_calendar_has_is_none(year: int, kind: str, seconds: int) -> None:
    late = f"{year}-06-01T00:00:00Z"
    status: Object = {"conditions": [{**condition(kind, "09:00:40"), "lastTransitionTime": late}]}
    if kind == "Complete":
        status["completionTime"] = late
    run = run_of(JobSnapshot(job(status, ttlSecondsAfterFinished=seconds)), NOW)
    ending = Status.SUCCEEDED if kind == "Complete" else Status.FAILED
    assert (run.status, run.closed_at, run.cleanup_at) == (ending, NOW, None)
