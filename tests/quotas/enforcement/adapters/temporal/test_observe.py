"""One queue that cannot be read, and its neighbours."""

from __future__ import annotations

from typing import cast

import pytest

from console.clients.contracts import QueueConfig, QueueKind, QueueStats, RateLimit, RequestCounter
from console.clients.temporal.client import TemporalClient
from console.clients.temporal.connection import UNDECODABLE
from console.errors import Refused, Unreachable
from quotas.enforcement.adapters.temporal.observe import observe
from quotas.enforcement.ports import Observation
from tenants.contracts import PlacementRef


class Queues:
    """A client of whose queues one raises something."""

    namespace = "default"

    def __init__(self, *, config: Exception | None = None, stats: Exception | None = None) -> None:
        self._config, self._stats, self.counter = config, stats, RequestCounter()

    def queue_config(self, queue: str) -> QueueConfig:
        if self._config is not None and queue == "odd":
            raise self._config
        rate = RateLimit(5000, "why", "headroom", None)
        none = RateLimit(None, "", "", None)
        return QueueConfig(queue, QueueKind.ACTIVITY, rate, none, {}, None, "")

    def queue_stats(self, queue: str, kind: QueueKind = QueueKind.ACTIVITY) -> QueueStats:
        if self._stats is not None and queue == "odd":
            raise self._stats
        return QueueStats(queue, kind, 0, 0.0, 0.0, 2.0, False, ())

    def partitions(self, _: str) -> int:
        return 1


PLACEMENTS = [
    PlacementRef(number, tenant, "jobs", "temporal", queue)
    for number, (tenant, queue) in enumerate((("acme", "odd"), ("globex", "plain")), 1)
]


def observed(client: Queues) -> Observation:
    return observe(cast("TemporalClient", client), PLACEMENTS, everything=False, concurrency=2)


def test_a_mistake_of_ours_with_one_queue_is_that_placements_alone() -> None:
    mistake = ValueError("cannot convert float NaN to integer")
    observation = observed(Queues(config=mistake))
    assert (set(observation.placements), dict(observation.errors)) == ({2}, {1: mistake})


def test_a_refusal_is_that_placements_failure() -> None:
    observation = observed(Queues(config=Refused("no")))
    assert (set(observation.placements), dict(observation.failures)) == ({2}, {1: "no"})


def test_workers_that_cannot_be_decoded_leave_the_limit_and_are_said() -> None:
    observation = observed(Queues(stats=Refused("a field of another type", code=UNDECODABLE)))
    assert set(observation.placements) == {1, 2}
    assert observation.placements[1].objects[0].fields == {"queue_rate": 5000}
    assert [usage.used for usage in observation.placements[1].usage] == [None, None]
    assert [(item.location, item.problem) for item in observation.unreadable] == [
        ("odd", "a field of another type")
    ]


def test_a_server_that_is_away_is_the_targets_trouble() -> None:
    with pytest.raises(Unreachable):
        observed(Queues(config=Unreachable("away")))


def test_a_queue_that_nobody_ever_limited_was_begun_anew_and_one_that_was_is_not() -> None:
    class Without(Queues):
        def queue_config(self, queue: str) -> QueueConfig:
            who = "headroom" if queue == "odd" else ""
            rate, none = RateLimit(None, "", who, None), RateLimit(None, "", "", None)
            return QueueConfig(queue, QueueKind.ACTIVITY, rate, none, {}, None, "")

    observation = observed(Without())
    assert [observation.placements[number].reset for number in (1, 2)] == [False, True]
