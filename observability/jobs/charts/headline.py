"""The line on top of a job's page: what a tired person needs to know first. Pure.

Until there is a verdict it is the root failure of a run that ended badly, and of an open one the
most telling fact: what it waits for, what was denied, how far it came.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from observability.engines.contracts import (
    BAD,
    STATUS_LABELS,
    EventKind,
    Status,
)
from observability.jobs.charts.elements import Moment, Outline
from observability.jobs.charts.labels import failure_words, span


@dataclass(frozen=True, slots=True)
class Headline:
    """`lead` is a few words, `text` the rest of the sentence; `tone` bad, warn, good or empty."""

    tone: str
    lead: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """What the run's row says beside its outline."""

    outline: Outline
    attempts: int = 0
    failure: str = ""
    failure_kind: str = ""
    queue: str = ""
    progress: Mapping[str, Any] | None = None
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What of the events still counts at their end. None where there is no such thing.

    `moved_on` says that an attempt started, or a step was completed, after the last failure.
    """

    paused: Moment | None = None
    limited: Moment | None = None
    waiting: Moment | None = None
    denials: int = 0
    retry: Moment | None = None
    failed: Moment | None = None
    stopped: Moment | None = None
    moved_on: bool = False


_CLEARS: Final = frozenset(
    {
        EventKind.ATTEMPT_STARTED,
        EventKind.STEP_COMPLETED,
        EventKind.SUCCEEDED,
        EventKind.STARTED,
        EventKind.RESET,
    }
)
_MOVES: Final = frozenset({EventKind.ATTEMPT_STARTED, EventKind.STEP_COMPLETED})
_KEPT: Final[Mapping[str, str]] = {
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


def standing(moments: Iterable[Moment]) -> Standing:
    """What still counts after the last of these events, oldest first."""
    held: dict[str, dict[str, Moment]] = {}
    denials, moved_on = 0, False
    for moment in moments:
        kind = moment.kind
        moved_on = kind in _MOVES or (moved_on and _KEPT.get(kind) != "failed")
        name = _KEPT.get(kind)
        if name:
            denials += kind == EventKind.DENIED
            _keep(held, name, moment)
        elif kind == EventKind.RESUMED:
            held.get("paused", {}).pop(moment.step, None)
        elif kind in _CLEARS:
            for gone in ("limited", "waiting", "retry"):
                held.get(gone, {}).pop(moment.step, None)
                if kind == EventKind.ATTEMPT_STARTED:
                    held.get(gone, {}).pop("", None)
        if kind == EventKind.STEP_COMPLETED:
            held.get("failed", {}).pop(moment.step, None)
    latest = {
        name: max(found.values(), key=lambda moment: moment.at)
        for name, found in held.items()
        if found
    }
    return Standing(denials=denials, moved_on=moved_on, **latest)


def _keep(held: dict[str, dict[str, Moment]], name: str, moment: Moment) -> None:
    """Remembers a moment of a step; of a wait that is said again, when it began."""
    found = held.setdefault(name, {})
    known = found.get(moment.step)
    if known is not None and name in ("waiting", "limited") and known.kind == moment.kind:
        moment = moment._replace(at=known.at)
    found[moment.step] = moment


def headline(subject: Subject, stand: Standing, *, now: datetime) -> Headline:
    """The one line; never empty."""
    outline = subject.outline
    if outline.is_open:
        return _open(subject, stand, now)
    took = span(((outline.closed_at or now) - outline.created_at).total_seconds())
    tries = f" after {subject.attempts} attempts" if subject.attempts > 1 else ""
    if outline.status in BAD:
        return _bad(subject, stand)
    if outline.status == Status.SUCCEEDED:
        return Headline("good", f"Succeeded in {took}{tries}", _waited(outline))
    label = STATUS_LABELS[Status(outline.status)]
    if stand.stopped is not None:
        by = f" by {stand.stopped.actor}" if stand.stopped.actor else ""
        return Headline("", f"{label}{by} after {took}", stand.stopped.message or subject.failure)
    return Headline("", f"{label} after {took}", subject.failure)


def _bad(subject: Subject, stand: Standing) -> Headline:
    label = STATUS_LABELS[Status(subject.outline.status)]
    kind = failure_words(subject.failure_kind) if subject.failure_kind else label
    text = subject.failure or (stand.failed.message if stand.failed else "")
    if not text and stand.limited is not None:
        text = stand.limited.message or stand.limited.title
    return Headline("bad", kind, text or "The engine recorded no message.")


def _waited(outline: Outline) -> str:
    if outline.began_at is None:
        return ""
    waited = (outline.began_at - outline.created_at).total_seconds()
    return f"{span(waited)} of it waiting to start." if waited >= 1 else ""


def _open(subject: Subject, stand: Standing, now: datetime) -> Headline:
    for found in (
        _paused(subject, stand, now),
        _limited(stand, now),
        _retrying(subject, stand, now),
        _waiting(subject, stand, now),
        _failing(subject, stand, now),
    ):
        if found is not None:
            return found
    return _running(subject, now)


def _paused(subject: Subject, stand: Standing, now: datetime) -> Headline | None:
    if stand.paused is None:
        if subject.outline.status != Status.PAUSED:
            return None
        return Headline("warn", "Paused", "Nothing more starts until somebody resumes it.")
    by = f" by {stand.paused.actor}" if stand.paused.actor else ""
    what = _step(stand.paused)
    lead = f"Paused{by} for {_for(stand.paused.at, now)}"
    return Headline("warn", lead, f"{what}{stand.paused.message}".strip())


def _limited(stand: Standing, now: datetime) -> Headline | None:
    if stand.limited is None:
        return None
    denied = stand.limited.kind == EventKind.DENIED
    times = f" {stand.denials} times" if denied and stand.denials > 1 else ""
    lead = f"Denied{times}" if denied else "Throttled"
    words = stand.limited.message or stand.limited.title
    how_long = _for(stand.limited.at, now)
    return Headline("warn", f"{lead} for {how_long}", _step(stand.limited) + words)


def _retrying(subject: Subject, stand: Standing, now: datetime) -> Headline | None:
    if stand.retry is None:
        return None
    number = stand.retry.attempt or subject.attempts + 1
    due = subject.retry_at
    when = f" in {span((due - now).total_seconds())}" if due is not None and due > now else ""
    why = stand.failed.message if stand.failed else stand.retry.message
    return Headline("warn", f"Retrying: attempt {number}{when}", _step(stand.retry) + why)


def _waiting(subject: Subject, stand: Standing, now: datetime) -> Headline | None:
    if stand.waiting is not None:
        words = stand.waiting.message or stand.waiting.title
        how_long = _for(stand.waiting.at, now)
        return Headline("warn", f"Waiting for {how_long}", _step(stand.waiting) + words)
    outline = subject.outline
    if outline.status != Status.WAITING and outline.began_at is not None:
        return None
    where = f" in {subject.queue}" if subject.queue else ""
    how_long = _for(outline.created_at, now)
    return Headline("", f"Waiting{where} for {how_long}", "Nothing has taken it up yet.")


def _failing(subject: Subject, stand: Standing, now: datetime) -> Headline | None:
    """Something failed and nothing came after it: open, but hardly well."""
    if stand.failed is None or stand.moved_on:
        return None
    kind = (
        failure_words(subject.failure_kind) if subject.failure_kind else "The last attempt failed"
    )
    text = subject.failure or _step(stand.failed) + (stand.failed.message or stand.failed.title)
    return Headline("warn", f"{kind}, {_for(stand.failed.at, now)} ago", text)


def _running(subject: Subject, now: datetime) -> Headline:
    began = subject.outline.began_at or subject.outline.created_at
    lead = f"Running for {_for(began, now)}"
    progress = subject.progress or {}
    if not progress:
        return Headline("", lead, "No failure, no wait and no checkpoint so far.")
    done, total = progress.get("done"), progress.get("total")
    said = str(progress.get("text") or "")
    if isinstance(done, int) and isinstance(total, int) and total > 0:
        said = f"{done * 100 // total} % ({done:,} of {total:,})"
    elif isinstance(done, int):
        said = f"{done:,} done"
    return Headline("", lead, f"Last checkpoint: {said}{_checkpoint_age(progress, now)}.")


def _checkpoint_age(progress: Mapping[str, Any], now: datetime) -> str:
    try:
        at = datetime.fromisoformat(str(progress.get("at") or ""))
    except ValueError:
        return ""
    return f", {_for(at, now)} ago" if at.tzinfo is not None else ""


def _for(since: datetime, now: datetime) -> str:
    return span(max((now - since).total_seconds(), 0))


def _step(moment: Moment) -> str:
    return f"{moment.step_name or moment.step}: " if moment.step_name or moment.step else ""
