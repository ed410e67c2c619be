"""What Temporal stores is compared with what it was sent, by its own answer."""

from __future__ import annotations

from typing import Any, cast

from console.clients.contracts import QueueConfig, QueueKind, RateLimit
from console.clients.temporal.client import TemporalClient
from quotas.enforcement.adapters.temporal import apply
from quotas.enforcement.adapters.temporal.names import KIND
from quotas.enforcement.ports import (
    ApplyResult,
    Change,
    DesiredObject,
    FieldChange,
    ObjectRef,
    Operation,
    PlacementChanges,
    Scalar,
)
from tenants.adapters.temporal import SharedQueue
from tenants.contracts import PlacementRef


class ServerOfItsOwnMind:
    """Stores a part of what it is sent, and answers so."""

    def __init__(self, stored: QueueConfig) -> None:
        self.stored = stored

    def update_queue(self, *_: Any, **__: Any) -> QueueConfig:
        return self.stored

    def queue_config(self, _: str) -> QueueConfig:
        return self.stored


def pushed(stored: QueueConfig, key: str, fields: dict[str, Scalar]) -> ApplyResult:
    """What comes of sending these fields of queue `jobs` to a server that stores `stored`."""
    ref = ObjectRef(KIND, "default", "jobs", key)
    changes = tuple(FieldChange(path, "", str(value)) for path, value in fields.items())
    change = Change(Operation.CREATE, ref, changes, DesiredObject(ref, fields))
    sharing = "shared" if key else "dedicated"
    placement = PlacementRef(1, "acme", "lab", "temporal", "jobs", sharing, key)
    results: list[ApplyResult] = []
    apply.run(
        cast(TemporalClient, ServerOfItsOwnMind(stored)),
        [PlacementChanges(placement, (change,))],
        {"jobs": SharedQueue("jobs")} if key else {},
        concurrency=1,
        on_result=results.append,
    )
    return results[0]


def test_a_rate_that_the_server_stored_lower_is_told() -> None:
    stored = QueueConfig("jobs", QueueKind.ACTIVITY, RateLimit(8_000, identity="headroom:alice"))
    result = pushed(stored, "", {"queue_rate": 20_000})
    (altered,) = result.altered
    assert result.error is None
    assert [(item.path, item.before, item.after) for item in altered.left.fields] == [
        ("queue_rate", "8/s", "20000")
    ]


def test_a_weight_that_the_server_stored_otherwise_is_told() -> None:
    stored = QueueConfig("jobs", QueueKind.ACTIVITY, weights={"acme": 1_000_000})
    (altered,) = pushed(stored, "acme", {"weight": 5_000_000}).altered
    assert altered.stored.fields["weight"] == 1_000_000


def test_what_is_stored_as_it_was_sent_is_no_news() -> None:
    stored = QueueConfig("jobs", QueueKind.ACTIVITY, RateLimit(20_000, identity="headroom:alice"))
    assert pushed(stored, "", {"queue_rate": 20_000}).altered == ()
