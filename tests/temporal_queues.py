"""Limits of task queues in tests, set by somebody other than Headroom."""

from __future__ import annotations

from typing import Any

from console.clients.contracts import QueueConfig
from console.clients.temporal.client import TemporalClient
from tests.waiting import until


def update_and_see(client: TemporalClient, queue: str, **changes: Any) -> QueueConfig:
    """Change a task queue; what it enforces once its partitions have heard of it.

    The server answers an update when it is stored, and a look right after may still find what was.
    """
    stored = client.update_queue(queue, **changes)

    def seen() -> list[QueueConfig]:
        config = client.queue_config(queue)
        return [config] if _limits(config) == _limits(stored) else []

    return until(seen, f"{queue} never showed what was stored: {stored}")[0]


def _limits(config: QueueConfig) -> tuple[object, ...]:
    return config.queue_rate.milli, config.key_default.milli, config.weights
