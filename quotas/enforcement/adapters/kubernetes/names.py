"""The names that Headroom uses in a cluster, and the paths of the fields that it owns."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from console.errors import DomainError
from console.unstructured import mapping
from quotas.plans.contracts import LimitKey
from quotas.plans.limits import parse_key

FIELD_MANAGER: Final = "headroom-kubernetes"
ADOPTER: Final = "headroom-adoption"
"""A second field manager for the mark of adoption: our manifests neither say nor remove it."""

OTHERS: Final = frozenset({("ResourceQuota", "headroom-argo")})
"""Objects with our label that another adapter keeps in the same namespace (see argo/names.py)."""

MANAGED_BY: Final = "app.kubernetes.io/managed-by"
OURS: Final = "headroom"
SELECTOR: Final = f"{MANAGED_BY}={OURS}"
TENANT: Final = "headroom.dev/tenant"
ADOPTED: Final = "headroom.dev/adopted"
TTL: Final = "headroom.dev/ttl-seconds-after-finished"
DEADLINE: Final = "headroom.dev/active-deadline-seconds"
PRIORITY: Final = "headroom.dev/priority-class"
POD_SECURITY: Final = tuple(
    f"pod-security.kubernetes.io/{mode}" for mode in ("enforce", "audit", "warn")
)
LABELS: Final = frozenset({MANAGED_BY, TENANT, *POD_SECURITY})
ANNOTATIONS: Final = frozenset({TTL, DEADLINE, PRIORITY})
EXECUTION: Final = {"ttlSecondsAfterFinished": TTL, "activeDeadlineSeconds": DEADLINE}
"""Field of a Job's spec to the namespace annotation that the admission policy reads."""

NAMESPACED: Final = ("ResourceQuota", "LimitRange", "NetworkPolicy", "RoleBinding")
API: Final = {
    "Namespace": "v1",
    "ConfigMap": "v1",
    "ResourceQuota": "v1",
    "LimitRange": "v1",
    "NetworkPolicy": "networking.k8s.io/v1",
    "RoleBinding": "rbac.authorization.k8s.io/v1",
}
MANAGED_PATH: Final = f"metadata.labels[{MANAGED_BY}]"


@lru_cache(maxsize=4096)
def limit_key(text: str) -> LimitKey | None:
    """The parsed key, or None for what is not in the catalogue; parsed once per process."""
    try:
        return parse_key(text)
    except DomainError:
        return None


def is_ours(metadata: Mapping[str, Any]) -> bool:
    """Whether an object carries our label."""
    return mapping(metadata.get("labels")).get(MANAGED_BY) == OURS
