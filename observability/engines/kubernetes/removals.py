"""Why the pods of a Job were stopped or removed before they had ended. Near-pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from console.pages.plural import plural
from console.unstructured import mapping, whole
from observability.engines.deletion import deleted_at
from observability.engines.kubernetes.endings import SAME, ended_by_itself, ending_of
from observability.engines.kubernetes.indexes import completion_index
from observability.engines.kubernetes.objects import (
    condition_of,
    is_true,
    phase_of,
    spec_of,
    true_since,
)
from observability.engines.unstructured import (
    Object,
    changed_at,
    created_of,
    metadata_of,
    text,
)

_SOON: Final = timedelta(seconds=60)
"""How long after a Job was made smaller its controller still removes pods for that."""
_ENDINGS: Final = ("FailureTarget", "SuccessCriteriaMet", "Failed", "Complete")


def stopped_because(job: Object, pod: Object, *, gone_at: datetime | None = None) -> str:
    """Why a pod was stopped by its own Job; empty where it was not, as far as can be told.
    `gone_at`: it is gone since then at the latest, and had not ended when it went."""
    at = deleted_at(pod) or gone_at
    if phase_of(pod) == "Succeeded" or at is None or _is_disrupted(pod, at):
        return ""
    ending = ending_of(pod, mapping(spec_of(job).get("template")))
    ended_at = ending.at if ending else None
    if ending and ended_by_itself(ending.at, ending.code, at):
        return ""  # the Job, or somebody, tidied up what had ended by itself
    return _ending(job, at, ended_at) or _suspended(job, at) or _smaller(job, pod, at)


def _is_disrupted(pod: Object, at: datetime) -> bool:
    """Whether the cluster took a pod away, and not only once it was being stopped."""
    since = true_since(pod, "DisruptionTarget")
    return is_true(pod, "DisruptionTarget") and (since is None or since <= at + SAME)


def _ending(job: Object, at: datetime, ended_at: datetime | None) -> str:
    for kind in _ENDINGS:
        since = true_since(job, kind)
        if not is_true(job, kind) or (since and at < since - SAME):
            continue
        if since and ended_at and ended_at < since:
            continue  # why the Job ended, not what its end did
        reason = text(condition_of(job, kind).get("reason"), 80) or kind
        if kind == "SuccessCriteriaMet":
            return f"The Job had succeeded without it: {reason}."
        return f"The Job was ending: {reason}."
    return ""


def _suspended(job: Object, at: datetime) -> str:
    if spec_of(job).get("suspend") is not True:
        return ""
    # The controller removes the pods first. The writer's time is that of its last write of
    # anything: not before the act, but maybe long after it.
    times = (true_since(job, "Suspended"), changed_at(job, "spec", "suspend"))
    since = min((time for time in times if time), default=None)
    return "" if since and at < since - SAME else "The Job was suspended."


def _smaller(job: Object, pod: Object, at: datetime) -> str:
    """Where somebody lowered parallelism or completions while the Job ran."""
    spec = spec_of(job)
    completions, parallelism = whole(spec.get("completions")), whole(spec.get("parallelism", 1))
    index = completion_index(pod)
    if index is not None and completions is not None and index >= completions:
        return f"The Job was made smaller: {completions} completions, its index is {index}."
    changed = changed_at(job, "spec", "parallelism")
    edited = (whole(metadata_of(job).get("generation")) or 1) > 1
    if parallelism is None or not edited or changed is None or changed < created_of(job, changed):
        return ""
    if changed - SAME <= at <= changed + _SOON:
        return f"The Job was made smaller: {plural(parallelism, 'pod')} at once."
    return ""
