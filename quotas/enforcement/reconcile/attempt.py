"""One placement's turn at being written: what was wanted, what came of it, what is left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from quotas.enforcement.models import RolloutItem
from quotas.enforcement.ports import Altered, ApplyResult, Change, FieldChange, ObjectRef
from quotas.enforcement.reconcile.planning import PlacementPlan
from quotas.enforcement.rules import OwnershipSplit


@dataclass(slots=True)
class Attempt:
    """One placement's turn: its item, all that differs, what of it may be written, how it ended."""

    item: RolloutItem
    plan: PlacementPlan
    split: OwnershipSplit
    result: ApplyResult | None = None

    @property
    def error(self) -> Exception | None:
        """What went wrong while writing."""
        return self.result.error if self.result else None

    @property
    def done(self) -> tuple[Change, ...]:
        """The changes that were made."""
        return self.result.done if self.result else ()

    @property
    def altered(self) -> tuple[Altered, ...]:
        """What was written, and stored otherwise."""
        return self.result.altered if self.result else ()

    @property
    def remaining(self) -> tuple[Change, ...]:
        """What differs still: the changes that were not made, and what was stored otherwise."""
        left: dict[ObjectRef, Change | None] = {change.ref: None for change in self.done}
        left |= {entry.left.ref: entry.left for entry in self.altered}
        changes = (left.get(change.ref, change) for change in self.plan.changes)
        return tuple(change for change in changes if change is not None)

    @property
    def as_stored(self) -> tuple[Change, ...]:
        """The changes that were made, as they came out: each field as it is there now."""
        stored = {
            (entry.left.ref, item.path): item.before
            for entry in self.altered
            for item in entry.left.fields
        }
        if not stored:
            return self.done
        return tuple(
            replace(change, fields=fields)
            for change in self.done
            if (fields := _as_stored(change, stored))
        )

    @property
    def lasting(self) -> tuple[Change, ...]:
        """The changes that were made and stored as they were sent."""
        altered = {entry.left.ref for entry in self.altered}
        return tuple(change for change in self.done if change.ref not in altered)


def _as_stored(
    change: Change, stored: Mapping[tuple[ObjectRef, str], str]
) -> tuple[FieldChange, ...]:
    fields = (
        replace(item, after=stored.get((change.ref, item.path), item.after))
        for item in change.fields
    )
    return tuple(item for item in fields if item.before != item.after)
