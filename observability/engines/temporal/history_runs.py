"""How a run began and how it went on, as its history tells it: delays, cron, retries, schedules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from console.clients.temporal.records import HistoryEvent
from console.unstructured import LATEST, moment_after
from observability.engines.contracts import EventKind, Hold, RunEvent
from observability.engines.temporal.failures import root_message
from observability.engines.temporal.history_state import Events, HistoryState, event_of

RETRIED: Final = "in_progress"
"""The retry state of a run whose retry policy goes on with another one."""
_ENDINGS: Final[Mapping[str, tuple[EventKind, str]]] = {
    "workflow_execution_completed": (EventKind.SUCCEEDED, "Completed"),
    "workflow_execution_failed": (EventKind.FAILED, "Failed"),
    "workflow_execution_timed_out": (EventKind.TIMED_OUT, "The workflow's own time was over"),
}


def hold_of(first: HistoryEvent) -> Hold | None:
    """What holds a run back before its first task: `first` is the first event of its history."""
    delay = first.detail.get("first_task_delay")
    if not isinstance(delay, int | float) or delay <= 0:
        return None
    return Hold(moment_after(first.at, delay) or LATEST, _reason(first))


def _reason(first: HistoryEvent) -> str:
    initiator = first.detail.get("initiator")
    if initiator == "retry":
        return f"{_retry(first)}{_after(first)}"
    if initiator == "cron_schedule" or first.detail.get("cron"):
        return "cron"
    return "pause before it goes on as new" if initiator == "workflow" else "start delay"


def _retry(first: HistoryEvent) -> str:
    # The first attempt is none, as on the pages of other engines.
    return f"retry {max(first.attempt - 1, 1)}"


def _after(first: HistoryEvent) -> str:
    """The failure of the run before."""
    why = root_message(first.failure)
    return f" after {why}" if why else ""


def _created(_: HistoryState, event: HistoryEvent) -> Events:
    hold = hold_of(event)
    due = f", due at {hold.until:%Y-%m-%d %H:%M:%S} UTC" if hold and hold.until else ""
    return (event_of(event, EventKind.CREATED, f"{_how_it_began(event)}{due}"),)


def schedule_of(first: HistoryEvent) -> str:
    """The schedule that started a run; a run that goes on for another one only bears its name."""
    return "" if first.detail.get("initiator") else str(first.detail.get("schedule", ""))


def _how_it_began(event: HistoryEvent) -> str:
    detail, name = event.detail, event.name
    initiator = detail.get("initiator")
    if initiator == "retry":
        return f"{name} was started again by its retry policy: {_retry(event)}"
    if initiator == "workflow":
        return f"{name} goes on as new"
    if schedule := schedule_of(event):
        planned = detail.get("scheduled_for")
        return f"{name} was started by schedule {schedule}{f', for {planned}' if planned else ''}"
    if cron := detail.get("cron"):
        return f"{name} was started, with the cron schedule {cron}"
    return f"{name} was started"


def _ended(_: HistoryState, event: HistoryEvent) -> Iterator[RunEvent]:
    kind, title = _ENDINGS[event.type]
    detail = {"run_id": event.run, "retry_state": event.state}
    known = {name: fact for name, fact in detail.items() if fact}
    yield event_of(event, kind, title, detail=known)
    if event.run:
        by = "retry policy" if event.state == RETRIED else "cron schedule"
        onward = event_of(event, EventKind.CONTINUED, f"Its {by} goes on with run {event.run}")
        yield replace(onward, key=f"{event.id}/onward", message="", detail={"run_id": event.run})


HANDLERS: Final[Mapping[str, Callable[[HistoryState, HistoryEvent], Events]]] = {
    "workflow_execution_started": _created,
    **dict.fromkeys(_ENDINGS, _ended),
}
