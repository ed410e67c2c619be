"""What events of several kinds have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from temporalio.api.enums.v1 import RetryState

from console.clients.temporal.payloads import LONGEST_IDENTITY, LONGEST_NAME, seconds, some, text

RETRY_STATES: Final[Mapping[int, str]] = {
    number: name.removeprefix("RETRY_STATE_").lower() for name, number in RetryState.items()
}


def build_of(version: Any) -> str:
    """The build id of a worker's version stamp."""
    return text(version.build_id, LONGEST_IDENTITY)


def retry_policy(policy: Any) -> dict[str, Any]:
    """A retry policy, without what it leaves to the server; intervals in seconds."""
    return some(
        maximum_attempts=policy.maximum_attempts,
        initial_interval=seconds(policy.initial_interval),
        maximum_interval=seconds(policy.maximum_interval),
        coefficient=policy.backoff_coefficient,
        never_for=[text(name, LONGEST_NAME) for name in policy.non_retryable_error_types[:20]],
    )


def priority(holder: Any) -> dict[str, Any]:
    """The priority of a workflow or an activity, without what is not set."""
    priority = holder.priority
    return some(
        fairness_key=text(priority.fairness_key, 64),
        fairness_weight=round(priority.fairness_weight, 6),
        priority_key=priority.priority_key,
    )
