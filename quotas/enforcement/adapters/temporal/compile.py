"""Limits of one tenant as the limits of one task queue, or of its share of one. Pure.

A dedicated queue gets a rate (0 pauses it). On a shared queue the tenant's fairness key gets a
weight, and weight x base rate is the tenant's own rate. Every known tenant gets a weight, also the
normal one: without it the server would believe the weight that the tenant's own SDK claims.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from quotas.enforcement.adapters.temporal.names import KIND
from quotas.enforcement.ports import Compiled, DesiredObject, ObjectRef, Refusal, Scalar
from quotas.plans.contracts import EffectiveLimits, Unit
from quotas.plans.quantities import humanize
from tenants.adapters.temporal import SharedQueue, namespace, shared_queues, storable
from tenants.contracts import PlacementRef, TargetRef

QUEUE_RATE: Final = "temporal.queue_rate"
TENANT_RATE: Final = "temporal.tenant_rate"
WEIGHT: Final = "temporal.weight"
LEAST_WEIGHT: Final = 1
"""The smallest weight in milli; the server clamps what is below."""
NORMAL_WEIGHT: Final = 1000
LEAK: Final = (
    "The fairness key cannot be stopped fully on a shared queue: about one task per partition may"
    " still start; a dedicated queue can be paused."
)


def compiled(
    limits: EffectiveLimits | None, placement: PlacementRef, target: TargetRef
) -> Compiled:
    """One object: the queue's rate, or the key's weight with the queue's own rates beside it."""
    if placement.leaving:
        return _leaving(placement, target)
    if limits is None:
        return Compiled()
    if placement.sharing == "dedicated":
        return _dedicated(limits, placement, target)
    queue = shared_queues(target).get(placement.location)
    if queue is None:
        return _refused(
            limits,
            "queue_not_declared",
            f"Task queue {placement.location} is not declared as a shared queue of {target.slug}.",
        )
    if target.features.get("fairness") is False:
        return _refused(
            limits,
            "no_fairness",
            "This Temporal server runs without fairness (matching.enableFairness), so one tenant's"
            f" backlog would block all others on the shared queue {queue.name}: switch it on, or"
            " give the tenant a dedicated queue.",
        )
    return _shared(limits, placement, target, queue)


def _leaving(placement: PlacementRef, target: TargetRef) -> Compiled:
    """Nothing of ours; but a queue without a limit runs all that waits in it, so the queue of a
    tenant who may start nothing stays paused. A key on a shared queue cannot stay: a queue holds
    1000 of them."""
    if not placement.stopped:
        return Compiled()
    name = placement.location
    if placement.sharing != "dedicated":
        say = (
            f"What {placement.tenant} still has waiting on the shared queue {name} runs at the base"
            " rate once the tenant's weight is gone: cancel its workflows first."
        )
        return Compiled(warnings=(say,))
    say = f"Task queue {name} stays paused, so that nothing that waits there starts."
    return Compiled((_queue_rate(placement, target, 0, ()),), warnings=(say,))


def _refused(limits: EffectiveLimits, code: str, message: str) -> Compiled:
    keys = [key for key in (TENANT_RATE, WEIGHT) if key in limits.limits] or [""]
    return Compiled(refusals=tuple(Refusal(key, code, message) for key in keys))


def _value(limits: EffectiveLimits, key: str) -> int | None:
    limit = limits.limits.get(key)
    return None if limit is None else limit.value


def rate_text(milli: int | None) -> str:
    """A rate as people read it."""
    return humanize(milli, Unit.MILLI_PER_SECOND)


def weight_text(milli: int) -> str:
    """A weight as people read it."""
    return humanize(milli, Unit.MILLI)


# -- a queue of one's own ------------------------------------------------------------------------


def _dedicated(limits: EffectiveLimits, placement: PlacementRef, target: TargetRef) -> Compiled:
    rates = {
        key: value
        for key in (QUEUE_RATE, TENANT_RATE)
        if (value := _value(limits, key)) is not None
    }
    if limits.suspended:
        rate = 0
    elif rates:
        rate = storable(min(rates.values()))
    else:
        return Compiled()
    warnings = _rounded(min(rates.values()), rate) if rates and not limits.suspended else ()
    return Compiled((_queue_rate(placement, target, rate, rates),), warnings=warnings)


def _queue_rate(
    placement: PlacementRef, target: TargetRef, rate: int, keys: Iterable[str]
) -> DesiredObject:
    return DesiredObject(
        ref=ObjectRef(KIND, namespace(target), placement.location),
        fields={"queue_rate": rate},
        shown={"queue_rate": "paused" if rate == 0 else rate_text(rate)},
        limits=dict.fromkeys(keys, "queue_rate"),
    )


def _rounded(intended: int, rate: int) -> tuple[str, ...]:
    if rate == intended:
        return ()
    return (
        f"Temporal stores rates with limited precision: {rate_text(intended)} becomes"
        f" {rate_text(rate)}.",
    )


# -- a share of a queue --------------------------------------------------------------------------


def _shared(
    limits: EffectiveLimits, placement: PlacementRef, target: TargetRef, queue: SharedQueue
) -> Compiled:
    refusals: list[Refusal] = []
    warnings: list[str] = []
    say = warnings.append
    if queue.base_rate is None:
        weight = _share(limits, queue, refusals)
    else:
        weight = _rate_as_weight(limits, queue, queue.base_rate, refusals, say)
    if limits.suspended:
        weight = LEAST_WEIGHT
        if queue.base_rate is not None:
            say(f"Suspended: {LEAK}")
    fields: dict[str, Scalar] = {"weight": weight}
    shown = {"weight": weight_text(weight)}
    rates = {"base_rate": queue.base_rate, "queue_rate": queue.queue_rate}
    for path, rate in rates.items():
        if rate is not None:
            fields[path] = rate
            shown[path] = rate_text(rate)
    carried = (TENANT_RATE, WEIGHT) if queue.base_rate else (WEIGHT,)
    wanted = DesiredObject(
        ref=ObjectRef(KIND, namespace(target), queue.name, placement.fairness_key),
        fields=fields,
        shown=shown,
        limits={key: "weight" for key in carried if _value(limits, key) is not None},
    )
    return Compiled((wanted,), tuple(refusals), tuple(warnings))


def _share(limits: EffectiveLimits, queue: SharedQueue, refusals: list[Refusal]) -> int:
    """A weight where weights are only shares: rates cannot be said, nor can nothing."""
    nobody = f"Task queue {queue.name} has no base rate, so weights only share it"
    if _value(limits, TENANT_RATE) is not None:
        message = f"{nobody}: no tenant can have a rate of its own there."
        refusals.append(Refusal(TENANT_RATE, "no_base_rate", message))
    if limits.suspended:
        message = f"{nobody}: a suspended tenant's tasks still run when the queue is idle."
        refusals.append(Refusal("", "cannot_suspend", message))
    weight = _value(limits, WEIGHT)
    return NORMAL_WEIGHT if weight is None else storable(max(weight, LEAST_WEIGHT))


def _rate_as_weight(
    limits: EffectiveLimits,
    queue: SharedQueue,
    base: int,
    refusals: list[Refusal],
    say: Callable[[str], None],
) -> int:
    rate, weight = _value(limits, TENANT_RATE), _value(limits, WEIGHT)
    if rate is None:
        if TENANT_RATE in limits.limits:
            message = (
                f"Unlimited cannot be said on the shared queue {queue.name}: every key has the base"
                f" rate {rate_text(base)} times its weight. Give a number, or a dedicated queue."
            )
            refusals.append(Refusal(TENANT_RATE, "unlimited", message))
        return NORMAL_WEIGHT if weight is None else storable(max(weight, LEAST_WEIGHT))
    if weight is not None:
        say(f"{WEIGHT} has no effect on {queue.name}: the rate decides the weight there.")
    exact = storable(round(rate * 1000 / base))
    if exact < LEAST_WEIGHT:
        say(f"{rate_text(rate)}: {LEAK}" if rate == 0 else _least(rate, base))
        return LEAST_WEIGHT
    if exact * base != rate * 1000:
        rounded = round(exact * base / 1000)
        multiple = rate_text(rounded)
        say(f"{rate_text(rate)} is set as {multiple}, the nearest multiple of the base rate.")
    return exact


def _least(rate: int, base: int) -> str:
    least = rate_text(max(1, round(LEAST_WEIGHT * base / 1000)))
    return f"{rate_text(rate)} is less than the least rate on this queue; {least} is set."
