"""Observing a target while much waits: one observation of all of it serves many batches."""

from __future__ import annotations

import time
from collections.abc import Mapping

from quotas.enforcement.adapters import registry
from quotas.enforcement.ports import Observation, Observed
from quotas.enforcement.reconcile.isolation import observe_isolated
from quotas.enforcement.reconcile.planning import MANY
from quotas.enforcement.selectors.loop import open_placements, placement_refs
from tenants.contracts import PlacementRef, TargetRef
from tenants.models import Target

CACHE_SECONDS = 20
"""How long one observation of a whole target serves the batches that follow it."""


class ObservationCache:
    """Observes a target. While much waits, the whole target at once, for many batches."""

    def __init__(self, target: Target, ref: TargetRef) -> None:
        self.target, self.ref = target, ref
        self.adapter = registry.adapter_for(target.kind)
        self._observed: dict[int, Observed] = {}
        self._until = 0.0

    def observe(self, placements: Mapping[int, PlacementRef]) -> Observation:
        """What is there for these placements now; what is cached is used once, then forgotten."""
        failures: dict[int, str] = {}
        errors: dict[int, Exception] = {}
        if time.monotonic() > self._until:
            self._observed.clear()
        missing = {pk: ref for pk, ref in placements.items() if pk not in self._observed}
        if missing:
            waiting = open_placements(self.target.pk)
            everything = len(waiting) >= MANY
            wanted = placement_refs(self.target, waiting) if everything else missing
            observation = observe_isolated(
                self.adapter,
                target=self.ref,
                placements=list(wanted.values()),
                everything=everything,
            )
            self._until = time.monotonic() + CACHE_SECONDS
            self._observed.update(observation.placements)
            failures.update(observation.failures)
            errors.update(observation.errors)
        observed = {pk: self._observed.pop(pk) for pk in placements if pk in self._observed}
        return Observation(observed, 0, (), failures, errors)
