"""What is said of each kind of failure, and which of them are refusals of a cluster. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from observability.engines.contracts import FailureKind

FAILURE_LABELS: Final[Mapping[FailureKind, str]] = {
    FailureKind.NONE: "None",
    FailureKind.APPLICATION: "The job's own error",
    FailureKind.TIMEOUT: "Timeout",
    FailureKind.DEADLINE: "Deadline exceeded",
    FailureKind.OUT_OF_MEMORY: "Out of memory",
    FailureKind.QUOTA: "Quota",
    FailureKind.LIMIT_RANGE: "LimitRange",
    FailureKind.POD_SECURITY: "Pod Security",
    FailureKind.WEBHOOK: "Admission webhook",
    FailureKind.ADMISSION_POLICY: "Admission policy",
    FailureKind.SERVICE_ACCOUNT: "Service account",
    FailureKind.REFUSED: "Refused by the cluster",
    FailureKind.WORKER_LOST: "Worker lost",
    FailureKind.EVICTED: "Evicted",
    FailureKind.IMAGE: "Image could not be pulled",
    FailureKind.CANCELLED: "Cancelled",
    FailureKind.TERMINATED: "Terminated",
    FailureKind.NON_DETERMINISM: "Non-determinism: the code no longer fits the history",
    FailureKind.INVALID: "Invalid definition",
    FailureKind.OTHER: "Failure",
}
REFUSALS: Final = frozenset(
    {
        FailureKind.QUOTA,
        FailureKind.LIMIT_RANGE,
        FailureKind.POD_SECURITY,
        FailureKind.WEBHOOK,
        FailureKind.ADMISSION_POLICY,
        FailureKind.SERVICE_ACCOUNT,
        FailureKind.REFUSED,
    }
)
"""A cluster would not take a pod of it, one kind for each part of a cluster that refuses."""
