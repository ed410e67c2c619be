"""How often a Job was tried: pods that came for one another, indexes, containers that were started
again. Pods side by side are not tries of one another. Near-pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from console.unstructured import whole
from observability.engines.kubernetes.containers import ContainerRole, containers_of
from observability.engines.kubernetes.indexes import FAILURES, completion_index
from observability.engines.kubernetes.objects import is_true, phase_of, spec_of, status_of
from observability.engines.unstructured import (
    Object,
    annotations_of,
    metadata_of,
    name_of,
    text,
    uid_of,
)


def is_indexed(job: Object) -> bool:
    """Whether each pod of a Job works on an index of its own."""
    return spec_of(job).get("completionMode") == "Indexed"


def is_wide(job: Object) -> bool:
    """Whether a Job without indexes may have several pods at once, or one after the other."""
    spec = spec_of(job)
    widest = max(whole(spec.get("parallelism")) or 1, whole(spec.get("completions")) or 1)
    return widest > 1 and not is_indexed(job)


def ranks_of(
    job: Object, pods: Sequence[Object], stopped: Collection[str], lost: Collection[str]
) -> dict[str, int]:
    """Which try each pod is, by uid: of its index, or of the Job; 0 where pods stand side by side
    without indexes. `stopped` are the uids of pods that their own Job stopped, `lost` of those that
    went before they had ended."""
    ranks: dict[str, int] = {}
    tries: dict[int | None, int] = defaultdict(int)
    wide = is_wide(job)
    for pod in sorted(pods, key=_age):
        uid, index = uid_of(pod), completion_index(pod)
        before = whole(annotations_of(pod).get(FAILURES))
        if wide and index is None:
            ranks[uid] = 0
            continue
        tries[index] = max(tries[index], min(max(before or 0, 0), 10**6))
        ranks[uid] = tries[index] + 1
        if uid not in stopped and (phase_of(pod) == "Failed" or uid in lost):
            tries[index] += 1
    return ranks


def _age(pod: Object) -> tuple[str, str]:
    return text(metadata_of(pod).get("creationTimestamp")), name_of(pod)


def restarts_in(pod: Object, template: Object) -> int:
    """How often the job's own containers were started again inside a pod."""
    counts = [
        item.restarts
        for item in containers_of(pod, template)
        if item.role is not ContainerRole.SIDECAR
    ]
    return max(counts, default=0)


def attempt_count(
    job: Object,
    template: Object,
    pods: Sequence[Object],
    ranks: Mapping[str, int],
    stopped: Collection[str],
) -> int | None:
    """Tries of the Job, or of that index which was tried most; None when nothing is known of
    them."""
    again = {uid_of(pod): restarts_in(pod, template) for pod in pods}
    tried = max((ranks[uid] + again[uid] for uid in again if ranks[uid]), default=0)
    if is_indexed(job):
        return tried or None
    own = [phase_of(pod) for pod in pods if uid_of(pod) not in stopped]
    failed, gave_up = _failures(job, own), is_true(job, "Failed")
    goes_on = any(phase != "Failed" for phase in own) and not (gave_up and failed)
    restarts = max(again.values(), default=0) if is_wide(job) else sum(again.values())
    return max(tried, failed + goes_on + restarts) or None


def _failures(job: Object, own: Sequence[str]) -> int:
    """Pods that failed by themselves: `own` are the phases of those that nobody stopped."""
    failed = own.count("Failed")
    counted = whole(status_of(job).get("failed")) or 0
    # A Job that gave up counts what it stopped, too: so many were not tried one after the other.
    if not is_true(job, "Failed") or not (own or is_wide(job)):
        return max(failed, counted)
    return failed
