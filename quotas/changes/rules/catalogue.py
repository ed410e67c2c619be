"""The limits that an editor offers. Any other key of quotas.plans.limits may be typed as well."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from quotas.plans.contracts import Group, LimitKey, Unit
from quotas.plans.limits import parse_key

_OFFERED: Final = (
    "requests.cpu", "requests.memory", "limits.cpu", "limits.memory",
    "requests.ephemeral-storage", "limits.ephemeral-storage", "requests.storage",
    "requests.nvidia.com/gpu", "pods", "count/pods", "count/jobs.batch", "count/cronjobs.batch",
    "count/deployments.apps", "count/workflows.argoproj.io", "persistentvolumeclaims", "services",
    "services.loadbalancers", "services.nodeports", "secrets", "configmaps",
    "requests.cpu@PriorityClass=high", "pods@Terminating", "pods@BestEffort",
    "container.defaultRequest.cpu", "container.defaultRequest.memory", "container.default.cpu",
    "container.default.memory", "container.min.cpu", "container.min.memory", "container.max.cpu",
    "container.max.memory", "container.maxLimitRequestRatio.cpu", "pod.max.cpu", "pod.max.memory",
    "pvc.min.storage", "pvc.max.storage",
    "job.ttlSecondsAfterFinished", "job.activeDeadlineSeconds",
    "temporal.queue_rate", "temporal.tenant_rate", "temporal.weight",
    "argo.parallelism", "argo.semaphore.gpu", "celery.queue_rate", "trail.retentionSeconds",
)  # fmt: skip

SECTIONS: Final = {
    Group.QUOTA: "Quota",
    Group.LIMIT_RANGE: "Single objects",
    Group.EXECUTION: "Jobs",
    Group.TEMPORAL: "Temporal",
    Group.ARGO: "Argo Workflows",
    Group.CELERY: "Celery",
    Group.TRAIL: "Job audit trail",
}

EXAMPLES: Final = {
    Unit.MILLICORES: "40 or 500m",
    Unit.BYTES: "96Gi",
    Unit.COUNT: "100",
    Unit.MILLI_PER_SECOND: "20/s",
    Unit.SECONDS: "2h",
    Unit.MILLI: "1.5",
}


@dataclass(frozen=True, slots=True)
class Offer:
    """One key to choose: its section, its name, what it means and what a value looks like."""

    key: str
    section: str
    label: str
    help: str
    example: str


@lru_cache(maxsize=1)
def offers() -> tuple[Offer, ...]:
    """What the picker shows, in sections."""
    return tuple(offer_of(parse_key(text)) for text in _OFFERED)


def offer_of(key: LimitKey) -> Offer:
    """A key as the picker shows it."""
    return Offer(key.key, SECTIONS[key.group], key.label, key.help, EXAMPLES[key.unit])
