"""A target that lost all that had been written to it at once: one fact, and nobody's edit."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from console.audit import services as audit
from console.audit.models import Entry
from console.pages.plural import plural
from quotas.enforcement import rules
from quotas.enforcement.models import PlacementState
from quotas.enforcement.reconcile.ledger import SWEEPER
from quotas.enforcement.reconcile.planning import PlacementPlan
from tenants.models import DriftPolicy, Target


def lost_placements(
    plans: Mapping[int, PlacementPlan], states: Mapping[int, PlacementState]
) -> set[int]:
    """The placements whose limits are gone, where that is so of everything that had ever been
    written to the target: two at least, as one alone may have been deleted by hand, unless the
    plane can tell these apart. `plans` are of all placements, those too that wait to be pushed to.
    Where a person is to decide on changes by others, that stays so."""
    written = {pk for pk, plan in plans.items() if pk in states and _was_written(plan, states[pk])}
    if not all(_is_gone(plans[pk]) for pk in written):
        return set()
    if len(written) == 1 and not all(plans[pk].observed.reset for pk in written):
        return set()
    return {pk for pk in written if plans[pk].placement.drift_policy != DriftPolicy.HOLD}


def _was_written(plan: PlacementPlan, state: PlacementState) -> bool:
    return bool(state.applied_digest and plan.compiled.objects) and not plan.observed.vacant


def _is_gone(plan: PlacementPlan) -> bool:
    """Temporal tells a limit that somebody took away from one that went with its database. A worker
    of Celery forgets whenever it begins anew: that is no loss."""
    if plan.observed.objects or not plan.changes or plan.placement.kind == "celery":
        return False
    return plan.observed.reset or plan.placement.kind != "temporal"


def lost_words(target: Target, lost: Collection[int]) -> str:
    """What happened, for people."""
    number = plural(len(lost), "placement")
    return (
        f"All that had been written to {target.slug} was gone at once ({number}): its database was"
        " lost or began anew, or somebody deleted everything. It is written again."
    )


def loss(target: Target, lost: Collection[int], now: datetime) -> Entry:
    """The line of the ledger about it."""
    return audit.build(
        actor=SWEEPER,
        action=rules.LOST,
        object_type="target",
        object_id=target.pk,
        object_label=target.slug,
        after={"placements": len(lost)},
        message=lost_words(target, lost),
        at=now,
    )
