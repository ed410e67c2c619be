"""The line on top of a run's page."""

from __future__ import annotations

from dataclasses import replace
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
from observability.jobs.charts.situations import sentence
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


@pytest.mark.parametrize("began", [after(250), after(310)])
def test_a_run_that_began_when_it_ended_does_not_say_how_long_it_waited(began: datetime) -> None:
    shown = line([], Status.SUCCEEDED, began=began)
    assert shown.lead == "Succeeded in 4 min 10 s"
    assert shown.text == "How much of it was waiting to start is not known."


def test_whoever_terminated_it_is_named_with_the_reason() -> None:
    events = [seen(1, EventKind.TERMINATED, 9, actor="ann", message="wrong input")]
    shown = line(events, Status.TERMINATED)
    assert shown == Headline("", "Terminated by ann after 4 min 10 s", "wrong input")


def test_a_run_that_nothing_took_up_says_where_it_waits() -> None:
    shown = line([], Status.WAITING, began=None, queue="shared-a")
    assert shown.lead == "Waiting in shared-a for 1 min"


def test_one_at_a_later_attempt_runs_though_its_beginning_is_not_known() -> None:
    assert line([], began=None, attempts=2).lead == "Running for 1 min"
    assert line([], began=None, attempts=1).lead == "Waiting for 1 min"


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


DENIALS = {
    "count": 41,
    "first_at": after(20).isoformat(),
    "last_at": after(50).isoformat(),
    "kind": "quota",
    "by": "headroom",
    "words": "requests.cpu: asked 2, used 3800m of 4",
}


def test_denials_move_on_to_the_newest() -> None:
    events = [seen(1, EventKind.DENIED, 20, message="requests.cpu: asked 2, used 4 of 4")]
    shown = line(
        *(events, Status.WAITING),
        began=None,
        failure_kind=FailureKind.QUOTA,
        failure="requests.cpu: asked 2, used 3800m of 4",
        denials=DENIALS,
    )
    assert shown == Headline(
        "warn",
        "Denied 41 times for 40 s",
        "Quota headroom: requests.cpu: asked 2, used 3800m of 4 (last 10 s ago)",
    )


def test_what_is_still_denied_is_said_while_other_pods_run() -> None:
    events = [seen(1, EventKind.DENIED, 20), seen(2, EventKind.ATTEMPT_STARTED, 25, step="pod")]
    shown = line(events, failure_kind=FailureKind.QUOTA, denials=DENIALS)
    assert shown.lead == "Denied 41 times for 40 s"


def test_what_was_denied_once_and_is_let_in_runs() -> None:
    events = [seen(1, EventKind.DENIED, 20)]
    shown = line(events, denials=DENIALS, situation="")
    assert shown.lead == "Running for 59 s"


def test_success_says_what_it_waited_for_first() -> None:
    shown = line([], Status.SUCCEEDED, began=after(130), denials=DENIALS)
    assert shown.text == (
        "2 min 10 s of it waiting to start: refused 41 times, quota headroom: requests.cpu: asked "
        "2, used 3800m of 4."
    )


def test_what_an_engine_says_of_a_run_stands_in_place_of_nothing() -> None:
    pulling = "pod a is on node-3 since 12:00:02 UTC, its containers are being created"
    waiting = line([], Status.WAITING, began=None, situation=pulling)
    assert waiting == Headline("", "Waiting for 1 min", f"P{pulling[1:]}.")
    elsewhere = "managed by kueue.x-k8s.io/multikueue, pods in another cluster"
    shown = line([], situation=elsewhere)
    assert shown == Headline("", "Running for 59 s", f"M{elsewhere[1:]}.")
    policy = "by its success policy: index 0 succeeded"
    ended = line([], Status.SUCCEEDED, began=NOON, situation=policy)
    assert ended.text == f"B{policy[1:]}."


def test_a_pod_that_waited_once_does_not_wait_for_a_run_that_goes_on() -> None:
    events = [seen(1, EventKind.WAITING, 10, step="first pod", message="no such image")]
    assert line(events, situation="").lead == "Running for 59 s"
    assert line(events).lead == "Waiting for 50 s"


def test_a_pause_without_a_reason_says_that_somebody_has_to_resume_it() -> None:
    events = [seen(1, EventKind.PAUSED, 30, step="n1", step_name="approve")]
    assert line(events).text == "approve waits for somebody to resume it."


def test_a_retry_says_which_attempt_and_when() -> None:
    shown = line(retried()[:5], retry_at=after(80))
    assert shown == Headline("warn", "Retrying: attempt 2 in 20 s", "charge-card: PaymentDown: 503")


def test_the_failure_of_another_step_is_not_put_on_the_one_that_is_retried() -> None:
    own = seen(1, EventKind.ATTEMPT_FAILED, 10, step="c", step_name="load(0)", message="no table")
    backoff = seen(4, EventKind.RETRY, 20, step="r", step_name="load", attempt=2)
    events = [own, backoff]
    shown = line(events)
    assert shown == Headline("warn", "Retrying: attempt 2", "Before that load(0): no table.")
    later = seen(5, EventKind.ATTEMPT_FAILED, 30, step="mail", message="550")
    assert line([*retried()[:5], later]).text == "charge-card: PaymentDown: 503"
    with_words = [own, replace(backoff, message="Backoff for 30 s")]
    assert line(with_words).text == "load: Backoff for 30 s; before that load(0): no table."


@pytest.mark.parametrize("over", ["lost", "attempt_failed", "attempt_timed_out"])
def test_a_step_that_is_over_waits_for_nothing(over: str) -> None:
    step = {"step": "p", "step_name": "p"}
    waits = [
        seen(1, EventKind.WAITING, 10, **step, message="no such image"),
        seen(2, EventKind.RETRY, 20, **step, attempt=3),
    ]
    assert line(waits).lead == "Retrying: attempt 3"
    gone = [*waits, seen(3, EventKind(over), 30, **step)]
    assert not line(gone).lead.startswith(("Retrying", "Waiting"))


@pytest.mark.parametrize(
    ("situation", "lead"),
    [
        ("", "Running for 59 s"),
        ("pod p-12 waits for a node", "Running for 59 s"),
        ("pod p-1 waits for a node", "Retrying: attempt 2, waiting for 40 s"),
        ("1 of 2 pods have not started: pod p-1: no such image", "Retrying: attempt 2, waiting"),
    ],
)
def test_a_retry_that_an_engine_no_longer_speaks_of_is_over(situation: str, lead: str) -> None:
    events = [seen(1, EventKind.RETRY, 20, step="u", step_name="p-1", attempt=2)]
    assert line(events, situation=situation).lead.startswith(lead)


def test_a_wait_that_an_engine_describes_is_not_put_on_a_step_that_may_be_gone() -> None:
    events = [seen(1, EventKind.WAITING, 10, step="u", step_name="p1", message="no such image")]
    shown = line(events, Status.WAITING, began=None, situation="pod p2 waits for a node")
    assert shown.text == "Pod p2 waits for a node."


def test_names_at_the_beginning_of_a_sentence_keep_their_small_letters() -> None:
    denials = {key: value for key, value in DENIALS.items() if key != "by"}
    shown = line([], failure_kind=FailureKind.QUOTA, denials=denials)
    assert shown.text.startswith("requests.cpu: asked 2")
    assert sentence("celery@a has it") == "celery@a has it."


@pytest.mark.parametrize(
    ("first_step", "last_denial", "says_why"),
    [(60, 50, True), (50, 50, True), (20, 50, False), (60, 400, False)],
)
def test_refusals_are_why_it_waited_only_where_nothing_of_it_was_there_before_the_last(
    first_step: int, last_denial: int, says_why: bool
) -> None:
    events = [seen(1, EventKind.SCHEDULED, first_step, step="p")]
    denials = DENIALS | {"last_at": after(last_denial).isoformat()}
    shown = line(events, Status.SUCCEEDED, began=after(130), denials=denials)
    assert ("refused 41 times" in shown.text) is says_why
    assert shown.text.startswith("2 min 10 s of it waiting to start")


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


def test_a_run_that_is_held_back_says_until_when_and_what_for() -> None:
    hold = {"until": after(7 * 3600).isoformat(), "reason": "cron"}
    shown = line([], Status.WAITING, began=None, hold=hold)
    assert shown == Headline(
        "", "Waits until 19:00 (cron)", "Due in 6 h 59 min, 2026-11-22 19:00:00 UTC."
    )
    later = {"until": after(3 * 86400).isoformat(), "reason": "start delay"}
    shown = line([], Status.WAITING, began=None, hold=later)
    assert shown.lead == "Waits until 2026-11-25 12:00 (start delay)"


def test_a_run_that_was_held_back_waits_for_a_worker_since_it_was_due() -> None:
    hold = {"until": after(40).isoformat(), "reason": "cron"}
    shown = line([], Status.WAITING, began=None, hold=hold, queue="orders")
    assert shown == Headline("", "Waiting in orders for 20 s", "Nothing has taken it up yet.")


@pytest.mark.parametrize("until", [None, "soon", 7, "0001-01-01T00:00:00Z"])
def test_a_hold_that_says_nothing_is_none(until: object) -> None:
    shown = line([], Status.WAITING, began=None, hold={"until": until, "reason": "cron"})
    assert shown.lead == "Waiting for 1 min"


def test_a_step_that_nobody_has_started_is_a_wait() -> None:
    scheduled = seen(1, EventKind.SCHEDULED, 10, step="a", title="Scheduled charge in shared-a")
    shown = line([scheduled])
    assert shown == Headline(
        "", "Waiting for 50 s", "Scheduled charge in shared-a, not started yet."
    )
    other = seen(2, EventKind.SCHEDULED, 20, step="b", title="Scheduled mail")
    assert line([scheduled, other]).text.endswith("not started yet, and 1 more step.")
    started = seen(3, EventKind.ATTEMPT_STARTED, 30, step="b", step_name="mail")
    shown = line([scheduled, other, started])
    assert shown.lead == "Running for 59 s"
    assert shown.text == "At work: mail. No failure and no checkpoint so far."


def test_a_timer_is_a_wait_until_it_is_over() -> None:
    timer = seen(1, EventKind.TIMER_STARTED, 10, step="timer-5", title="Timer of 2 h, until 14:00")
    assert line([timer]) == Headline("", "Waiting for 50 s", "Timer of 2 h, until 14:00.")
    for over in (EventKind.TIMER_FIRED, EventKind.NOTE):
        assert line([timer, seen(2, over, 20, step="timer-5")]).lead == "Running for 59 s"


def test_nothing_open_is_said_only_where_every_step_is_known() -> None:
    assert line([]).text == "No failure and no checkpoint so far."
    assert line([], tells_steps=True).text.startswith("No activity, timer or child of it is open")


def test_a_retry_that_is_overdue_says_for_how_long() -> None:
    assert line(retried()[:5], retry_at=after(20)).lead == "Retrying: attempt 2, due for 40 s"
    assert line(retried()[:5], retry_at=after(55)).lead == "Retrying: attempt 2"


def test_a_failure_that_the_run_went_on_from_is_not_its_headline() -> None:
    events = [
        seen(1, EventKind.ATTEMPT_FAILED, 10, step="a", message="no"),
        seen(2, EventKind.SCHEDULED, 20, step="b", title="Scheduled refund"),
    ]
    assert line(events).text == "Scheduled refund, not started yet."


@given(events=EVENTS)
def test_no_sequence_of_events_leaves_it_empty(events: list[TimelineEvent]) -> None:
    for status in Status:
        closed = None if status in {Status.RUNNING, Status.WAITING, Status.PAUSED} else after(9)
        subject = HeadlineInput(RunTimes(status, NOON, None, closed))
        assert headline(subject, summarize(events), now=after(60)).lead
