"""The events of a Workflow as a whole; its steps are in nodes.py. Near-pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from console.unstructured import mappings, moment
from observability.engines.argo.facts import Facts
from observability.engines.argo.messages import wait_of
from observability.engines.argo.state import (
    GONE,
    PAUSED,
    PREFIX,
    is_suspended,
    phase_of,
)
from observability.engines.contracts import EventKind, RunEvent, Status
from observability.engines.deletion import cleanup_events, removed_at
from observability.engines.unstructured import (
    LAST,
    annotations_of,
    changed_at,
    checkpoint_events,
    checkpoint_of,
    event,
    metadata_of,
    micros,
    text,
)

_ACTIONS: Final = {
    "Suspend": (EventKind.PAUSED, "Suspended"),
    "Resume": (EventKind.RESUMED, "Resumed"),
    "Stop": (EventKind.CANCEL_REQUESTED, "Stop asked for"),
    "Terminate": (EventKind.CANCEL_REQUESTED, "Termination asked for"),
    "Retry": (EventKind.RESET, "Retry asked for"),
    "Update": (EventKind.UPDATE, "Changed"),
}
_SHUTDOWNS: Final = frozenset({"Stop", "Terminate"})
_TITLES: Final = {
    Status.SUCCEEDED: "Workflow succeeded",
    Status.FAILED: "Workflow failed",
    Status.TIMED_OUT: "Workflow exceeded its deadline",
    Status.TERMINATED: "Workflow terminated",
    Status.CANCELLED: "Workflow stopped",
}
_NOTABLE: Final = frozenset({"SpecError", "SpecWarning", "ArtifactGCError"})


class WorkflowEvents:
    """What happened to one Workflow."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def events(self) -> Iterator[RunEvent]:
        """All of them, in no order."""
        yield self._created()
        yield from self._waiting()
        if self._facts.started:
            stamp = str(micros(self._facts.started))
            words = "Workflow started"
            yield event(self._facts.started, EventKind.STARTED, words, "started", stamp, order=8)
        yield from self._actions()
        yield from self._suspension()
        yield from self._facts.walk.events()
        yield from checkpoint_events(
            self._facts.workflow, self._facts.started or self._facts.created
        )
        yield from self._steps_done()
        yield from self._notes()
        if self._facts.deletion:
            yield from self._facts.deletion.events()
        yield from self._end()

    def _created(self) -> RunEvent:
        scheduled = annotations_of(self._facts.workflow).get(f"{PREFIX}scheduled-time")
        source = {
            "cron_workflow": self._facts.label("cron-workflow"),
            "resubmitted_from": self._facts.label("resubmitted-from-workflow"),
            "event_binding": self._facts.label("workflow-event-binding"),
            "scheduled_at": text(scheduled, 40),
        }
        words = "Workflow created"
        message = ""
        if self._facts.snapshot.attempt:
            words = "Workflow retried by hand"
            message = "The engine overwrote the run before; its trail is kept as a run of its own."
        return event(
            self._facts.created,
            EventKind.CREATED,
            words,
            "created",
            actor=self._facts.starter(),
            message=message,
            detail={name: value for name, value in source.items() if value},
        )

    def _waiting(self) -> Iterator[RunEvent]:
        if phase_of(self._facts.workflow) != "Pending":
            return
        message = text(self._facts.status.get("message"))
        wait = wait_of(message)
        if wait:
            yield event(
                self._facts.created,
                wait.kind,
                f"Workflow {wait.title}",
                wait.key,
                order=5,
                message=message,
                detail=wait.detail,
            )

    def _actions(self) -> Iterator[RunEvent]:
        """The last thing that a person did through the engine's own server, and a shutdown."""
        action = self._facts.label("action")
        begun = self._facts.started or self._facts.created
        if action in _ACTIONS and not (self._facts.snapshot.attempt and action == "Retry"):
            kind, words = _ACTIONS[action]
            at = changed_at(self._facts.workflow, "metadata", "labels", f"{PREFIX}action") or begun
            actor = self._facts.person("actor")
            yield event(at, kind, words, "action", action, str(micros(at)), order=45, actor=actor)
        shutdown = text(self._facts.spec.get("shutdown"), 40)
        if shutdown and action not in _SHUTDOWNS:
            at = changed_at(self._facts.workflow, "spec", "shutdown") or begun
            words = f"{shutdown} asked for"
            yield event(at, EventKind.CANCEL_REQUESTED, words, "shutdown", shutdown, order=45)

    def _suspension(self) -> Iterator[RunEvent]:
        """Suspended and resumed as a whole, where no action says it."""
        now, before = is_suspended(self._facts.workflow), PAUSED in self._facts.snapshot.flags
        action = self._facts.label("action")
        if now and not before and action != "Suspend":
            at = (
                changed_at(self._facts.workflow, "spec", "suspend")
                or self._facts.started
                or self._facts.created
            )
            words = "Workflow suspended"
            yield event(at, EventKind.PAUSED, words, "paused", str(micros(at)), order=44)
        if before and not now and self._facts.outcome is None and action != "Resume":
            words = "Workflow resumed"
            key = ("resumed", self._facts.snapshot.before.partition(" ")[0])
            yield event(self._facts.now, EventKind.RESUMED, words, *key, order=44)

    def _steps_done(self) -> Iterator[RunEvent]:
        """The controller's count of steps, as of the last step that ended."""
        counts = text(self._facts.status.get("progress"), 40)
        ends = [moment(node.get("finishedAt")) for node in self._facts.nodes.by_id.values()]
        at = max((end for end in ends if end), default=None)
        progress = checkpoint_of(counts, at) if at and counts else None
        if at is None or progress is None or not progress.done:
            return
        yield event(
            at,
            EventKind.CHECKPOINT,
            f"{progress.done} of {progress.total} steps done",
            *("checkpoint", "steps", counts),
            order=60,
            detail={"done": progress.done, "total": progress.total, "source": "steps"},
        )

    def _notes(self) -> Iterator[RunEvent]:
        for condition in mappings(self._facts.status.get("conditions")):
            kind = text(condition.get("type"), 40)
            if kind in _NOTABLE and condition.get("status") == "True":
                message = text(condition.get("message"))
                at = self._facts.started or self._facts.created
                yield event(at, EventKind.NOTE, kind, "condition", kind, order=9, message=message)
        if self._facts.nodes.missing:
            at = self._facts.started or self._facts.created
            words = "Steps not loaded"
            yield event(
                at, EventKind.NOTE, words, "not_loaded", order=10, message=self._facts.nodes.missing
            )

    def _end(self) -> Iterator[RunEvent]:
        outcome = self._facts.outcome
        if outcome is None:
            return
        if outcome.status is Status.DELETED:
            known = moment(metadata_of(self._facts.workflow).get("deletionTimestamp"))
            seq = micros(known, 99) if known else LAST
            yield event(outcome.at, EventKind.DELETED, "Deleted unfinished", "deleted", seq=seq)
            return
        yield event(
            outcome.at,
            EventKind(outcome.status.value),
            _TITLES.get(outcome.status, "Workflow ended"),
            "closed",
            order=90,
            message=outcome.message,
            actor=self._facts.person("actor") if self._facts.label("action") in _SHUTDOWNS else "",
            detail={"phase": phase_of(self._facts.workflow), "failure": outcome.kind.value},
        )
        yield from self._cleanup(outcome.at)

    def _cleanup(self, ended_at: datetime) -> Iterator[RunEvent]:
        facts, snapshot = self._facts, self._facts.snapshot
        went = snapshot.deleted and GONE not in snapshot.flags
        return cleanup_events(
            due=facts.cleanup_at,
            ended_at=ended_at,
            gone_at=removed_at(snapshot.workflow, snapshot.flags, facts.now) if went else None,
            is_overdue=facts.overdue() and not facts.deletion,
        )
