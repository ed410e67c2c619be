"""Whose a namespace is: the samples run only in those that Headroom made."""

from __future__ import annotations

from typing import Any, Final

from kubernetes import client as kube
from kubernetes.client.exceptions import ApiException

LABEL: Final = "headroom.dev/tenant"
FORBIDDEN: Final = 403
NOT_FOUND: Final = 404
CONFLICT: Final = 409


def is_ours(api: Any, slug: str) -> bool:
    """Whether the tenant's namespace carries our label.

    On a cluster of the user's own (DEMO_KUBECONFIG) another namespace may have the same name.
    """
    try:
        namespace: Any = kube.CoreV1Api(api).read_namespace(slug, _request_timeout=10)
    except ApiException as error:
        if error.status == NOT_FOUND:
            return False
        raise
    return bool((namespace.metadata.labels or {}).get(LABEL) == slug)


def create_job(api: Any, slug: str, job: dict[str, Any]) -> bool:
    """Creates a Job in the tenant's namespace. False: the namespace is not ours, the Job is there,
    or the tenant may not have it, being suspended or at its limit."""
    if not is_ours(api, slug):
        return False
    batch: Any = kube.BatchV1Api(api)
    try:
        batch.create_namespaced_job(slug, job, _request_timeout=10)
    except ApiException as error:
        if error.status in (CONFLICT, FORBIDDEN):
            return False
        raise
    return True
