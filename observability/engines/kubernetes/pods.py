"""What happened to a pod of a Job, by its status, as events of the trail. Near-pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from console.unstructured import mapping, mappings, moment
from observability.engines.contracts import EventKind, FailureKind, RunEvent
from observability.engines.deletion import deleted_at
from observability.engines.kubernetes.containers import (
    NEVER_RAN,
    Container,
    ContainerRole,
    containers_of,
)
from observability.engines.kubernetes.endings import (
    MOST_CONTAINERS,
    Ending,
    Restart,
    disruption_of,
    ending_of,
    restarts_of,
)
from observability.engines.kubernetes.indexes import completion_index
from observability.engines.kubernetes.objects import (
    condition_of,
    has_ended,
    node_of,
    spec_of,
    status_of,
)
from observability.engines.kubernetes.pod_policies import MatchedRule, matched_rule
from observability.engines.unstructured import (
    Object,
    checkpoint_events,
    created_of,
    event,
    micros,
    name_of,
    text,
    uid_of,
)

IMAGE_REASONS: Final = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull",
     "ImageInspectError", "RegistryUnavailable", "SignatureValidationFailed"}
)  # fmt: skip
STUCK_REASONS: Final = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
)
BACK_OFF: Final = "CrashLoopBackOff"


@dataclass(frozen=True, slots=True)
class JobPod:
    """A pod with what its Job says of it: `attempt` is which try it is (0: none of another),
    `stopped` why its own Job stopped it (empty: it did not), `gone_at` by when it was removed
    before it had ended."""

    pod: Object
    job: Object
    attempt: int = 0
    stopped: str = ""
    gone_at: datetime | None = None

    @property
    def template(self) -> Object:
        """The Job's pod template."""
        return mapping(spec_of(self.job).get("template"))

    @property
    def containers(self) -> list[Container]:
        """Its containers by their roles."""
        return containers_of(self.pod, self.template)

    @property
    def ending(self) -> Ending | None:
        """How it ended; None while it has not."""
        return ending_of(self.pod, self.template)

    @property
    def restarts(self) -> list[Restart]:
        """The last failures inside it that it got over, or will try to."""
        return list(restarts_of(self.pod, self.template))

    @property
    def rule(self) -> MatchedRule | None:
        """The rule of the Job's pod failure policy that its failure matched; None of a pod that its
        own Job stopped, which is no failure."""
        return None if self.stopped else matched_rule(self.job, self.pod, self.containers)


def started_of(pod: Object) -> datetime | None:
    """When its first container began, those left out that only prepare it and those that never
    ran: containerd lets them begin in 1970."""
    states = [
        mapping(mapping(container.get(which)).get(what))
        for container in mappings(status_of(pod).get("containerStatuses"))
        for which in ("state", "lastState")
        for what in ("running", "terminated")
    ]
    times = [
        moment(state.get("startedAt"))
        for state in states
        if text(state.get("reason"), 80) not in NEVER_RAN
    ]
    return min((time for time in times if time), default=None)


def pod_events(subject: JobPod, otherwise: datetime) -> Iterator[RunEvent]:
    """Everything that a pod says about itself, oldest first as a rule."""
    pod, attempt = subject.pod, subject.attempt
    uid, name, node = uid_of(pod), name_of(pod), node_of(pod)
    step: dict[str, Any] = {"step": uid, "step_name": name, "attempt": attempt}
    created = created_of(pod, otherwise)
    if attempt > 1:
        title = f"Attempt {attempt}"
        yield event(created, EventKind.RETRY, title, uid, "retry", order=15, **step)
    yield from _scheduling(pod, node, step)
    if not has_ended(pod):
        yield from _waiting(subject, created, step)
    started = started_of(pod)
    if started:
        detail = {"pod": name, "node": node, "index": completion_index(pod)}
        yield event(
            started,
            EventKind.ATTEMPT_STARTED,
            f"Pod {name} started",
            *(uid, "started"),
            order=30,
            actor=node,
            detail={key: value for key, value in detail.items() if value is not None},
            **step,
        )
    yield from _restarts(subject, step)
    yield from checkpoint_events(pod, started or created, **step)
    ending = subject.ending
    if ending:
        yield _ended(ending, subject, node, step)


def _scheduling(pod: Object, node: str, step: dict[str, Any]) -> Iterator[RunEvent]:
    condition = condition_of(pod, "PodScheduled")
    at = moment(condition.get("lastTransitionTime"))
    if at is None:
        return
    uid, name, reason = uid_of(pod), name_of(pod), condition.get("reason")
    if condition.get("status") == "True":
        title = f"Pod {name} scheduled to {node}" if node else f"Pod {name} scheduled"
        detail = {"node": node}
        yield event(
            at, EventKind.SCHEDULED, title, uid, "scheduled", order=20, detail=detail, **step
        )
    elif reason in ("Unschedulable", "SchedulingGated"):
        is_held = reason == "SchedulingGated"
        what = "is held by scheduling gates" if is_held else "waits for a node"
        listed = ", ".join(
            text(item.get("name"), 100) for item in mappings(spec_of(pod).get("schedulingGates"))
        )
        yield event(
            at,
            EventKind.WAITING,
            f"Pod {name} {what}",
            *(uid, "gated" if is_held else "unschedulable"),
            order=18,
            message=f"scheduling gates: {listed}" if listed else text(condition.get("message")),
            detail={"for": "gate" if is_held else "node"},
            **step,
        )


def _waiting(subject: JobPod, created: datetime, step: dict[str, Any]) -> Iterator[RunEvent]:
    """Containers that cannot begin. Their state has no time: it follows the scheduling."""
    scheduled = moment(condition_of(subject.pod, "PodScheduled").get("lastTransitionTime"))
    waiting = [
        (container, reason)
        for container in subject.containers
        if (reason := text(container.waiting.get("reason"), 80)) in IMAGE_REASONS | STUCK_REASONS
    ]
    for container, reason in waiting[:MOST_CONTAINERS]:
        # ErrImagePull and ImagePullBackOff take turns: one event for both.
        is_image = reason in IMAGE_REASONS
        title = "waits for its image" if is_image else f"cannot start: {reason}"
        image = text(container.status.get("image"), 300)
        yield event(
            scheduled or created,
            EventKind.WAITING,
            f"{container.title} {title}",
            *(uid_of(subject.pod), "image" if is_image else reason, container.name),
            order=25,
            message=text(container.waiting.get("message")) or reason,
            detail={"for": "image" if is_image else "container", "reason": reason, "image": image},
            **step,
        )


def _restarts(subject: JobPod, step: dict[str, Any]) -> Iterator[RunEvent]:
    """The last failure of each container that was started again inside its pod, or will be."""
    uid = uid_of(subject.pod)
    for restart in subject.restarts:
        container, ending = restart.container, restart.ending
        # How often a sidecar was started is no try of the job.
        beside = container.role is ContainerRole.SIDECAR
        yield event(
            ending.at,
            EventKind.ATTEMPT_FAILED,
            f"{container.title} failed: {ending.cause()}",
            *(uid, "restart", container.name, str(micros(ending.at))),
            order=45,
            message=ending.words(),
            detail={
                "container": container.name,
                "exit_code": ending.code,
                "reason": ending.reason,
                "restarts": container.restarts,
                "failure": ending.kind.value,
            },
            **(step if beside else _within(step, restart.number)),
        )
        if container.waiting.get("reason") == BACK_OFF:
            yield event(
                ending.at,
                EventKind.NOTE if beside else EventKind.RETRY,
                f"{container.title} will be started again",
                *(uid, "backoff", container.name, str(restart.number)),
                order=46,
                message=text(container.waiting.get("message")),
                **(step if beside else _within(step, restart.number + 1)),
            )
    yield from _started_again(subject, step)


def _started_again(subject: JobPod, step: dict[str, Any]) -> Iterator[RunEvent]:
    started = [
        (at, container)
        for container in subject.containers
        if container.restarts and (at := moment(container.running.get("startedAt")))
    ]
    started.sort(key=lambda pair: pair[0])
    for at, container in started[-MOST_CONTAINERS:]:
        beside = container.role is ContainerRole.SIDECAR
        yield event(
            at,
            EventKind.NOTE if beside else EventKind.ATTEMPT_STARTED,
            f"{container.title} was started again",
            *(uid_of(subject.pod), "again", container.name, str(container.restarts)),
            order=47,
            detail={"container": container.name, "restarts": container.restarts},
            **(step if beside else _within(step, container.restarts + 1)),
        )


def _within(step: dict[str, Any], number: int) -> dict[str, Any]:
    """The step at the `number`-th try inside its pod."""
    attempt = step["attempt"]
    return {**step, "attempt": attempt + number - 1 if attempt else 0}


def _ended(ending: Ending, subject: JobPod, node: str, step: dict[str, Any]) -> RunEvent:
    pod = subject.pod
    name = name_of(pod)
    detail: dict[str, Any] = {
        "pod": name,
        "node": node,
        "exit_code": ending.code,
        "reason": ending.reason,
        "failure": ending.kind.value,
    }
    if ending.containers:
        detail["containers"] = list(ending.containers)
    words = "" if ending.succeeded else ending.words()
    if rule := subject.rule:
        detail["policy"] = rule.detail()
        words = f"{words}; {rule.words()}"
    if ending.succeeded:
        kind, title = EventKind.STEP_COMPLETED, f"Pod {name} completed"
    elif subject.stopped:
        kind, title = EventKind.NOTE, f"Pod {name} was stopped"
        words, detail["failure"] = f"{subject.stopped} It ended so: {words}", ""
    elif ending.kind is FailureKind.DEADLINE:
        kind, title = EventKind.ATTEMPT_TIMED_OUT, f"Pod {name} exceeded its deadline"
    else:
        kind, title = EventKind.ATTEMPT_FAILED, f"Pod {name} failed: {ending.cause()}"
    return event(
        ending.at,
        kind,
        title,
        *(uid_of(pod), "ended"),
        order=50,
        message=words,
        actor=node,
        detail=detail,
        **step,
    )


def removed_event(subject: JobPod, at: datetime) -> RunEvent:
    """A pod that was removed before it had ended: stopped by its Job, taken by the cluster, or
    lost."""
    pod = subject.pod
    kind, cause, explained = disruption_of(pod)
    message, title, sort = subject.stopped, "was stopped", EventKind.NOTE
    if not message and cause:
        message = f"{cause}: {explained}" if explained else cause
        title, sort = f"was taken away: {cause}", EventKind.ATTEMPT_FAILED
        if kind is FailureKind.WORKER_LOST:
            sort = EventKind.LOST
    elif not message:
        message, title, sort = "It was removed before it had ended.", "vanished", EventKind.LOST
    return event(
        deleted_at(pod) or at,
        sort,
        f"Pod {name_of(pod)} {title}",
        *(uid_of(pod), "gone"),
        order=55,
        message=message,
        detail={"failure": kind.value} if kind is not FailureKind.NONE else {},
        step=uid_of(pod),
        step_name=name_of(pod),
        attempt=subject.attempt,
    )
