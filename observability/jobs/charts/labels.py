"""Kinds, failures and spans of time in words for people, and the groups that events fall into."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from observability.engines.contracts import EventKind, FailureKind
from observability.engines.durations import format_duration as format_duration
from observability.engines.failure_kinds import FAILURE_LABELS

# One glyph per family, drawn by svg.py; the word says which of the family it is.
KINDS: Final[Mapping[str, tuple[str, str]]] = {
    EventKind.CREATED: ("Created", "dot"),
    EventKind.STARTED: ("Started", "dot"),
    EventKind.SCHEDULED: ("Scheduled", "dot"),
    EventKind.ATTEMPT_STARTED: ("Attempt started", "dot"),
    EventKind.ATTEMPT_FAILED: ("Attempt failed", "bad"),
    EventKind.ATTEMPT_TIMED_OUT: ("Attempt timed out", "bad"),
    EventKind.RETRY: ("Retry", "dot"),
    EventKind.STEP_COMPLETED: ("Step completed", "ok"),
    EventKind.CHECKPOINT: ("Checkpoint", "checkpoint"),
    EventKind.WAITING: ("Waiting", "dot"),
    EventKind.THROTTLED: ("Throttled", "limit"),
    EventKind.DENIED: ("Denied", "limit"),
    EventKind.SIGNAL: ("Signal", "signal"),
    EventKind.UPDATE: ("Update", "signal"),
    EventKind.TIMER_STARTED: ("Timer started", "timer"),
    EventKind.TIMER_FIRED: ("Timer fired", "timer"),
    EventKind.CHILD_STARTED: ("Child started", "child"),
    EventKind.CHILD_CLOSED: ("Child closed", "child"),
    EventKind.WORKER: ("Worker", "worker"),
    EventKind.PAUSED: ("Paused", "hand"),
    EventKind.RESUMED: ("Resumed", "hand"),
    EventKind.RESET: ("Reset", "hand"),
    EventKind.CANCEL_REQUESTED: ("Cancel requested", "hand"),
    EventKind.SUCCEEDED: ("Succeeded", "ok"),
    EventKind.FAILED: ("Failed", "bad"),
    EventKind.TIMED_OUT: ("Timed out", "bad"),
    EventKind.CANCELLED: ("Cancelled", "stopped"),
    EventKind.TERMINATED: ("Terminated", "stopped"),
    EventKind.CONTINUED: ("Continued as new", "stopped"),
    EventKind.LOST: ("Worker lost", "bad"),
    EventKind.DELETED: ("Deleted unfinished", "bad"),
    EventKind.ENDED: ("Ended without saying how", "stopped"),
    EventKind.CLEANUP: ("Clean-up", "dot"),
    EventKind.GAP: ("Gap: we were not looking", "gap"),
    EventKind.NOTE: ("Note", "dot"),
}

EVENT_GROUPS: Final[Mapping[str, tuple[str, frozenset[str]]]] = {
    "failures": (
        "Failures",
        frozenset(
            {
                EventKind.ATTEMPT_FAILED,
                EventKind.ATTEMPT_TIMED_OUT,
                EventKind.FAILED,
                EventKind.TIMED_OUT,
                EventKind.LOST,
                EventKind.DELETED,
                EventKind.DENIED,
            }
        ),
    ),
    "attempts": (
        "Attempts and steps",
        frozenset(
            {
                EventKind.SCHEDULED,
                EventKind.ATTEMPT_STARTED,
                EventKind.ATTEMPT_FAILED,
                EventKind.ATTEMPT_TIMED_OUT,
                EventKind.RETRY,
                EventKind.STEP_COMPLETED,
            }
        ),
    ),
    "limits": (
        "Waits and limits",
        frozenset({EventKind.WAITING, EventKind.THROTTLED, EventKind.DENIED}),
    ),
    "checkpoints": ("Checkpoints", frozenset({EventKind.CHECKPOINT})),
    "signals": (
        "Signals, timers, children",
        frozenset(
            {
                EventKind.SIGNAL,
                EventKind.UPDATE,
                EventKind.TIMER_STARTED,
                EventKind.TIMER_FIRED,
                EventKind.CHILD_STARTED,
                EventKind.CHILD_CLOSED,
            }
        ),
    ),
    "interventions": (
        "Interventions",
        frozenset(
            {
                EventKind.PAUSED,
                EventKind.RESUMED,
                EventKind.RESET,
                EventKind.CANCEL_REQUESTED,
                EventKind.CANCELLED,
                EventKind.TERMINATED,
            }
        ),
    ),
    "life": (
        "Start and end",
        frozenset(
            {
                EventKind.CREATED,
                EventKind.STARTED,
                EventKind.SUCCEEDED,
                EventKind.FAILED,
                EventKind.TIMED_OUT,
                EventKind.CANCELLED,
                EventKind.TERMINATED,
                EventKind.CONTINUED,
                EventKind.LOST,
                EventKind.DELETED,
                EventKind.ENDED,
                EventKind.CLEANUP,
            }
        ),
    ),
    "notes": ("Workers, notes, gaps", frozenset({EventKind.WORKER, EventKind.NOTE, EventKind.GAP})),
}


def failure_label(kind: str) -> str:
    """What kind of failure, for people."""
    try:
        return FAILURE_LABELS[FailureKind(kind or FailureKind.OTHER)]
    except ValueError:
        return kind.replace("_", " ").capitalize()


def kind_label(kind: str) -> str:
    """What happened, for people."""
    known = KINDS.get(kind)
    return known[0] if known else kind.replace("_", " ").capitalize()


def glyph_for(kind: str) -> str:
    """The mark that stands for it."""
    known = KINDS.get(kind)
    return known[1] if known else "dot"
