"""What a Job and its pods say of how it is now, in one sentence: who looks after it, what it waits
for, which indexes are done, what keeps a pod alive. Near-pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from console.unstructured import moment, whole
from observability.engines.deletion import deleted_at
from observability.engines.kubernetes.attempts import is_indexed
from observability.engines.kubernetes.containers import Container, ContainerRole, ended_at
from observability.engines.kubernetes.endings import EPOCH, end_words
from observability.engines.kubernetes.indexes import index_ranges, index_words, succeeded_count
from observability.engines.kubernetes.objects import (
    condition_of,
    has_ended,
    node_of,
    phase_of,
    spec_of,
    status_of,
)
from observability.engines.kubernetes.pods import BACK_OFF, JobPod, started_of
from observability.engines.kubernetes.state import is_suspended, lacking_pods, managed_by
from observability.engines.kubernetes.suspension import suspension_words
from observability.engines.unstructured import Object, name_of, text

_LONGEST: Final = 600
_MULTIKUEUE: Final = "kueue.x-k8s.io/multikueue"
_COUNTS: Final = ("active", "ready", "succeeded", "failed", "terminating")
_MOST_NAMES: Final = 3
_CREATING: Final = frozenset({"ContainerCreating", "PodInitializing", ""})


def situation_of(
    job: Object, pods: Sequence[JobPod], trouble: str, *, had_pods: bool | None
) -> str:
    """The sentence of a Job that has not ended; empty when nothing is to be said. `trouble` is why
    the API server could not create pods of it; `had_pods` before, None where that is not
    known."""
    parts = [*_manager(job, pods)]
    if is_suspended(job):
        parts.append(suspension_words(job))
    if words := progress_words(job):
        parts.append(words)
    if not managed_by(job) and not is_suspended(job):
        there = [item for item in pods if item.gone_at is None]
        parts += _pods(there) or [_without_pods(job, there, trouble, had_pods=had_pods)]
    return text("; ".join(part for part in parts if part), _LONGEST)


def progress_words(job: Object) -> str:
    """`indexes 0, 2–3 failed, 2 of 5 succeeded` of a Job with indexes, once one has ended."""
    if not is_indexed(job):
        return ""
    completions = whole(spec_of(job).get("completions"))
    failed = index_ranges(status_of(job).get("failedIndexes"), below=completions)
    succeeded = succeeded_count(job)
    if not failed and not succeeded:
        return ""
    done = f"{succeeded:,} of {completions:,} succeeded" if completions is not None else ""
    return ", ".join(
        part for part in (f"{index_words(failed)} failed" if failed else "", done) if part
    )


def kept_alive_words(subject: JobPod) -> str:
    """Which containers of a pod ended, and which keep it alive; empty while none does."""
    mains = [item for item in subject.containers if item.role is ContainerRole.MAIN]
    ended = [item for item in mains if item.terminated]
    beside = [
        item
        for item in subject.containers
        if item.role is ContainerRole.SIDECAR and not item.is_native
    ]
    if not ended:
        return ""
    if len(ended) == len(mains):
        alive = [item.name for item in beside if _kept(item, ended)]
        keeps = (
            f"{' and '.join(alive)} still ran and kept the pod alive"
            if has_ended(subject.pod)
            else (f"{' and '.join(alive)} still runs and keeps the pod alive")
        )
    else:
        alive = [item.name for item in mains if item.is_running]
        keeps = f"{' and '.join(alive)} still runs"
    return f"{', '.join(map(_end_words, ended))}; {keeps}" if alive else ""


def _kept(beside: Container, ended: Sequence[Container]) -> bool:
    """Whether a container went on after all of others."""
    if beside.is_running:
        return True
    own = ended_at(beside.terminated)
    last = max((at for item in ended if (at := ended_at(item.terminated))), default=None)
    return bool(own and last and own > last)


def _end_words(container: Container) -> str:
    code, at = whole(container.terminated.get("exitCode")), ended_at(container.terminated)
    when = f" at {_clock(at)}" if at else ""
    return (
        f"{container.name} ended{when} (exit code {code})"
        if code is not None
        else (f"{container.name} ended{when}")
    )


def _clock(at: datetime) -> str:
    return f"{at:%H:%M:%S} UTC"


def _manager(job: Object, pods: Sequence[JobPod]) -> Iterator[str]:
    if manager := managed_by(job):
        yield f"managed by {manager}{'' if pods else _elsewhere(job, manager)}"


def _elsewhere(job: Object, manager: str) -> str:
    """Where the pods are of a Job that is managed by another controller, and has none here."""
    if not any(whole(status_of(job).get(name)) for name in _COUNTS):
        return ", which reports no pods so far"
    # It alone is known to have them elsewhere; others may have theirs in another namespace.
    if manager == _MULTIKUEUE:
        return ", pods in another cluster"
    return ", its pods may be in another cluster"


def _pods(pods: Sequence[JobPod]) -> list[str]:
    """What is to be said of pods that have not ended; `[""]` where they just run, none without."""
    open_pods = [subject for subject in pods if not has_ended(subject.pod) and not subject.stopped]
    staying = [subject for subject in open_pods if deleted_at(subject.pod) is None]
    pending = [subject for subject in staying if started_of(subject.pod) is None]
    parts = []
    if pending:
        many = f"{len(pending)} of {len(open_pods)} pods have not started: "
        latest = max(reversed(pending), key=lambda subject: subject.attempt)
        parts.append((many if len(open_pods) > 1 else "") + pending_words(latest))
    elif open_pods and not staying:
        one = len(open_pods) == 1
        parts.append(f"its {'pod is' if one else 'pods are'} being removed")
    parts.append(_restarting_words([item for item in staying if item not in pending]))
    # A sentence begins with a word: the name of a container keeps its small letters.
    alive = next(filter(None, map(kept_alive_words, open_pods)), "")
    parts.append(f"container {alive}" if alive else "")
    return parts if open_pods else []


def _restarting_words(pods: Sequence[JobPod]) -> str:
    """Which pods wait before a container of them is started again."""
    waiting = [subject for subject in pods if any(map(_is_backing_off, subject.containers))]
    if not waiting:
        return ""
    waiting.sort(key=_last_end, reverse=True)
    shown = ", ".join(name_of(subject.pod) for subject in waiting[:_MOST_NAMES])
    rest = len(waiting) - _MOST_NAMES
    more = f" and {rest:,} more" if rest > 0 else ""
    noun, verb = ("pod", "waits") if len(waiting) == 1 else ("pods", "wait")
    return f"{noun} {shown}{more} {verb} before being started again"


def _is_backing_off(container: Container) -> bool:
    is_own = container.role is not ContainerRole.SIDECAR
    return is_own and container.waiting.get("reason") == BACK_OFF


def _last_end(subject: JobPod) -> datetime:
    return max((restart.ending.at for restart in subject.restarts), default=EPOCH)


def _without_pods(
    job: Object, pods: Sequence[JobPod], trouble: str, *, had_pods: bool | None
) -> str:
    spec, status = spec_of(job), status_of(job)
    if whole(spec.get("parallelism")) == 0:
        return "its parallelism is 0, so that no pod is wanted"
    if trouble:
        which = (
            "its next pod could not be created"
            if had_pods
            else "its pods could not be created so far"
        )
        return f"{which}: {trouble}"
    if not lacking_pods(job):
        return ""
    if had_pods is False:
        return "no pod of it has been created yet"
    failed = any(phase_of(item.pod) == "Failed" and not item.stopped for item in pods)
    if failed or whole(status.get("failed")):
        return "waits before its next pod is tried"
    return "its next pod is still to be created"


def pending_words(subject: JobPod) -> str:
    """What a pod that has not started waits for."""
    pod = subject.pod
    name, node = name_of(pod), node_of(pod)
    scheduled = condition_of(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        is_held = scheduled.get("reason") == "SchedulingGated"
        what = "is held by scheduling gates" if is_held else "waits for a node"
        return f"pod {name} {what}: {text(scheduled.get('message'), 300)}"
    if scheduled.get("status") != "True" and not node:
        scheduler = text(spec_of(pod).get("schedulerName"), 100)
        by = f" by {scheduler}" if scheduler not in ("", "default-scheduler") else ""
        return f"pod {name} has not been scheduled yet{by}"
    at = moment(scheduled.get("lastTransitionTime"))
    since = f" since {_clock(at)}" if at else ""
    return f"pod {name} has a node{since}, {_starting(subject)}"


def _starting(subject: JobPod) -> str:
    for container in subject.containers:
        reason = text(container.waiting.get("reason"), 80)
        if reason not in _CREATING:
            message = text(container.waiting.get("message"), 300)
            return f"{container.title}: {reason}{f': {message}' if message else ''}"
    for container in subject.containers:
        if container.role is ContainerRole.INIT and container.is_running:
            return f"{container.title} runs"
        if words := _unready_words(container):
            return words
    return "its containers are being created (images are pulled, volumes mounted)"


def _unready_words(container: Container) -> str:
    """What a native sidecar does that keeps its pod from starting; empty where none does."""
    if not container.is_native or not container.is_unready:
        return ""
    if container.terminated:
        end = end_words(container.terminated)
        return f"{container.title} ended ({end}) and is to be started again"
    if not container.is_running:
        return ""  # it has not begun
    before = f" (it last ended: {end_words(container.last_end)})" if container.last_end else ""
    return f"{container.title} runs and has not passed its startup probe{before}"
