"""Limits of one tenant as the rate of its queue. Pure.

Celery limits rates per worker and task type. So a queue's rate is divided by the number of workers
that consume this queue and nothing else, and each task type gets it: several types together may
start that many times more, which is said. A worker that consumes other queues too would slow these
down as well: then the rate is refused. Nothing at all is always possible: the workers stop
consuming the queue.
"""

from __future__ import annotations

from typing import Final

from quotas.enforcement.adapters.celery.consumers import probed_workers
from quotas.enforcement.ports import Compiled, DesiredObject, ObjectRef, Refusal
from quotas.plans.contracts import EffectiveLimits, Unit
from quotas.plans.quantities import humanize
from tenants.adapters.celery import app_name
from tenants.contracts import PlacementRef, TargetRef

KIND: Final = "Queue"
RATE: Final = "celery.queue_rate"
FIELD: Final = "queue_rate"


def rate_text(milli: int) -> str:
    """A rate as people read it."""
    return "paused" if milli == 0 else humanize(milli, Unit.MILLI_PER_SECOND)


def ref_of(target: TargetRef, queue: str) -> ObjectRef:
    """The one object of a placement."""
    return ObjectRef(KIND, app_name(target), queue)


def compiled(
    limits: EffectiveLimits | None, placement: PlacementRef, target: TargetRef
) -> Compiled:
    """One object, the queue with its rate (0: nobody consumes it), or nothing where it is free."""
    if placement.leaving:
        if not placement.stopped:
            return Compiled()
        say = f"Queue {placement.location} stays paused, so that nothing that waits there starts."
        return Compiled((_wanted(placement, target, 0, limited=False),), warnings=(say,))
    if limits is None:
        return Compiled()
    limit = limits.limits.get(RATE)
    rate = None if limit is None else limit.value
    if limits.suspended or rate == 0:
        return Compiled((_wanted(placement, target, 0, limited=rate is not None),))
    if rate is None:
        return Compiled()
    members = probed_workers(target, placement.location)
    if members.shared:
        others = ", ".join(sorted(members.other_queues))
        why = (
            f"{', '.join(sorted(members.shared))} consumes {others} beside {placement.location},"
            " and Celery's rate limits count per worker and task type: this tenant's rate would"
            " slow the others down. Give the queue workers of its own."
        )
        return Compiled(refusals=(Refusal(RATE, "shared_worker", why),))
    return Compiled((_wanted(placement, target, rate, limited=True),))


def _wanted(
    placement: PlacementRef, target: TargetRef, rate: int, *, limited: bool
) -> DesiredObject:
    return DesiredObject(
        ref=ref_of(target, placement.location),
        fields={FIELD: rate},
        shown={FIELD: rate_text(rate)},
        limits={RATE: FIELD} if limited else {},
    )
