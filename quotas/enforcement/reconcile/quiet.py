"""Whether a target is as this process has left it last, and so is what is intended there.

Comparing thousands of placements only to see that nothing has happened is most of what Headroom
would do at rest. Where a plane can tell for little that it is unchanged, a comparison that differed
in nothing holds on, as long as all that went into it is the same: the target's settings, each
placement, each tenant's limits at this moment, and the rows that it led to. Now and then everything
is compared all the same.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from console.errors import ExternalError
from quotas.enforcement.adapters import registry
from quotas.enforcement.models import (
    OPEN_STATES,
    Condition,
    Drift,
    PlacementState,
    RolloutItem,
    TargetState,
)
from quotas.enforcement.ports import Comparison, TellsChanges
from quotas.enforcement.selectors.loop import current_limits, placement_refs
from quotas.plans.contracts import EffectiveLimits
from tenants.contracts import PlacementRef, TargetRef
from tenants.models import Target

FULL_SECONDS: Final = 600.0
"""After so long everything is compared, whatever a plane says."""
_AT_REST: Final = (Condition.SYNCED, Condition.SUSPENDED)
_ANY_TIME: Final = datetime.min.replace(tzinfo=UTC)
_NOT_ASKED: Final = Comparison(same=False)

log = structlog.get_logger(__name__)

Limits = dict[int, EffectiveLimits | None]


@dataclass(frozen=True, slots=True)
class Intent:
    """All that a sweep compares a target with: its settings, its placements by id, and the limits
    that are in force by tenant id."""

    target: TargetRef
    placements: Mapping[int, PlacementRef]
    limits: Limits

    @staticmethod
    def of(target: TargetRef, row: Target, now: datetime) -> Intent:
        """What is intended on a target now."""
        placements = placement_refs(row)
        limits = current_limits({ref.tenant_id for ref in placements.values()}, now)
        return Intent(target, placements, limits)

    def is_like(self, other: Intent) -> bool:
        """Whether the two are the same but for the moment that they are of."""
        return (
            self.target == other.target
            and self.placements == other.placements
            and _timeless(self.limits) == _timeless(other.limits)
        )

    @property
    def locations(self) -> list[str]:
        """Where the placements are, each once."""
        return sorted({ref.location for ref in self.placements.values()})


def _timeless(limits: Limits) -> Limits:
    return {pk: of and replace(of, at=_ANY_TIME) for pk, of in limits.items()}


@dataclass(frozen=True, slots=True)
class RestingTarget:
    """A target as a sweep of this process has left it: nothing differed. `swept_at` is what it
    wrote down then, `full_at` when everything was compared last (time.monotonic). `mark` is the
    plane's own for then; None: it was not asked yet, or cannot tell.

    `settled`: the plane said that it was unchanged, and everything was compared after that. Right
    after a change some servers answer now with what is, now with what was: a mark could be of the
    one, and what was compared of the other.
    """

    intent: Intent
    swept_at: datetime
    full_at: float
    mark: Any
    settled: bool


_known: dict[int, RestingTarget] = {}
"""By target id; of this process alone."""


class QuietTarget:
    """What one sweep may take over from the one before. To be used by whoever holds the target."""

    def __init__(self, target: Target, intent: Intent, now: datetime) -> None:
        self._target, self._intent, self._now = target, intent, now
        self._adapter = registry.adapter_for(target.kind)
        # Until this sweep has ended well, nothing is known.
        self._known = _known.pop(target.pk, None)

    def compared(self) -> Comparison:
        """What the plane says about itself; reads no rows. Raises ExternalError.

        Only where nothing differed before: where something always moves, asking first would only
        add to the work.
        """
        return _NOT_ASKED if self._known is None else self._ask(self._known.mark)

    def marked(self, comparison: Comparison) -> Comparison:
        """Its mark, asked for where it has none: for the sweep after one that differed in
        nothing."""
        if comparison.mark is not None:
            return comparison
        try:
            return self._ask(None)
        except ExternalError:
            return _NOT_ASKED  # the next sweep says so

    def _ask(self, since: Any) -> Comparison:
        if not isinstance(self._adapter, TellsChanges):
            return _NOT_ASKED
        target, locations = self._intent.target, self._intent.locations
        try:
            return self._adapter.compared(target=target, locations=locations, since=since)
        except ExternalError:
            raise
        except Exception:
            log.exception("compare.failed", target=target.slug)
            return _NOT_ASKED

    def is_as_it_was(self) -> bool:
        """Whether all that is ours is as it was, and nobody else has swept since."""
        known = self._known
        return (
            known is not None
            and known.settled
            and time.monotonic() < known.full_at + FULL_SECONDS
            and known.intent.is_like(self._intent)
            and _swept_at(self._target) == known.swept_at
            and is_at_rest(self._target)
        )

    def keep(self, comparison: Comparison) -> None:
        """What is known holds on: the sweep has written down that it was so."""
        if self._known is not None:
            _known[self._target.pk] = replace(
                self._known, intent=self._intent, swept_at=self._now, mark=comparison.mark
            )

    def learn(self, comparison: Comparison) -> None:
        """Everything was compared, after `comparison` where the plane said that it was the same,
        and nothing differed."""
        if is_at_rest(self._target):
            _known[self._target.pk] = RestingTarget(
                intent=self._intent,
                swept_at=self._now,
                full_at=time.monotonic(),
                mark=comparison.mark,
                settled=comparison.same,
            )


def forget() -> None:
    """Nothing is known of any target."""
    _known.clear()


def is_at_rest(target: Target) -> bool:
    """Nothing waits to be pushed, and nothing is otherwise than it should be."""
    states = PlacementState.objects.filter(placement__target=target)
    return not (
        RolloutItem.objects.filter(target=target, state__in=OPEN_STATES).exists()
        or Drift.objects.filter(target=target, ended_at__isnull=True).exists()
        or states.exclude(condition__in=_AT_REST).exists()
    )


def _swept_at(target: Target) -> datetime | None:
    rows = TargetState.objects.filter(target=target)
    return rows.values_list("swept_at", flat=True).first()
