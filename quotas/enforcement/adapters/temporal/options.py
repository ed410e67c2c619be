"""What a Temporal target says about itself: its namespace and its shared queues. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tenants.contracts import TargetRef

KIND: Final = "TaskQueue"
OURS: Final = "headroom"
"""How the identity begins that is written with each change."""
LEAST_WEIGHT: Final = 1
"""The smallest weight in milli; the server clamps what is below."""
NORMAL_WEIGHT: Final = 1000


@dataclass(frozen=True, slots=True)
class SharedQueue:
    """A task queue of many tenants, in milli-requests/s: `base_rate` is what weight 1 means (None:
    weights are only shares), `queue_rate` the most for all together (None: no limit)."""

    name: str
    base_rate: int | None = None
    queue_rate: int | None = None


def namespace(target: TargetRef) -> str:
    """The Temporal namespace of a target."""
    return str(target.options.get("namespace") or "default")


def shared_queues(target: TargetRef) -> dict[str, SharedQueue]:
    """The shared queues that are declared on a target, by name."""
    declared = target.options.get("queues") or {}
    return {name: _queue(name, rates or {}) for name, rates in declared.items()}


def _queue(name: str, rates: Mapping[str, Any]) -> SharedQueue:
    base, limit = rates.get("base_rate"), rates.get("queue_rate")
    # Temporal reads a base rate of 0 as unlimited: no base rate says the same without a trap.
    return SharedQueue(name, int(base) if base else None, None if limit is None else int(limit))


def storable(milli: int) -> int:
    """The nearest rate or weight that survives the server's 32-bit float: thousandths up to about
    8,388, whole ones above."""
    return milli if milli <= 2**23 else round(milli / 1000) * 1000
