"""The line on top of a run's page."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given

from observability.engines.contracts import (
    EventKind,
    FailureKind,
    RunEvent,
    Status,
)
from observability.jobs.charts.elements import RunTimes, TimelineEvent
from observability.jobs.charts.headline import Headline, HeadlineInput, headline, summarize
from tests.observability.jobs.charts.test_timeline import EVENTS, MINUTE, moments
from tests.observability.jobs.factories import NOON, after, retried, seen

SECOND = after(1)


def line(
    events: list[RunEvent],
    status: Status = Status.RUNNING,
    *,
    began: datetime | None = SECOND,
    now: datetime = MINUTE,
    **fields: Any,
) -> Headline:
    """The headline of a run that is a minute old, or ended after 250 s."""
    closed = None if status in {Status.RUNNING, Status.WAITING, Status.PAUSED} else after(250)
    subject = HeadlineInput(RunTimes(status, NOON, began, closed), **fields)
    return headline(subject, summarize(moments(events)), now=now)


def test_a_failure_is_its_kind_and_its_message() -> None:
    shown = line([], Status.FAILED, failure="exit code 137", failure_kind=FailureKind.OUT_OF_MEMORY)
    assert shown == Headline("bad", "Out of memory", "exit code 137")


def test_a_failure_without_a_message_borrows_that_of_its_last_attempt() -> None:
    shown = line(retried()[:4], Status.FAILED)
    assert shown == Headline("bad", "Failed", "PaymentDown: 503")


def test_success_says_how_long_and_how_much_of_it_was_waiting() -> None:
    shown = line([], Status.SUCCEEDED, began=after(130), attempts=2)
    assert shown == Headline(
        "good", "Succeeded in 4 min 10 s after 2 attempts", "2 min 10 s of it waiting to start."
    )


def test_whoever_terminated_it_is_named_with_the_reason() -> None:
    events = [seen(1, EventKind.TERMINATED, 9, actor="ann", message="wrong input")]
    shown = line(events, Status.TERMINATED)
    assert shown == Headline("", "Terminated by ann after 4 min 10 s", "wrong input")


def test_a_run_that_nothing_took_up_says_where_it_waits() -> None:
    shown = line([], Status.WAITING, began=None, queue="shared-a")
    assert shown.lead == "Waiting in shared-a for 1 min"


def test_a_named_wait_is_counted_from_when_it_began() -> None:
    events = [
        seen(1, EventKind.WAITING, 10, message="lock acme/db, 0/1"),
        seen(2, EventKind.WAITING, 40, message="lock acme/db, 0/1"),
    ]
    assert line(events) == Headline("warn", "Waiting for 50 s", "lock acme/db, 0/1")


def test_denials_are_counted() -> None:
    events = [seen(n, EventKind.DENIED, n, message="exceeded quota") for n in range(10, 14)]
    assert line(events) == Headline("warn", "Denied 4 times for 50 s", "exceeded quota")


def test_what_started_in_the_end_is_no_longer_denied() -> None:
    events = [
        seen(1, EventKind.DENIED, 10),
        seen(2, EventKind.ATTEMPT_STARTED, 20, step="pod"),
    ]
    assert line(events).lead == "Running for 59 s"


def test_a_retry_says_which_attempt_and_when() -> None:
    shown = line(retried()[:5], retry_at=after(80))
    assert shown == Headline("warn", "Retrying: attempt 2 in 20 s", "charge-card: PaymentDown: 503")


def test_a_failure_that_nothing_made_good_is_said_of_a_run_that_goes_on() -> None:
    kind = FailureKind.NON_DETERMINISM
    events = [seen(1, EventKind.ATTEMPT_FAILED, 20, step="workflow-task", message="[TMPRL1100]")]
    shown = line(events, failure="[TMPRL1100] timer", failure_kind=kind)
    assert shown.lead == "Non-determinism: the code no longer fits the history, 40 s ago"
    assert shown.text == "[TMPRL1100] timer"
    healed = [*events, seen(2, EventKind.STEP_COMPLETED, 30, step="workflow-task")]
    assert line(healed).lead == "Running for 59 s"
    again = [*events, seen(2, EventKind.ATTEMPT_STARTED, 30, step="another pod")]
    assert line(again).lead == "Running for 59 s"


def test_a_pause_names_who() -> None:
    events = [seen(1, EventKind.PAUSED, 30, actor="ann", message="incident")]
    assert line(events) == Headline("warn", "Paused by ann for 30 s", "incident")
    assert line(events[:0], Status.PAUSED).lead == "Paused"


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        ({"at": after(20).isoformat(), "done": 40, "total": 100}, "40 % (40 of 100), 40 s ago"),
        ({"at": after(20).isoformat(), "done": 1500}, "1,500 done, 40 s ago"),
        ({"at": "nonsense", "text": "page 3"}, "page 3"),
    ],
)
def test_a_checkpoint_says_how_far(progress: dict[str, Any], words: str) -> None:
    assert line([], progress=progress).text == f"Last checkpoint: {words}."


@given(events=EVENTS)
def test_no_sequence_of_events_leaves_it_empty(events: list[TimelineEvent]) -> None:
    for status in Status:
        closed = None if status in {Status.RUNNING, Status.WAITING, Status.PAUSED} else after(9)
        subject = HeadlineInput(RunTimes(status, NOON, None, closed))
        assert headline(subject, summarize(events), now=after(60)).lead
