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


def fault_in(options: Mapping[str, Any]) -> str:
    """What is wrong with the options of a Temporal target; empty when nothing is."""
    kept = options.get("retention_seconds", 0)
    if isinstance(kept, bool) or not isinstance(kept, int) or kept < 0:
        return f"retention_seconds: {kept!r} is not accepted; use whole seconds."
    declared = options.get("queues") or {}
    if not isinstance(declared, Mapping):
        return "queues: use a mapping of queue names to base_rate and queue_rate."
    faults = ((name, _fault_in_rates(rates or {})) for name, rates in declared.items())
    return next((f"Queue {name}: {fault}" for name, fault in faults if fault), "")


def _fault_in_rates(rates: Any) -> str:
    if not isinstance(rates, Mapping) or rates.keys() - {"base_rate", "queue_rate"}:
        return "it has base_rate and queue_rate, in milli-requests/s, and nothing else."
    for name, rate in rates.items():
        if rate is None:
            continue
        if isinstance(rate, bool) or not isinstance(rate, int) or rate < 0:
            return f"{name} {rate!r} is not accepted; use milli-requests/s, 10000 for 10/s."
        if storable(rate) != rate:
            return f"{name} {rate} cannot be stored exactly there; use whole requests/s."
    if rates.get("base_rate") == 0:
        return "Temporal takes a base rate of 0 for unlimited; leave it out if weights only share."
    return ""
