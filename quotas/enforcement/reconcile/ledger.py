"""The ledger's lines about what somebody else wrote: found, healed, taken over."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from console.audit import services as audit
from console.audit.models import Entry
from console.audit.services import Actor
from quotas.enforcement import rules
from quotas.enforcement.models import RolloutItem
from quotas.enforcement.ports import Change
from tenants.contracts import PlacementRef

UNNAMED = "somebody whom the target does not name"
LOOP = Actor.loop("reconcile")
SWEEPER = Actor.loop("sweep")


def found(ref: PlacementRef, changes: Collection[Change], now: datetime) -> Entry:
    """Somebody changed what we had written, and it stays so until a person decides."""
    return audit.build(
        actor=SWEEPER,
        action="drift.found",
        object_type="placement",
        object_id=ref.id,
        object_label=f"{ref.target}/{ref.location}",
        tenant=ref.tenant,
        before=_sides(changes, "after"),
        after=_sides(changes, "before"),
        message=f"Changed by {rules.changed_by(ref.kind, changes) or UNNAMED}.",
        at=now,
    )


def written_back(
    ref: PlacementRef, changes: Collection[Change], item: RolloutItem, now: datetime
) -> Entry:
    """We wrote fields back (or, where a person said so, took them over): whose they were."""
    owner = rules.changed_by(ref.kind, changes)
    rollout = item.rollout
    return audit.build(
        actor=LOOP,
        action="fields.takeover" if item.force else "drift.heal",
        object_type="placement",
        object_id=ref.id,
        object_label=f"{ref.target}/{ref.location}",
        tenant=ref.tenant,
        before=_sides(changes, "before"),
        after=_sides(changes, "after"),
        reason=rollout.reason or rollout.title,
        message=f"Last written by {owner or UNNAMED}. Rollout {rollout.pk} by {rollout.actor}.",
        at=now,
    )


def _sides(changes: Iterable[Change], side: str) -> dict[str, str]:
    return {
        f"{change.ref} {item.path}": getattr(item, side)
        for change in changes
        for item in change.fields
    }
