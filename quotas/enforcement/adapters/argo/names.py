"""The names that Headroom and Argo Workflows use for limits in a cluster."""

from __future__ import annotations

from typing import Final

from quotas.enforcement.adapters.kubernetes.names import MANAGED_BY, TENANT

FIELD_MANAGER: Final = "headroom-argo"
"""Not the Kubernetes adapter's: one manager that applies two manifests of one Namespace would take
away with each what the other said."""
CONFIG_MAP: Final = "headroom-limits"
"""The ConfigMap in each tenant's namespace that semaphores refer to by key."""
QUOTA: Final = "headroom-argo"
"""The ResourceQuota that lets no new Workflow into a namespace: what no number of Argo's can say.
The Kubernetes adapter, which writes ResourceQuotas too, leaves it alone."""
KEYS: Final = "headroom.dev/limits"
"""Annotation of the ConfigMap: the keys that are ours, separated by commas. Others stay alone."""

PARALLELISM: Final = "argo.parallelism"
SEMAPHORE: Final = "argo.semaphore."
LIMIT_LABEL: Final = "workflows.argoproj.io/parallelism-limit"
PHASE_LABEL: Final = "workflows.argoproj.io/phase"
COMPLETED_LABEL: Final = "workflows.argoproj.io/completed"
LIMIT_PATH: Final = f"metadata.labels[{LIMIT_LABEL}]"
COUNTED: Final = "count/workflows.argoproj.io"
CLOSED_PATH: Final = f"spec.hard[{COUNTED}]"
"""Where `QUOTA` says 0."""
LABELS: Final = frozenset({MANAGED_BY, TENANT, LIMIT_LABEL})

UNLIMITED: Final = 0
"""What the label says for no limit; without a label the controller's own default holds."""
LEAST: Final = 1


def data_path(key: str) -> str:
    """The path of one semaphore's limit."""
    return f"data[{key}]"


def lock_name(namespace: str, key: str) -> str:
    """A semaphore of ours as the controller names it in a Workflow's status."""
    return f"{namespace}/ConfigMap/{CONFIG_MAP}/{key}"
