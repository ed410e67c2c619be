"""A target that lost all that had been written to it at once: one fact, and nobody's edit."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from console.audit import services as audit
from console.audit.models import Entry
from console.pages.plural import plural
from quotas.enforcement import rules
from quotas.enforcement.diff import digest
from quotas.enforcement.models import PlacementState
from quotas.enforcement.reconcile.ledger import SWEEPER
from quotas.enforcement.reconcile.planning import PlacementPlan
from tenants.models import Target


def lost_placements(
    plans: Mapping[int, PlacementPlan], states: Mapping[int, PlacementState]
) -> set[int]:
    """The placements whose limits are gone, where that is so of everything that had been written
    to the target: two at least, as one alone may have been deleted by hand."""
    written = {pk for pk, plan in plans.items() if pk in states and _was_written(plan, states[pk])}
    gone = {pk for pk in written if plans[pk].changes and not plans[pk].observed.objects}
    return gone if len(gone) > 1 and gone == written else set()


def _was_written(plan: PlacementPlan, state: PlacementState) -> bool:
    if not plan.compiled.objects or plan.observed.vacant:
        return False
    return state.applied_digest == digest(plan.compiled.objects)


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
