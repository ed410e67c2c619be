"""One Celery event as one event of our trail. Pure, and the same however often and late it comes:
nothing in a row depends on what came before, but the number of the attempt where the event has none
of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from console.clients.celery.recorded_arguments import was_cut
from console.clients.celery.records import CeleryEvent
from console.unstructured import whole
from observability.engines.celery.failures import retry_reason, root_message
from observability.engines.contracts import (
    LONGEST_MESSAGE,
    LONGEST_TITLE,
    EventKind,
    FailureKind,
    RunEvent,
)

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
CHORD_UNLOCK: Final = "celery.chord_unlock"
"""Celery's own task that is tried again until all tasks of a chord are done."""
CHORD_WAITS: Final = "Waits for the other tasks of its chord"
_MOST_TRACEBACK: Final = 6000
_MOST_VALUE: Final = 1000
_SENT: Final = ("args", "kwargs", "queue", "retries", "eta", "expires", "root_id", "parent_id")
Fields = Mapping[str, Any]
Words = tuple[EventKind, str, str, dict[str, Any]]
"""Kind, title, message and detail."""


def moment(us: int) -> datetime:
    """Microseconds since 1970 as a time, exactly."""
    return EPOCH + timedelta(microseconds=us)


def microseconds(at: datetime) -> int:
    """A time as microseconds since 1970, exactly."""
    return (at - EPOCH) // timedelta(microseconds=1)


def row_of(
    event: CeleryEvent, attempt: int, *, name: str = "", ran: int = 0, goes_on: bool = False
) -> RunEvent | None:
    """The row of an event; None for one that says nothing of its own (labels). `name` is the task's
    as far as it is known, `ran` the last attempt that was begun; one that fails may go on."""
    words = _WORDS.get(event.type)
    if words is None:
        return None
    kind, title, message, detail = words(event.fields)
    if name == CHORD_UNLOCK and event.type == "task-retried":
        kind, title, message, detail = EventKind.WAITING, CHORD_WAITS, "", {}
    elif event.type == "task-revoked":
        title = revoked(event.fields, attempt, ran)
    elif event.type == "task-failed" and goes_on:
        kind = EventKind.ATTEMPT_FAILED
    return RunEvent(
        key=f"{event.type}:{event.stamp}:{event.hostname}"[:160],
        seq=event.us,
        at=moment(event.us),
        kind=kind,
        title=title[:LONGEST_TITLE],
        attempt=0 if event.type in _NO_ATTEMPT else attempt,
        # The worker that tells of a revocation is not who asked for it; nobody says who did.
        actor="" if event.type == "task-revoked" else event.hostname[:255],
        message=message[:LONGEST_MESSAGE],
        detail=detail,
    )


def name_event(event: CeleryEvent, before: str, name: str) -> RunEvent:
    """Says that another task goes on under the id of one that it replaced. Whoever replaces a task
    is its replacement's parent, or that of one in a chain: a task without a parent was sent with an
    id that was in use."""
    replaces = bool(event.fields.get("parent_id"))
    replaced = f"Replaced by {name}, which goes on under the same id"
    return RunEvent(
        key=f"replaced:{event.stamp}:{event.hostname}"[:160],
        seq=event.us - 1,
        at=moment(event.us),
        kind=EventKind.NOTE,
        title=(replaced if replaces else f"The same id was used again by {name}")[:LONGEST_TITLE],
        actor=event.hostname[:255],
        detail={
            "replaced" if replaces else "before": before[:_MOST_VALUE],
            "by": name[:_MOST_VALUE],
        },
    )


def copy_event(event: CeleryEvent, runs_on: str) -> RunEvent:
    """Says that what was revoked is a second delivery of a task that runs elsewhere, or is over."""
    which = f"a copy, while {runs_on} runs it" if runs_on else "a copy of it, after its end"
    what = "Expired" if event.fields.get("expired") else "Revoked"
    return RunEvent(
        key=f"{event.type}:{event.stamp}:{event.hostname}"[:160],
        seq=event.us,
        at=moment(event.us),
        kind=EventKind.NOTE,
        title=f"{what}: {which}"[:LONGEST_TITLE],
        message="It was delivered twice; what came second is thrown away.",
        detail=_given(event.fields, "expired"),
    )


def revoked(fields: Fields, attempt: int, ran: int) -> str:
    """How far a task was that was revoked; `ran` is the last attempt of it that was begun."""
    if fields.get("terminated"):
        return f"Revoked while it ran ({_signal(fields)})"
    what = "Expired" if fields.get("expired") else "Revoked"
    if ran >= attempt:
        return f"{what} before it ran again"
    if attempt > 1:
        return f"{what} while it waited for its retry"
    return "Expired before it could run" if fields.get("expired") else "Revoked before it ran"


def _given(fields: Fields, *names: str) -> dict[str, Any]:
    return {
        name: value[:_MOST_VALUE] if isinstance(value, str) else value
        for name in names
        if (value := fields.get(name)) not in (None, "")
    }


def _arguments(fields: Fields) -> dict[str, Any]:
    detail = _given(fields, *_SENT)
    for name in ("args", "kwargs"):
        text = fields.get(name)
        if isinstance(text, str) and (was_cut(text) or len(text) > _MOST_VALUE):
            detail["truncated"] = True
    return detail


def _sent(fields: Fields) -> Words:
    retries, queue = fields.get("retries") or 0, fields.get("queue") or ""
    to = f" to {queue}" if queue else ""
    if retries:
        return EventKind.RETRY, f"Sent again{to}, retry {retries}", "", _arguments(fields)
    return EventKind.CREATED, f"Sent{to}", "", _arguments(fields)


def _received(fields: Fields) -> Words:
    held = f", held until {fields['eta']}" if fields.get("eta") else ""
    return EventKind.SCHEDULED, f"Received by a worker{held}", "", _arguments(fields)


def _started(fields: Fields) -> Words:
    return EventKind.ATTEMPT_STARTED, "Started", "", _given(fields, "pid")


def _succeeded(fields: Fields) -> Words:
    return EventKind.SUCCEEDED, "Succeeded", "", _given(fields, "result", "runtime")


def _failure(fields: Fields) -> dict[str, Any]:
    detail = _given(fields, "exception")
    traceback = str(fields.get("traceback") or "")
    if traceback:
        detail["traceback"] = traceback[-_MOST_TRACEBACK:]
    return detail


def _failed(fields: Fields) -> Words:
    message, why = root_message(fields)
    kind, title = EventKind.FAILED, "Failed"
    if why is FailureKind.WORKER_LOST:
        kind, title = EventKind.LOST, "The process that ran it was lost"
    elif why is FailureKind.DEADLINE:
        kind, title = EventKind.TIMED_OUT, "Ran into its time limit"
    return kind, title, message, _failure(fields)


def _retried(fields: Fields) -> Words:
    message, why = retry_reason(fields)
    if why is FailureKind.NONE:
        return EventKind.RETRY, "Asked to be tried again", "", _failure(fields)
    lost = why is FailureKind.WORKER_LOST
    title = "Lost with its process, to be tried again" if lost else "Failed, to be tried again"
    return EventKind.ATTEMPT_FAILED, title, message, _failure(fields)


def _revoked(fields: Fields) -> Words:
    """`revoked` gives the title."""
    kind = EventKind.TERMINATED if fields.get("terminated") else EventKind.CANCELLED
    return kind, "", "", _given(fields, "terminated", "expired", "signum")


def _signal(fields: Fields) -> str:
    signal = str(fields.get("signum") or "terminated")[:40]
    return f"signal {signal}" if signal.isdecimal() else signal


def _rejected(fields: Fields) -> Words:
    detail = _given(fields, "requeue")
    if fields.get("requeue"):
        return EventKind.ATTEMPT_FAILED, "Given back to the queue", "", detail
    if fields.get("requeue") is None:
        return (
            EventKind.FAILED,
            "Rejected by the task",
            "Nobody says whether it comes again",
            detail,
        )
    return EventKind.FAILED, "Rejected by the task, not to be delivered again", "", detail


def _cancelled(fields: Fields) -> Words:
    del fields
    title = "Stopped by its worker: it shut down, or lost the broker"
    message = "It is delivered again only if it acknowledges late."
    return EventKind.ATTEMPT_FAILED, title, message, {}


def _progress(fields: Fields) -> Words:
    done, total = whole(fields.get("done")), whole(fields.get("total"))
    text = str(fields.get("text") or "")
    title = "Checkpoint"
    if done is not None:
        title = f"Checkpoint {done}" + (f" of {total}" if total is not None else "")
    return EventKind.CHECKPOINT, title, text, _given(fields, "done", "total")


_WORDS: Final[Mapping[str, Callable[[Fields], Words]]] = {
    "task-sent": _sent,
    "task-received": _received,
    "task-started": _started,
    "task-succeeded": _succeeded,
    "task-failed": _failed,
    "task-retried": _retried,
    "task-revoked": _revoked,
    "task-rejected": _rejected,
    "task-cancelled": _cancelled,
    "task-progress": _progress,
}
_NO_ATTEMPT: Final = frozenset({"task-revoked"})
