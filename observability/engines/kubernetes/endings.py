"""How pods begin and end, from their statuses. Near-pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from observability.engines.contracts import FailureKind
from observability.engines.unstructured import (
    Object,
    created_of,
    mapping,
    mappings,
    moment,
    text,
    whole,
)

_BY_REASON: Final = {
    "Evicted": FailureKind.EVICTED,
    "Preempting": FailureKind.EVICTED,
    "PreemptionByScheduler": FailureKind.EVICTED,
    "EvictionByEvictionAPI": FailureKind.EVICTED,
    "TerminationByKubelet": FailureKind.EVICTED,
    "NodeShutdown": FailureKind.EVICTED,
    "Terminated": FailureKind.EVICTED,
    "DeletionByTaintManager": FailureKind.WORKER_LOST,
    "DeletionByPodGC": FailureKind.WORKER_LOST,
    "NodeLost": FailureKind.WORKER_LOST,
    "DeadlineExceeded": FailureKind.DEADLINE,
    "UnexpectedAdmissionError": FailureKind.OTHER,
}


@dataclass(frozen=True, slots=True)
class Ending:
    """How a pod ended; `code` is the exit code of the container that counts."""

    at: datetime
    succeeded: bool
    kind: FailureKind = FailureKind.NONE
    code: int | None = None
    reason: str = ""
    message: str = ""

    def words(self) -> str:
        """`OOMKilled (exit code 137): the message`."""
        said = self.reason or ("Completed" if self.succeeded else "Failed")
        code = f" (exit code {self.code})" if self.code is not None else ""
        return f"{said}{code}{f': {self.message}' if self.message else ''}"


def status_of(item: Object) -> dict[str, Any]:
    """The status of an object."""
    return mapping(item.get("status"))


def phase_of(pod: Object) -> str:
    """Pending, Running, Succeeded, Failed, Unknown."""
    return text(status_of(pod).get("phase"), 20)


def condition_of(item: Object, kind: str) -> dict[str, Any]:
    """A condition by its type; empty when there is none."""
    for one in mappings(status_of(item).get("conditions")):
        if one.get("type") == kind:
            return one
    return {}


def containers_of(pod: Object) -> list[dict[str, Any]]:
    """The statuses of all containers, init containers first."""
    status = status_of(pod)
    return mappings(status.get("initContainerStatuses")) + mappings(status.get("containerStatuses"))


def started_of(pod: Object) -> datetime | None:
    """When its first container began."""
    states = [
        mapping(mapping(one.get(which)).get(what))
        for one in mappings(status_of(pod).get("containerStatuses"))
        for which in ("state", "lastState")
        for what in ("running", "terminated")
    ]
    times = [moment(state.get("startedAt")) for state in states]
    return min((time for time in times if time), default=None)


def ending_of(pod: Object) -> Ending | None:
    """How a pod ended; None while it has not."""
    phase = phase_of(pod)
    if phase not in ("Succeeded", "Failed"):
        return None
    status = status_of(pod)
    stopped = [mapping(mapping(one.get("state")).get("terminated")) for one in containers_of(pod)]
    ends = [moment(one.get("finishedAt")) for one in stopped]
    at = max((end for end in ends if end), default=None) or _last_change(pod)
    if phase == "Succeeded":
        return Ending(at, succeeded=True, code=0, reason="Completed")
    return _failed(at, stopped, text(status.get("reason"), 80), pod)


def _failed(at: datetime, stopped: Sequence[dict[str, Any]], reason: str, pod: Object) -> Ending:
    disruption = condition_of(pod, "DisruptionTarget")
    disrupted = text(disruption.get("reason"), 80) if disruption.get("status") == "True" else ""
    worst = max(stopped, key=_badness, default={})
    code, why = whole(worst.get("exitCode")), text(worst.get("reason"), 80)
    said = text(worst.get("message")) or text(status_of(pod).get("message"))
    if why == "OOMKilled":
        return _bad(at, FailureKind.OUT_OF_MEMORY, code, why, said)
    for told in (reason, disrupted):
        if told:
            words = text(status_of(pod).get("message")) or text(disruption.get("message")) or said
            kind = _BY_REASON.get(told, FailureKind.OTHER)
            return _bad(at, kind, code, told, words)
    return _bad(at, FailureKind.APPLICATION, code, why or "Error", said)


def _bad(at: datetime, kind: FailureKind, code: int | None, reason: str, message: str) -> Ending:
    return Ending(at, succeeded=False, kind=kind, code=code, reason=reason, message=message)


def _badness(state: dict[str, Any]) -> tuple[bool, bool]:
    return state.get("reason") == "OOMKilled", bool(whole(state.get("exitCode")))


def _last_change(pod: Object) -> datetime:
    """The latest time in a pod that does not say when it ended."""
    status = status_of(pod)
    times = [moment(one.get("lastTransitionTime")) for one in mappings(status.get("conditions"))]
    times += [moment(status.get("startTime"))]
    beginning = created_of(pod, datetime.fromisoformat("1970-01-01T00:00:00+00:00"))
    return max((time for time in times if time), default=beginning)
