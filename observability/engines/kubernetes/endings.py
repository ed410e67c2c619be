"""How a pod ended, and how its containers did on the way there: whose failure counts. Near-pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from console.unstructured import LATEST, mappings, moment, whole
from observability.engines.contracts import FailureKind
from observability.engines.deletion import deleted_at
from observability.engines.kubernetes.containers import (
    NEVER_RAN,
    OUT_OF_MEMORY,
    Container,
    ContainerRole,
    containers_of,
    ended_at,
    failed,
    has_main_begun,
)
from observability.engines.kubernetes.objects import (
    condition_of,
    has_ended,
    is_true,
    phase_of,
    spec_of,
    status_of,
)
from observability.engines.unstructured import Object, created_of, text

_BY_REASON: Final = {
    "Evicted": FailureKind.EVICTED,
    "Preempting": FailureKind.EVICTED,
    "PreemptionByScheduler": FailureKind.EVICTED,
    "EvictionByEvictionAPI": FailureKind.EVICTED,
    "TerminationByKubelet": FailureKind.EVICTED,
    "NodeShutdown": FailureKind.EVICTED,
    "Terminated": FailureKind.EVICTED,
    "Shutdown": FailureKind.EVICTED,
    "DeletionByTaintManager": FailureKind.WORKER_LOST,
    "DeletionByPodGC": FailureKind.WORKER_LOST,
    "NodeLost": FailureKind.WORKER_LOST,
    "DeadlineExceeded": FailureKind.DEADLINE,
    "UnexpectedAdmissionError": FailureKind.OTHER,
}
_BY_END: Final = {
    OUT_OF_MEMORY: FailureKind.OUT_OF_MEMORY,
    "ContainerStatusUnknown": FailureKind.WORKER_LOST,
    **dict.fromkeys(NEVER_RAN, FailureKind.INVALID),
}
"""What the reason says with which a container ended."""
_VAGUE: Final = frozenset({"", "Error", "Failed"})
"""Reasons that say no more than that it failed."""
SIGNALS: Final = frozenset({137, 143})
"""Exit codes of what was killed or told to end."""
SAME: Final = timedelta(seconds=2)
"""Kubernetes' times are whole seconds, and conditions are written a moment after the act."""
MOST_CONTAINERS: Final = 20
"""Containers of a pod of which each has its own events and details; a pod may have thousands."""
EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


@dataclass(frozen=True, slots=True)
class Ending:
    """How a pod ended; `code` is the exit code of the container that counts, `container` that
    container as people call it where that is not plain, `containers` are all of them as JSON."""

    at: datetime
    succeeded: bool
    kind: FailureKind = FailureKind.NONE
    code: int | None = None
    reason: str = ""
    message: str = ""
    container: str = ""
    containers: tuple[dict[str, Any], ...] = ()

    def cause(self) -> str:
        """`OOMKilled (exit code 137)`, or just `exit code 2` where the reason says no more."""
        if self.reason in _VAGUE and self.code is not None:
            return f"exit code {self.code}"
        reason = self.reason or ("Completed" if self.succeeded else "Failed")
        return f"{reason} (exit code {self.code})" if self.code is not None else reason

    def words(self, longest: int = 1500) -> str:
        """`init container fetch: exit code 2: the message`, cut to `longest`."""
        message = self.message.strip()
        if self.reason in _VAGUE and self.code is not None and not message:
            cause = f"{self.reason or 'Failed'} (exit code {self.code})"
        else:
            cause = self.cause()
        return text(": ".join(part for part in (self.container, cause, message) if part), longest)


@dataclass(frozen=True, slots=True)
class Restart:
    """A container that ended badly in a pod that goes on: its `number`-th failure there."""

    container: Container
    number: int
    ending: Ending


def ending_of(pod: Object, template: Object) -> Ending | None:
    """How a pod ended; None while it has not. `template` is its Job's."""
    if not has_ended(pod):
        return None
    containers = containers_of(pod, template)
    # A native sidecar is ended after the others: how long that took says nothing of the job.
    ends = [end for item in containers if not item.is_native and (end := ended_at(item.terminated))]
    at = max(ends) if ends else _last_change(pod, containers)
    if phase_of(pod) == "Succeeded":
        return Ending(at, succeeded=True, code=0, reason="Completed")
    return _failed(at, containers, pod)


def _failed(at: datetime, containers: Sequence[Container], pod: Object) -> Ending:
    kind, cause, explained = disruption_of(pod)
    culprit = culprit_of(containers)
    if cause and culprit and culprit.is_native:
        culprit = None  # it was ended with its pod
    terminated = culprit.terminated if culprit else {}
    code, why = whole(terminated.get("exitCode")), text(terminated.get("reason"), 80)
    message = text(terminated.get("message")) or text(status_of(pod).get("message"))
    ending = Ending(
        at,
        succeeded=False,
        kind=_BY_END.get(why, FailureKind.APPLICATION),
        code=code,
        reason=why or "Error",
        message=message or _killed(pod, at, code),
        container=_called(culprit, containers),
        containers=_details(containers),
    )
    if why == OUT_OF_MEMORY:
        return ending
    if cause:
        return replace(ending, kind=kind, reason=cause, message=explained or message, container="")
    return ending


def disruption_of(pod: Object) -> tuple[FailureKind, str, str]:
    """Kind, reason and explanation where not the pod's containers but the cluster ended it: it was
    evicted, preempted, its node was lost; empty texts otherwise."""
    status, disruption = status_of(pod), condition_of(pod, "DisruptionTarget")
    disrupted = text(disruption.get("reason"), 80) if is_true(pod, "DisruptionTarget") else ""
    cause = text(status.get("reason"), 80) or disrupted
    if not cause:
        return FailureKind.NONE, "", ""
    explained = text(status.get("message")) or text(disruption.get("message"))
    return _BY_REASON.get(cause, FailureKind.OTHER), cause, explained


def culprit_of(containers: Sequence[Container]) -> Container | None:
    """The container whose end failed the pod: a main one before one that prepares it, a sidecar
    only where nothing else failed, and one that Kubernetes knows as such only where the job itself
    never began. What is a sidecar by nothing but its name counts as the job's own where it failed
    first."""
    begun = has_main_begun(containers)
    for role in ContainerRole:
        of_role = [
            item
            for item in containers
            if item.role is role and item.has_failed and not (item.is_native and begun)
        ]
        if of_role:
            first = min(of_role, key=_first_out_of_memory)
            return _failed_before(first, containers) or first
    return None


def _failed_before(first: Container, containers: Sequence[Container]) -> Container | None:
    """The container called like a proxy that failed by itself before the `first` of the job's."""
    at = ended_at(first.terminated)
    if at is None or first.role is not ContainerRole.MAIN or _is_out_of_memory(first):
        return None
    earlier = [
        (its_end, place)
        for place, item in enumerate(containers)
        if item.is_sidecar_by_name
        and item.has_failed
        and (_is_out_of_memory(item) or whole(item.terminated.get("exitCode")) not in SIGNALS)
        and (its_end := ended_at(item.terminated))
        and its_end < at
    ]
    return containers[min(earlier)[1]] if earlier else None


def _is_out_of_memory(container: Container) -> bool:
    return container.terminated.get("reason") == OUT_OF_MEMORY


def _first_out_of_memory(container: Container) -> tuple[bool, datetime]:
    terminated = container.terminated
    return not _is_out_of_memory(container), ended_at(terminated) or LATEST


def _called(culprit: Container | None, containers: Sequence[Container]) -> str:
    """What a container is called where a pod has several that could have failed it."""
    if culprit is None:
        return ""
    mains = sum(item.role is ContainerRole.MAIN for item in containers)
    return "" if culprit.role is ContainerRole.MAIN and mains < 2 else culprit.title


def _killed(pod: Object, at: datetime, code: int | None) -> str:
    """What an exit code without a message means in a pod that somebody deleted before it ended."""
    asked_at = deleted_at(pod)
    killed = asked_at is not None and asked_at <= at and code in SIGNALS
    return "its pod was being deleted" if killed else ""


def _details(containers: Sequence[Container]) -> tuple[dict[str, Any], ...]:
    """How each container ended, where there are several."""
    if len(containers) < 2:
        return ()
    return tuple(
        {
            "name": item.name,
            "role": item.role.value,
            "exit_code": whole(item.terminated.get("exitCode")),
            "reason": text(item.terminated.get("reason"), 80),
            "message": text(item.terminated.get("message"), 300),
        }
        for item in containers[:MOST_CONTAINERS]
    )


def _last_change(pod: Object, containers: Sequence[Container]) -> datetime:
    """The latest time in a pod of which the job itself does not say when it ended."""
    status = status_of(pod)
    times = [
        moment(condition.get("lastTransitionTime"))
        for condition in mappings(status.get("conditions"))
    ]
    times += [moment(status.get("startTime"))]
    times += [ended_at(item.terminated) for item in containers]
    return max((time for time in times if time), default=created_of(pod, EPOCH))


def restarts_of(pod: Object, template: Object) -> Iterator[Restart]:
    """The last failures of containers that were started again, or will be, inside their pod, of
    very many the newest; those of sidecars are none of the job's, but for one that keeps the job
    from starting."""
    containers = containers_of(pod, template)
    begun, again = has_main_begun(containers), not has_ended(pod) and _starts_again(pod)
    failures = [
        (at, item, number, terminated)
        for item in containers
        if item.role is not ContainerRole.SIDECAR
        or (item.is_native and item.is_unready and not begun)
        for number, terminated in _failures_in(
            item, again=_is_kept_up(item, pod) if item.is_native else again
        )
        if (at := ended_at(terminated))
    ]
    failures.sort(key=lambda failure: failure[0])
    for _, item, number, terminated in failures[-MOST_CONTAINERS:]:
        if ending := _container_ending(item, containers, terminated):
            yield Restart(item, number, ending)


def _is_kept_up(container: Container, pod: Object) -> bool:
    """Whether a native sidecar is started again after how it ended, or was to be until its pod was
    deleted."""
    deletion, at = deleted_at(pod), ended_at(container.terminated)
    if deletion is None or at is None:
        return not has_ended(pod)
    return ended_by_itself(at, whole(container.terminated.get("exitCode")), deletion)


def ended_by_itself(at: datetime, code: int | None, deletion: datetime) -> bool:
    """Whether what ended then had done so before its pod's deletion was asked for."""
    # The clocks of nodes differ a little: what a signal ended was mostly ended by the deletion.
    return at < deletion - (SAME if code in SIGNALS else timedelta())


def _failures_in(container: Container, *, again: bool) -> Iterator[tuple[int, Object]]:
    """The failures that a container says of itself, with their numbers. `again`: after the one that
    it is in, it will be started again."""
    if failed(container.last_end):
        # While it waits to be started again, that start is not counted yet.
        number = container.restarts + (1 if container.waiting else 0)
        yield max(number, 1), container.last_end
    if again and failed(container.terminated):
        yield container.restarts + 1, container.terminated


def failing_in(pod: Object, template: Object) -> Ending | None:
    """The failure of a main container that is not started again, in a pod that goes on because
    another of its containers does."""
    if _starts_again(pod):
        return None
    containers = containers_of(pod, template)
    mains = [item for item in containers if item.role is ContainerRole.MAIN]
    culprit = culprit_of(mains)
    return _container_ending(culprit, containers) if culprit else None


def _starts_again(pod: Object) -> bool:
    return spec_of(pod).get("restartPolicy") in ("OnFailure", "Always")


def _container_ending(
    container: Container, containers: Sequence[Container], terminated: Object | None = None
) -> Ending | None:
    """How one container ended, now or (`terminated`) before it was started again; None where it
    does not say when."""
    terminated = container.terminated if terminated is None else terminated
    at = ended_at(terminated)
    if at is None:
        return None
    return replace(_failure(at, terminated), container=_called(container, containers))


def end_words(terminated: Object) -> str:
    """How a container ended, in words: `exit code 2: the message`."""
    return _failure(EPOCH, terminated).words(300)


def _failure(at: datetime, terminated: Object) -> Ending:
    reason = text(terminated.get("reason"), 80)
    return Ending(
        at,
        succeeded=False,
        kind=_BY_END.get(reason, FailureKind.APPLICATION),
        code=whole(terminated.get("exitCode")),
        reason=reason or "Error",
        message=text(terminated.get("message")),
    )
