"""The pods of a Job: how each begins and ends, by its status, and what happened to it. Each is an
attempt. Near-pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from console.unstructured import mapping, mappings, moment, whole
from observability.engines.contracts import EventKind, FailureKind, RunEvent
from observability.engines.unstructured import (
    Object,
    annotations_of,
    checkpoint_events,
    created_of,
    event,
    labels_of,
    metadata_of,
    name_of,
    text,
    uid_of,
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
        reason = self.reason or ("Completed" if self.succeeded else "Failed")
        code = f" (exit code {self.code})" if self.code is not None else ""
        return f"{reason}{code}{f': {self.message}' if self.message else ''}"


def status_of(item: Object) -> dict[str, Any]:
    """The status of an object."""
    return mapping(item.get("status"))


def phase_of(pod: Object) -> str:
    """Pending, Running, Succeeded, Failed, Unknown."""
    return text(status_of(pod).get("phase"), 20)


def condition_of(item: Object, kind: str) -> dict[str, Any]:
    """A condition by its type; empty when there is none."""
    for condition in mappings(status_of(item).get("conditions")):
        if condition.get("type") == kind:
            return condition
    return {}


def containers_of(pod: Object) -> list[dict[str, Any]]:
    """The statuses of all containers, init containers first."""
    status = status_of(pod)
    return mappings(status.get("initContainerStatuses")) + mappings(status.get("containerStatuses"))


def started_of(pod: Object) -> datetime | None:
    """When its first container began."""
    states = [
        mapping(mapping(container.get(which)).get(what))
        for container in mappings(status_of(pod).get("containerStatuses"))
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
    stopped = [
        mapping(mapping(container.get("state")).get("terminated"))
        for container in containers_of(pod)
    ]
    ends = [moment(terminated.get("finishedAt")) for terminated in stopped]
    at = max((end for end in ends if end), default=None) or _last_change(pod)
    if phase == "Succeeded":
        return Ending(at, succeeded=True, code=0, reason="Completed")
    return _failed(at, stopped, text(status.get("reason"), 80), pod)


def _failed(at: datetime, stopped: Sequence[dict[str, Any]], reason: str, pod: Object) -> Ending:
    disruption = condition_of(pod, "DisruptionTarget")
    disrupted = text(disruption.get("reason"), 80) if disruption.get("status") == "True" else ""
    worst = max(stopped, key=_badness, default={})
    code, why = whole(worst.get("exitCode")), text(worst.get("reason"), 80)
    message = text(worst.get("message")) or text(status_of(pod).get("message"))
    if why == "OOMKilled":
        return _bad(at, FailureKind.OUT_OF_MEMORY, code, why, message)
    for cause in (reason, disrupted):
        if cause:
            explained = (
                text(status_of(pod).get("message")) or text(disruption.get("message")) or message
            )
            kind = _BY_REASON.get(cause, FailureKind.OTHER)
            return _bad(at, kind, code, cause, explained)
    return _bad(at, FailureKind.APPLICATION, code, why or "Error", message)


def _bad(at: datetime, kind: FailureKind, code: int | None, reason: str, message: str) -> Ending:
    return Ending(at, succeeded=False, kind=kind, code=code, reason=reason, message=message)


def _badness(state: dict[str, Any]) -> tuple[bool, bool]:
    return state.get("reason") == "OOMKilled", bool(whole(state.get("exitCode")))


def _last_change(pod: Object) -> datetime:
    """The latest time in a pod that does not say when it ended."""
    status = status_of(pod)
    times = [
        moment(condition.get("lastTransitionTime"))
        for condition in mappings(status.get("conditions"))
    ]
    times += [moment(status.get("startTime"))]
    beginning = created_of(pod, datetime.fromisoformat("1970-01-01T00:00:00+00:00"))
    return max((time for time in times if time), default=beginning)


INDEX: Final = "batch.kubernetes.io/job-completion-index"
_IMAGE: Final = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull",
     "ImageInspectError", "RegistryUnavailable"}
)  # fmt: skip
_STUCK: Final = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "CrashLoopBackOff"}
)


def attempts_of(pods: Sequence[Object], *, parallel: bool) -> dict[str, int]:
    """Which attempt each pod is, by uid: counted per completion index. Pods of a Job that runs
    several at once without indexes are no attempts of one another: all 0."""
    ranks: dict[str, int] = {}
    attempts_of_index: dict[str, int] = {}
    for pod in sorted(pods, key=_age):
        index = annotations_of(pod).get(INDEX) or labels_of(pod).get(INDEX, "")
        attempts_of_index[index] = attempts_of_index.get(index, 0) + 1
        ranks[uid_of(pod)] = 0 if parallel and not index else attempts_of_index[index]
    return ranks


def _age(pod: Object) -> tuple[str, str]:
    return text(metadata_of(pod).get("creationTimestamp")), name_of(pod)


def pod_events(pod: Object, attempt: int, otherwise: datetime) -> Iterator[RunEvent]:
    """Everything that a pod says about itself, oldest first as a rule."""
    uid, name = uid_of(pod), name_of(pod)
    step: dict[str, Any] = {"step": uid, "step_name": name, "attempt": attempt}
    created = created_of(pod, otherwise)
    node = text(mapping(pod.get("spec")).get("nodeName"), 255)
    if attempt > 1:
        yield event(created, EventKind.RETRY, f"Attempt {attempt}", uid, "retry", order=15, **step)
    yield from _scheduling(pod, node, step)
    yield from _waiting(pod, created, step)
    started = started_of(pod)
    if started:
        yield event(
            started,
            EventKind.ATTEMPT_STARTED,
            f"Pod {name} started",
            *(uid, "started"),
            order=30,
            actor=node,
            detail={"pod": name, "node": node},
            **step,
        )
    yield from _restarts(pod, step)
    yield from checkpoint_events(pod, started or created, **step)
    ending = ending_of(pod)
    if ending:
        yield _ended(ending, pod, node, step)


def _scheduling(pod: Object, node: str, step: dict[str, Any]) -> Iterator[RunEvent]:
    condition = condition_of(pod, "PodScheduled")
    at = moment(condition.get("lastTransitionTime"))
    if at is None:
        return
    uid, name = uid_of(pod), name_of(pod)
    if condition.get("status") == "True":
        title = f"Pod {name} scheduled to {node}" if node else f"Pod {name} scheduled"
        detail = {"node": node}
        yield event(
            at, EventKind.SCHEDULED, title, uid, "scheduled", order=20, detail=detail, **step
        )
    elif condition.get("reason") == "Unschedulable":
        yield event(
            at,
            EventKind.WAITING,
            f"Pod {name} waits for a node",
            *(uid, "unschedulable"),
            order=18,
            message=text(condition.get("message")),
            detail={"for": "node"},
            **step,
        )


def _waiting(pod: Object, created: datetime, step: dict[str, Any]) -> Iterator[RunEvent]:
    """Containers that cannot begin. Their state has no time: it follows the scheduling."""
    scheduled = moment(condition_of(pod, "PodScheduled").get("lastTransitionTime"))
    for container in containers_of(pod):
        state = mapping(mapping(container.get("state")).get("waiting"))
        reason, name = text(state.get("reason"), 80), text(container.get("name"), 80)
        if reason not in _IMAGE and reason not in _STUCK:
            continue
        # ErrImagePull and ImagePullBackOff take turns: one event for both.
        is_image = reason in _IMAGE
        image = text(container.get("image"), 300)
        yield event(
            scheduled or created,
            EventKind.WAITING,
            f"{name} waits for its image" if is_image else f"{name} cannot start: {reason}",
            *(uid_of(pod), "image" if is_image else reason, name),
            order=25,
            message=text(state.get("message")) or reason,
            detail={"for": "image" if is_image else "container", "reason": reason, "image": image},
            **step,
        )


def _restarts(pod: Object, step: dict[str, Any]) -> Iterator[RunEvent]:
    """The last end of each container that was started again inside its pod."""
    for container in containers_of(pod):
        count = whole(container.get("restartCount"))
        ended = mapping(mapping(container.get("lastState")).get("terminated"))
        at = moment(ended.get("finishedAt"))
        if not count or at is None:
            continue
        name, reason = text(container.get("name"), 80), text(ended.get("reason"), 80)
        code = whole(ended.get("exitCode"))
        killed = reason == "OOMKilled"
        kind = FailureKind.OUT_OF_MEMORY if killed else FailureKind.APPLICATION
        yield event(
            at,
            EventKind.ATTEMPT_FAILED,
            f"{name} ended ({reason or 'Error'}) and was started again",
            *(uid_of(pod), "restart", name, str(count)),
            order=45,
            message=text(ended.get("message")),
            detail={"exit_code": code, "reason": reason, "restarts": count, "failure": kind.value},
            **step,
        )


def _ended(ending: Ending, pod: Object, node: str, step: dict[str, Any]) -> RunEvent:
    name = name_of(pod)
    detail = {
        "pod": name,
        "node": node,
        "exit_code": ending.code,
        "reason": ending.reason,
        "failure": ending.kind.value,
    }
    if ending.succeeded:
        kind, title = EventKind.STEP_COMPLETED, f"Pod {name} completed"
    elif ending.kind is FailureKind.DEADLINE:
        kind, title = EventKind.ATTEMPT_TIMED_OUT, f"Pod {name} exceeded its deadline"
    else:
        kind, title = EventKind.ATTEMPT_FAILED, f"Pod {name} failed: {ending.reason}"
    return event(
        ending.at,
        kind,
        title,
        *(uid_of(pod), "ended"),
        order=50,
        message="" if ending.succeeded else ending.words(),
        actor=node,
        detail=detail,
        **step,
    )


def stopped_event(pod: Object, attempt: int, at: datetime, why: str) -> RunEvent:
    """A pod that was removed before it had ended: stopped with its Job, or lost."""
    lost = not why
    return event(
        moment(metadata_of(pod).get("deletionTimestamp")) or at,
        EventKind.LOST if lost else EventKind.NOTE,
        f"Pod {name_of(pod)} {'vanished' if lost else 'was stopped'}",
        *(uid_of(pod), "gone"),
        order=55,
        message=why or "It was removed before it had ended.",
        step=uid_of(pod),
        step_name=name_of(pod),
        attempt=attempt,
    )
