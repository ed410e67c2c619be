"""Where a Workflow is: which attempt, whether and how it ended, how a look is named. Near-pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from console.unstructured import mapping, mappings, moment, moment_after, whole
from observability.engines.argo.causes import BAD, WORKING, Causes
from observability.engines.argo.compressed_nodes import Nodes, phase_of_node
from observability.engines.argo.handlers import Sorts
from observability.engines.argo.messages import exit_code, failure_kind, strategy
from observability.engines.contracts import FailureKind, Status
from observability.engines.deletion import removed_at
from observability.engines.unstructured import (
    Object,
    labels_of,
    micros,
    text,
    uid_of,
    version_of,
)

PREFIX: Final = "workflows.argoproj.io/"
FINAL: Final = frozenset({"Succeeded", "Failed", "Error"})
ENDED: Final = "d"
PAUSED: Final = "p"
GONE: Final = "g"
OVERDUE: Final = "o"
_HOLDS: Final = frozenset({"ArtifactGCError"})
"""Conditions that say why a finalizer of the controller stays."""


@dataclass(frozen=True, slots=True)
class WorkflowSnapshot:
    """What we have of one run of a Workflow now. A retry by hand keeps name and uid, so `attempt`
    counts them; `before` is the last revision we gave of this attempt, and `deleted` says that the
    object is gone."""

    workflow: Object
    attempt: int = 0
    before: str = ""
    deleted: bool = False
    archived: bool = False

    @property
    def flags(self) -> frozenset[str]:
        """What was given before, by its flags."""
        return flags_of(self.before)

    @property
    def run_id(self) -> str:
        """The uid, with `#N` from the first retry by hand on."""
        return run_id(uid_of(self.workflow), self.attempt)


@dataclass(frozen=True, slots=True)
class WorkflowOutcome:
    """How a workflow ended."""

    at: datetime
    status: Status
    kind: FailureKind = FailureKind.NONE
    message: str = ""


def run_id(uid: str, attempt: int) -> str:
    """The run id of an attempt."""
    return f"{uid}#{attempt}" if attempt else uid


def split_run_id(run_id: str) -> tuple[str, int]:
    """The uid and the attempt behind a run id."""
    uid, _, number = run_id.partition("#")
    return uid, max(whole(number) or 0, 0)


def retried_run_id(before: str) -> str:
    """The run id of the attempt that comes after a run when it is retried by hand."""
    uid, attempt = split_run_id(before)
    return run_id(uid, attempt + 1)


def status_of(workflow: Object) -> dict[str, Any]:
    """The status, empty before the controller saw it."""
    return mapping(workflow.get("status"))


def spec_of(workflow: Object) -> dict[str, Any]:
    """The spec."""
    return mapping(workflow.get("spec"))


def phase_of(workflow: Object) -> str:
    """Empty, Pending, Running, Succeeded, Failed or Error."""
    return text(status_of(workflow).get("phase"), 20)


def is_completed(workflow: Object) -> bool:
    """Whether the controller is done with it. A retry by hand empties the phase and leaves the
    phase *label* as it was, so the label counts for nothing."""
    return phase_of(workflow) in FINAL


def started_micros(workflow: Object) -> int:
    """When it started, in microseconds; 0 when it has not."""
    at = moment(status_of(workflow).get("startedAt"))
    return micros(at) if at else 0


def revision_of(snapshot: WorkflowSnapshot, flags: frozenset[str]) -> str:
    """`VERSION.STARTED flags`: the object's resource version, when it started (a retry by hand
    starts it again), and letters for what was told."""
    version = version_of(snapshot.workflow)
    number = version if version.isascii() and version.isdigit() else "0"
    return f"{number}.{started_micros(snapshot.workflow)} {''.join(sorted(flags))}".strip()


def flags_of(revision: str) -> frozenset[str]:
    """The flags at the end of a revision."""
    return frozenset(revision.partition(" ")[2])


def is_retry_of(revision: str, workflow: Object) -> bool:
    """Whether this object is a later attempt than the one that had this revision."""
    numbers = revision.partition(" ")[0].split(".")
    before = whole(numbers[1]) if len(numbers) > 1 else 0
    if ENDED in flags_of(revision) and not is_completed(workflow):
        return True
    return bool(before) and started_micros(workflow) not in (0, before)


def outcome_of(
    snapshot: WorkflowSnapshot, nodes: Nodes, sorts: Sorts, now: datetime
) -> WorkflowOutcome | None:
    """How it ended; None while it has not. `now` dates what has no time of its own."""
    workflow = snapshot.workflow
    phase = phase_of(workflow)
    at = moment(status_of(workflow).get("finishedAt"))
    if phase in FINAL:
        root = Causes(nodes.by_id, sorts, workflow).root() if phase in BAD else None
        return _ended(
            phase,
            at or removed_at(snapshot.workflow, snapshot.flags, now),
            status_of(workflow),
            root,
        )
    if snapshot.deleted:
        words = "Deleted before it had finished."
        return WorkflowOutcome(
            removed_at(snapshot.workflow, snapshot.flags, now),
            Status.DELETED,
            FailureKind.CANCELLED,
            words,
        )
    return None


def _ended(
    phase: str, at: datetime, status: Mapping[str, Any], root: Mapping[str, Any] | None
) -> WorkflowOutcome:
    message = text(status.get("message"))
    how = strategy(message)
    # Releases before 4.1.2 say Succeeded of what was terminated while it waited for a lock.
    if how == "Terminate":
        return WorkflowOutcome(at, Status.TERMINATED, FailureKind.TERMINATED, message)
    if how == "Stop":
        return WorkflowOutcome(at, Status.CANCELLED, FailureKind.CANCELLED, message)
    if phase == "Succeeded":
        return WorkflowOutcome(at, Status.SUCCEEDED)
    kind = failure_kind(message, phase)
    if kind in (FailureKind.APPLICATION, FailureKind.OTHER):
        kind = _kind_within(message, kind, root)
    late = kind is FailureKind.DEADLINE
    return WorkflowOutcome(
        at, Status.TIMED_OUT if late else Status.FAILED, kind, _joined(message, root)
    )


def _kind_within(message: str, kind: FailureKind, root: Mapping[str, Any] | None) -> FailureKind:
    """The kind of the cause; where it is not known, only an exit code says that it was the job."""
    if root is not None:
        return failure_kind(text(root.get("message")), text(root.get("phase"), 20))
    return FailureKind.OTHER if exit_code(message) is None else kind


def held_by(workflow: Object) -> str:
    """Why a controller cannot let go of a workflow, as its conditions say."""
    failed = [
        text(condition.get("message"), 500)
        for condition in mappings(status_of(workflow).get("conditions"))
        if condition.get("status") == "True" and text(condition.get("type"), 60) in _HOLDS
    ]
    return next(filter(None, failed), "")


def _joined(message: str, root: Mapping[str, Any] | None) -> str:
    inner = text(root.get("message")) if root else ""
    if not inner or inner in message:
        return message
    name = text(root.get("displayName"), 200) if root else ""
    root_message = f"{name}: {inner}" if name else inner
    # The root first: a list shows the beginning only.
    return text(f"{root_message} · {message}" if message else root_message)


def is_suspended(workflow: Object) -> bool:
    """Whether no new step may begin."""
    return spec_of(workflow).get("suspend") is True


def open_status(workflow: Object, nodes: Nodes, sorts: Sorts) -> Status:
    """Where a workflow is that has not ended. A daemon that runs beside is no work."""
    if is_suspended(workflow):
        return Status.PAUSED
    if phase_of(workflow) != "Running":
        return Status.WAITING
    busy = {
        text(node.get("type"), 20)
        for key, node in nodes.by_id.items()
        if phase_of_node(node) in ("Running", "Pending") and key not in sorts.daemons
    }
    return Status.PAUSED if "Suspend" in busy and not busy & WORKING else Status.RUNNING


def cleanup_at(workflow: Object) -> datetime | None:
    """When a finished workflow removes itself. The failure's time does not cover phase Error."""
    status = status_of(workflow)
    finished = moment(status.get("finishedAt"))
    if finished is None or phase_of(workflow) not in FINAL:
        return None
    stored = mapping(status.get("storedWorkflowTemplateSpec"))
    ttl = mapping(spec_of(workflow).get("ttlStrategy")) or mapping(stored.get("ttlStrategy"))
    own = {"Succeeded": "secondsAfterSuccess", "Failed": "secondsAfterFailure"}
    special = whole(ttl.get(own.get(phase_of(workflow), "")))
    after = special if special is not None else whole(ttl.get("secondsAfterCompletion"))
    return None if after is None or after < 0 else moment_after(finished, after + 1)


def instance_of(workflow: Object) -> str:
    """Which controller instance it belongs to; empty for the one without an id."""
    return labels_of(workflow).get(f"{PREFIX}controller-instanceid", "")
