"""Events that say it all by themselves: their kind, their title, and the step they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from console.clients.temporal.records import HistoryEvent
from console.unstructured import moment_after
from observability.engines.contracts import EventKind
from observability.engines.durations import format_duration

_LONG: Final = 60.0
"""Seconds of a timer whose end is told."""


@dataclass(frozen=True, slots=True)
class EventLabel:
    """`text` may hold {name}, {subject}, {run} and {span} (how long, until when). `prefix` makes
    the id of the step: of the event itself with `begins`, of the event it refers to without; with
    `by_subject` the subject makes it. `failed` is the text of one that has a failure."""

    kind: EventKind
    text: str
    prefix: str = ""
    begins: bool = False
    by_subject: bool = False
    failed: str = ""

    def title(self, event: HistoryEvent) -> str:
        """What happened, for people."""
        text = self.failed if self.failed and event.failure is not None else self.text
        for name, value in (
            ("{name}", event.name),
            ("{subject}", event.subject),
            ("{run}", event.run),
        ):
            if name in text:
                return text.replace(name, value)
        return text.replace("{span}", _span(event)) if "{span}" in text else text

    def step(self, event: HistoryEvent) -> tuple[str, str]:
        """The id and the name of the step; empty when it is about the run itself."""
        if not self.prefix:
            return "", ""
        number = event.subject if self.by_subject else event.id if self.begins else event.ref
        return f"{self.prefix}-{number}"[:255], event.name or event.subject[:200]

    def facts(self, event: HistoryEvent) -> dict[str, Any]:
        """What the event says beyond its detail."""
        facts = {"run_id": event.run, "workflow_id": "", "retry_state": event.state}
        if self.prefix in {"child", "external"}:
            facts["workflow_id"] = event.subject
        return {name: fact for name, fact in facts.items() if fact}


def _span(event: HistoryEvent) -> str:
    """How long a timer takes, and until when where that matters to somebody who waits."""
    seconds = event.detail.get("seconds")
    if not isinstance(seconds, int | float):
        return "no time"
    length = format_duration(seconds)
    until = moment_after(event.at, seconds)
    if until is None or seconds < _LONG:
        return length
    form = "%H:%M:%S" if until.date() == event.at.date() else "%Y-%m-%d %H:%M:%S"
    return f"{length}, until {until:{form}} UTC"


def _child(kind: EventKind, text: str, *, begins: bool = False) -> EventLabel:
    return EventLabel(kind, text, "child", begins=begins)


def _update(kind: EventKind, text: str, *, failed: str = "") -> EventLabel:
    return EventLabel(kind, text, "update", by_subject=True, failed=failed)


def _nexus(kind: EventKind, text: str, *, begins: bool = False) -> EventLabel:
    return EventLabel(kind, text, "nexus", begins=begins)


K: Final = EventKind
LABELS: Final[Mapping[str, EventLabel]] = {
    "workflow_execution_canceled": EventLabel(K.CANCELLED, "Cancelled"),
    "workflow_execution_terminated": EventLabel(K.TERMINATED, "Terminated"),
    "workflow_execution_continued_as_new": EventLabel(K.CONTINUED, "Continued as run {run}"),
    "workflow_execution_cancel_requested": EventLabel(K.CANCEL_REQUESTED, "Cancellation requested"),
    "workflow_execution_paused": EventLabel(K.PAUSED, "Paused"),
    "workflow_execution_unpaused": EventLabel(K.RESUMED, "Resumed"),
    "workflow_execution_signaled": EventLabel(K.SIGNAL, "Signal {name}"),
    "workflow_execution_update_admitted": _update(K.UPDATE, "Update {name} came in"),
    "workflow_execution_update_accepted": _update(K.UPDATE, "Update {name} accepted"),
    "workflow_execution_update_rejected": _update(K.UPDATE, "Update {name} rejected"),
    "workflow_execution_update_completed": _update(
        K.UPDATE, "Update {subject} completed", failed="Update {subject} failed"
    ),
    "workflow_execution_options_updated": EventLabel(K.NOTE, "Options of the workflow changed"),
    "upsert_workflow_search_attributes": EventLabel(K.NOTE, "Search attributes changed"),
    "workflow_properties_modified": EventLabel(K.NOTE, "Memo changed"),
    "timer_started": EventLabel(K.TIMER_STARTED, "Timer of {span}", "timer", begins=True),
    "timer_fired": EventLabel(K.TIMER_FIRED, "Timer {subject} fired", "timer"),
    "timer_canceled": EventLabel(K.NOTE, "Timer {subject} cancelled", "timer"),
    "start_child_workflow_execution_initiated": _child(
        K.SCHEDULED, "Child {name} asked for", begins=True
    ),
    "start_child_workflow_execution_failed": _child(K.CHILD_CLOSED, "Child {name} did not start"),
    "child_workflow_execution_started": _child(K.CHILD_STARTED, "Child {name} started"),
    "child_workflow_execution_completed": _child(K.CHILD_CLOSED, "Child {name} completed"),
    "child_workflow_execution_failed": _child(K.CHILD_CLOSED, "Child {name} failed"),
    "child_workflow_execution_canceled": _child(K.CHILD_CLOSED, "Child {name} was cancelled"),
    "child_workflow_execution_timed_out": _child(K.CHILD_CLOSED, "Child {name} timed out"),
    "child_workflow_execution_terminated": _child(K.CHILD_CLOSED, "Child {name} was terminated"),
    "signal_external_workflow_execution_initiated": EventLabel(
        K.NOTE, "Signals {subject}", "external", begins=True
    ),
    "signal_external_workflow_execution_failed": EventLabel(
        K.NOTE, "Could not signal {subject}", "external"
    ),
    "external_workflow_execution_signaled": EventLabel(K.NOTE, "Signalled {subject}", "external"),
    "request_cancel_external_workflow_execution_initiated": EventLabel(
        K.NOTE, "Asks {subject} to cancel", "external", begins=True
    ),
    "request_cancel_external_workflow_execution_failed": EventLabel(
        K.NOTE, "Could not ask {subject} to cancel", "external"
    ),
    "external_workflow_execution_cancel_requested": EventLabel(
        K.NOTE, "Asked {subject} to cancel", "external"
    ),
    "nexus_operation_scheduled": _nexus(K.SCHEDULED, "Operation {name} scheduled", begins=True),
    "nexus_operation_started": _nexus(K.ATTEMPT_STARTED, "Operation started"),
    "nexus_operation_completed": _nexus(K.STEP_COMPLETED, "Operation completed"),
    "nexus_operation_failed": _nexus(K.ATTEMPT_FAILED, "Operation failed"),
    "nexus_operation_canceled": _nexus(K.STEP_COMPLETED, "Operation was cancelled"),
    "nexus_operation_timed_out": _nexus(K.ATTEMPT_TIMED_OUT, "Operation timed out"),
    "nexus_operation_cancel_requested": _nexus(K.CANCEL_REQUESTED, "Operation is to be cancelled"),
    "nexus_operation_cancel_request_completed": _nexus(K.NOTE, "Operation was asked to cancel"),
    "nexus_operation_cancel_request_failed": _nexus(
        K.NOTE, "Operation could not be asked to cancel"
    ),
}
