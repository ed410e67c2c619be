"""Why the pods of a Job were stopped or removed before they had ended. Near-pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from console.unstructured import whole
from observability.engines.kubernetes.indexes import completion_index
from observability.engines.kubernetes.objects import (
    condition_of,
    deleted_at,
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
_SAME: Final = timedelta(seconds=2)
"""Kubernetes' times are whole seconds, and conditions are written a moment after the act."""
_ENDINGS: Final = ("FailureTarget", "SuccessCriteriaMet", "Failed", "Complete")


def stopped_because(job: Object, pod: Object, *, gone_at: datetime | None = None) -> str:
    """Why a pod was stopped by its own Job; empty where it was not, as far as can be told.
    `gone_at`: it is gone since then at the latest, and had not ended when it went."""
    at = deleted_at(pod) or gone_at
    if phase_of(pod) == "Succeeded" or at is None:
        return ""
    return _ending(job, at) or _suspended(job) or _smaller(job, pod, at)


def _ending(job: Object, at: datetime) -> str:
    for kind in _ENDINGS:
        since = true_since(job, kind)
        if not is_true(job, kind) or (since and at < since - _SAME):
            continue
        reason = text(condition_of(job, kind).get("reason"), 80) or kind
        if kind == "SuccessCriteriaMet":
            return f"The Job had succeeded without it: {reason}."
        return f"The Job was ending: {reason}."
    return ""


def _suspended(job: Object) -> str:
    return "The Job was suspended." if spec_of(job).get("suspend") is True else ""


def _smaller(job: Object, pod: Object, at: datetime) -> str:
    """Where somebody lowered parallelism or completions while the Job ran."""
    spec = spec_of(job)
    completions, parallelism = whole(spec.get("completions")), whole(spec.get("parallelism"))
    index = completion_index(pod)
    if index is not None and completions is not None and index >= completions:
        return f"The Job was made smaller: {completions} completions, its index is {index}."
    changed = changed_at(job, "spec", "parallelism")
    edited = (whole(metadata_of(job).get("generation")) or 1) > 1
    if changed is None or not edited or changed < created_of(job, changed):
        return ""
    if changed - _SAME <= at <= changed + _SOON:
        return f"The Job was made smaller: {parallelism} pods at once."
    return ""
