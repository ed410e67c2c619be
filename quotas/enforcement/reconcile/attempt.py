"""One placement's turn at being written: what was wanted, what came of it, what is left; and what
is to be written down of a batch of these."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

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


@dataclass(frozen=True, slots=True)
class Settlement:
    """What is to be written down of a batch: its items by placement; of these the attempts; those
    (by item id) whose placement could not be read, and why; and mistakes of ours, by placement."""

    items: Mapping[int, RolloutItem]
    attempts: Mapping[int, Attempt]
    unobserved: Mapping[int, str] = field(default_factory=dict)
    failed: Mapping[int, Exception] = field(default_factory=dict)

    def of(self, placements: Collection[int]) -> Settlement:
        """The part about some placements."""
        items = {pk: self.items[pk] for pk in placements}
        ids = {item.pk for item in items.values()}
        return Settlement(
            items,
            {pk: attempt for pk, attempt in self.attempts.items() if pk in items},
            {pk: why for pk, why in self.unobserved.items() if pk in ids},
            {pk: error for pk, error in self.failed.items() if pk in items},
        )


def _as_stored(
    change: Change, stored: Mapping[tuple[ObjectRef, str], str]
) -> tuple[FieldChange, ...]:
    fields = (
        replace(item, after=stored.get((change.ref, item.path), item.after))
        for item in change.fields
    )
    return tuple(item for item in fields if item.before != item.after)
