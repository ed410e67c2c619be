"""The line on top of a job's page: what a tired person needs to know first. Pure.

Until there is a verdict it is the root failure of a run that ended badly, and of an open one the
most telling fact: what it waits for, what was denied, how far it came.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from console.unstructured import moment
from observability.engines.contracts import (
    BAD,
    STATUS_LABELS,
    EventKind,
    Status,
)
from observability.jobs.charts.elements import RunTimes, TimelineEvent
from observability.jobs.charts.holds import describe_hold, held_until
from observability.jobs.charts.labels import failure_label, format_duration
from observability.jobs.charts.open_steps import OpenSteps, describe_waits, open_steps
from observability.jobs.charts.situations import (
    describe_denials,
    describe_past_denials,
    is_about,
    sentence,
)


@dataclass(frozen=True, slots=True)
class Headline:
    """`lead` is a few words, `text` the rest of the sentence; `tone` bad, warn, good or empty."""

    tone: str
    lead: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class HeadlineInput:
    """What the run's row says beside its times. `tells_steps`: its engine tells every step of it,
    so that what is not among its events is not there. `situation` and `denials` are the attributes
    contracts.SITUATION and DENIALS, None where the engine does not say them: one that does is to be
    believed before events, which tell of what was."""

    times: RunTimes
    attempts: int = 0
    failure: str = ""
    failure_kind: str = ""
    queue: str = ""
    progress: Mapping[str, Any] | None = None
    hold: Mapping[str, Any] | None = None
    retry_at: datetime | None = None
    tells_steps: bool = False
    status_times: str = ""
    """Why it is not known how long it took; empty where it is."""
    situation: str | None = None
    denials: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What of the events still counts at their end. None where there is no such thing.

    `retried_after` is the failure that made the retry necessary: of its own step, else the last one
    before it. `first_step_at` is when there was anything of any step. `moved_on` says that an
    attempt started, a step was completed, or something new began after the last failure.
    """

    paused: TimelineEvent | None = None
    limited: TimelineEvent | None = None
    waiting: TimelineEvent | None = None
    denials: int = 0
    retry: TimelineEvent | None = None
    retried_after: TimelineEvent | None = None
    first_step_at: datetime | None = None
    failed: TimelineEvent | None = None
    stopped: TimelineEvent | None = None
    moved_on: bool = False
    steps: OpenSteps = field(default_factory=OpenSteps)


_JUST_DUE: Final = 10.0
"""Seconds."""
_CLEARS: Final = frozenset(
    {
        EventKind.ATTEMPT_STARTED,
        EventKind.STEP_COMPLETED,
        EventKind.SUCCEEDED,
        EventKind.STARTED,
        EventKind.RESET,
    }
)
_GIVES_UP: Final = frozenset(
    {EventKind.ATTEMPT_FAILED, EventKind.ATTEMPT_TIMED_OUT, EventKind.LOST}
)
"""After one of these its step waits for nothing, until it says so again."""
_MOVES: Final = frozenset(
    {
        EventKind.ATTEMPT_STARTED,
        EventKind.STEP_COMPLETED,
        EventKind.SCHEDULED,
        EventKind.TIMER_STARTED,
        EventKind.CHILD_STARTED,
    }
)
_FIELDS: Final[Mapping[str, str]] = {
    EventKind.PAUSED: "paused",
    EventKind.WAITING: "waiting",
    EventKind.THROTTLED: "limited",
    EventKind.DENIED: "limited",
    EventKind.RETRY: "retry",
    EventKind.ATTEMPT_FAILED: "failed",
    EventKind.ATTEMPT_TIMED_OUT: "failed",
    EventKind.CANCEL_REQUESTED: "stopped",
    EventKind.CANCELLED: "stopped",
    EventKind.TERMINATED: "stopped",
}


def summarize(events: Iterable[TimelineEvent]) -> RunSummary:
    """What still counts after the last of these events, oldest first."""
    events = list(events)
    latest_by_step: dict[str, dict[str, TimelineEvent]] = {}
    retried_after: dict[str, TimelineEvent | None] = {}
    last_failure: TimelineEvent | None = None
    denials, moved_on = 0, False
    for event in events:
        kind = event.kind
        if kind in _GIVES_UP:
            _forget(latest_by_step, ("waiting", "retry"), event.step)
            last_failure = event
        elif kind == EventKind.RETRY:
            retried_after[event.step] = last_failure
        moved_on = kind in _MOVES or (moved_on and _FIELDS.get(kind) != "failed")
        name = _FIELDS.get(kind)
        if name:
            denials += kind == EventKind.DENIED
            _remember(latest_by_step, name, event)
        elif kind == EventKind.RESUMED:
            _forget(latest_by_step, ("paused",), event.step)
        elif kind in _CLEARS:
            steps = (event.step, "") if kind == EventKind.ATTEMPT_STARTED else (event.step,)
            _forget(latest_by_step, ("limited", "waiting", "retry"), *steps)
        if kind == EventKind.STEP_COMPLETED:
            _forget(latest_by_step, ("failed",), event.step)
    step = latest_retry.step if (latest_retry := _latest(latest_by_step, "retry")) else ""
    return RunSummary(
        denials=denials,
        moved_on=moved_on,
        steps=open_steps(events),
        retried_after=latest_by_step.get("failed", {}).get(step) or retried_after.get(step),
        first_step_at=min((event.at for event in events if event.step), default=None),
        **{name: _latest(latest_by_step, name) for name in latest_by_step},
    )


def _latest(
    latest_by_step: Mapping[str, Mapping[str, TimelineEvent]], name: str
) -> TimelineEvent | None:
    by_step = latest_by_step.get(name, {}).values()
    return max(by_step, key=lambda event: event.at, default=None)


def _forget(
    latest_by_step: Mapping[str, dict[str, TimelineEvent]], fields: Iterable[str], *steps: str
) -> None:
    for name in fields:
        for step in steps:
            latest_by_step.get(name, {}).pop(step, None)


def _remember(
    latest_by_step: dict[str, dict[str, TimelineEvent]], name: str, event: TimelineEvent
) -> None:
    """Remembers an event of a step; of a wait that is reported again, when it began."""
    by_step = latest_by_step.setdefault(name, {})
    earlier = by_step.get(event.step)
    if earlier is not None and name in ("waiting", "limited") and earlier.kind == event.kind:
        event = event._replace(at=earlier.at)
    by_step[event.step] = event


def headline(facts: HeadlineInput, summary: RunSummary, *, now: datetime) -> Headline:
    """The one line; never empty."""
    times = facts.times
    if times.is_open:
        return _open(facts, summary, now)
    tries = f" after {facts.attempts} attempts" if facts.attempts > 1 else ""
    if times.status in BAD:
        return _bad(facts, summary)
    if facts.status_times:
        return _undated(facts, tries)
    took = format_duration(((times.closed_at or now) - times.created_at).total_seconds())
    if times.status == Status.SUCCEEDED:
        text = f"{_waited(facts, summary)} {sentence(facts.situation)}".strip()
        return Headline("good", f"Succeeded in {took}{tries}", text)
    label = STATUS_LABELS[Status(times.status)]
    if summary.stopped is not None:
        by = f" by {summary.stopped.actor}" if summary.stopped.actor else ""
        return Headline("", f"{label}{by} after {took}", summary.stopped.message or facts.failure)
    return Headline("", f"{label} after {took}", facts.failure)


def _undated(facts: HeadlineInput, tries: str) -> Headline:
    """A run of which the engine gives no times that can be true."""
    status = Status(facts.times.status)
    tone = "good" if status is Status.SUCCEEDED else ""
    return Headline(tone, f"{STATUS_LABELS[status]}{tries}", f"{facts.status_times}.")


def _bad(facts: HeadlineInput, summary: RunSummary) -> Headline:
    label = STATUS_LABELS[Status(facts.times.status)]
    kind = failure_label(facts.failure_kind) if facts.failure_kind else label
    text = facts.failure or (summary.failed.message if summary.failed else "")
    if not text and summary.limited is not None:
        text = summary.limited.message or summary.limited.title
    return Headline("bad", kind, text or "The engine recorded no message.")


def _waited(facts: HeadlineInput, summary: RunSummary) -> str:
    times = facts.times
    if times.began_at is None:
        return ""
    waited = (times.began_at - times.created_at).total_seconds()
    if waited < 1:
        return ""
    refused = describe_past_denials(facts.denials, summary.first_step_at or times.began_at)
    words = f"{format_duration(waited)} of it waiting to start"
    if times.closed_at is not None and times.began_at >= times.closed_at:
        # By clocks that disagree; it did run.
        words = "How much of it was waiting to start is not known"
    return f"{words}{f': {refused}' if refused else ''}."


def _open(facts: HeadlineInput, summary: RunSummary, now: datetime) -> Headline:
    for line in (
        _paused(facts, summary, now),
        _denied(facts, now),
        _limited(facts, summary, now),
        _retrying(facts, summary, now),
        _waiting(facts, summary, now),
        _failing(facts, summary, now),
        _waiting_for_steps(facts, summary, now),
    ):
        if line is not None:
            return line
    return _running(facts, summary, now)


def _paused(facts: HeadlineInput, summary: RunSummary, now: datetime) -> Headline | None:
    if summary.paused is None:
        if facts.times.status != Status.PAUSED:
            return None
        otherwise = "Nothing more starts until somebody resumes it."
        return Headline("warn", "Paused", sentence(facts.situation) or otherwise)
    by = f" by {summary.paused.actor}" if summary.paused.actor else ""
    lead = f"Paused{by} for {_for(summary.paused.at, now)}"
    if not summary.paused.message:
        what = summary.paused.step_name or summary.paused.step or "It"
        return Headline("warn", lead, f"{what} waits for somebody to resume it.")
    return Headline("warn", lead, f"{_step(summary.paused)}{summary.paused.message}".strip())


def _denied(facts: HeadlineInput, now: datetime) -> Headline | None:
    denied = describe_denials(facts.denials, facts.failure_kind, now)
    return Headline("warn", *denied) if denied else None


def _limited(facts: HeadlineInput, summary: RunSummary, now: datetime) -> Headline | None:
    if summary.limited is None:
        return None
    if facts.denials and summary.limited.kind == EventKind.DENIED:
        return None  # it would have been told as what is wrong now
    denied = summary.limited.kind == EventKind.DENIED
    times = f" {summary.denials} times" if denied and summary.denials > 1 else ""
    lead = f"Denied{times}" if denied else "Throttled"
    text = summary.limited.message or summary.limited.title
    how_long = _for(summary.limited.at, now)
    return Headline("warn", f"{lead} for {how_long}", _step(summary.limited) + text)


def _retrying(facts: HeadlineInput, summary: RunSummary, now: datetime) -> Headline | None:
    retry, why = summary.retry, summary.retried_after
    if retry is None or (facts.situation is not None and not is_about(facts.situation, retry)):
        return None
    lead = f"Retrying: attempt {retry.attempt or facts.attempts + 1}{_due(facts.retry_at, now)}"
    if why is not None and why.step == retry.step:
        return Headline("warn", lead, _step(retry) + why.message)
    if facts.situation and retry.step:
        lead = f"{lead}, waiting for {_for(retry.at, now)}"
    text = facts.situation or (_step(retry) + retry.message if retry.message else "")
    if why is None:
        return Headline("warn", lead, sentence(text) or retry.title)
    before = f"before that {_step(why)}{why.message or why.title}"
    return Headline("warn", lead, sentence(f"{text.rstrip('.')}; {before}" if text else before))


def _due(at: datetime | None, now: datetime) -> str:
    if at is None:
        return ""
    left = (at - now).total_seconds()
    if left > 0:
        return f" in {format_duration(left)}"
    # What is only just due may have been taken up since the engine was read.
    return f", due for {format_duration(-left)}" if -left > _JUST_DUE else ""


def _waiting(facts: HeadlineInput, summary: RunSummary, now: datetime) -> Headline | None:
    times = facts.times
    # What failed was taken up, and so was what is at a later attempt, even where it is not known
    # when anything of it began.
    tried = summary.failed is not None or facts.attempts > 1
    has_begun = times.status != Status.WAITING and (times.began_at is not None or tried)
    if summary.waiting is not None and not (has_begun and facts.situation is not None):
        text = _step(summary.waiting) + (summary.waiting.message or summary.waiting.title)
        how_long = _for(summary.waiting.at, now)
        return Headline("warn", f"Waiting for {how_long}", sentence(facts.situation) or text)
    if has_begun:
        return None
    if until := held_until(facts.hold, times.status, now):
        words = describe_hold(facts.hold, times.status, now)
        due = f"Due in {format_duration((until - now).total_seconds())}, {until:%Y-%m-%d %H:%M:%S}"
        return Headline("", words[:1].upper() + words[1:], f"{due} UTC.")
    where = f" in {facts.queue}" if facts.queue else ""
    text = sentence(facts.situation) or "Nothing has taken it up yet."
    due_at = moment(facts.hold.get("until")) if facts.hold else None
    how_long = _for(max(times.created_at, due_at or times.created_at), now)
    return Headline("", f"Waiting{where} for {how_long}", text)


def _waiting_for_steps(facts: HeadlineInput, summary: RunSummary, now: datetime) -> Headline | None:
    """It began, and what it began with is waited for: nobody works on it now."""
    waits = summary.steps.waits
    if not waits or facts.situation is not None:
        return None
    return Headline("", f"Waiting for {_for(waits[0].at, now)}", describe_waits(summary.steps))


def _failing(facts: HeadlineInput, summary: RunSummary, now: datetime) -> Headline | None:
    """Something failed and nothing came after it: open, but hardly well."""
    if summary.failed is None or summary.moved_on:
        return None
    kind = failure_label(facts.failure_kind) if facts.failure_kind else "The last attempt failed"
    text = facts.failure or _step(summary.failed) + (summary.failed.message or summary.failed.title)
    return Headline("warn", f"{kind}, {_for(summary.failed.at, now)} ago", text)


def _running(facts: HeadlineInput, summary: RunSummary, now: datetime) -> Headline:
    began = facts.times.began_at or facts.times.created_at
    lead = f"Running for {_for(began, now)}"
    progress = facts.progress or {}
    situation = sentence(facts.situation)
    if not progress:
        return Headline("", lead, situation or _nothing_to_tell(facts, summary))
    done, total = progress.get("done"), progress.get("total")
    amount = str(progress.get("text") or "")
    if isinstance(done, int) and isinstance(total, int) and total > 0:
        amount = f"{done * 100 // total} % ({done:,} of {total:,})"
    elif isinstance(done, int):
        amount = f"{done:,} done"
    checkpoint = f"Last checkpoint: {amount}{_checkpoint_age(progress, now)}."
    return Headline("", lead, f"{checkpoint} {situation}".strip())


def _nothing_to_tell(facts: HeadlineInput, summary: RunSummary) -> str:
    """Says no more than is known: that nothing of it waits is rarely known."""
    if summary.steps.under_way:
        some = [event.step_name or event.step for event in summary.steps.under_way]
        more = f" and {len(some) - 3} more" if len(some) > 3 else ""
        return f"At work: {', '.join(some[:3])}{more}. No failure and no checkpoint so far."
    if facts.tells_steps:
        return (
            "No activity, timer or child of it is open: its own code is at work, or it waits for a"
            " signal or an update."
        )
    return "No failure and no checkpoint so far."


def _checkpoint_age(progress: Mapping[str, Any], now: datetime) -> str:
    try:
        at = datetime.fromisoformat(str(progress.get("at") or ""))
    except ValueError:
        return ""
    return f", {_for(at, now)} ago" if at.tzinfo is not None else ""


def _for(since: datetime, now: datetime) -> str:
    return format_duration(max((now - since).total_seconds(), 0))


def _step(event: TimelineEvent) -> str:
    return f"{event.step_name or event.step}: " if event.step_name or event.step else ""
