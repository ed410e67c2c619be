"""Looking at a target while much waits: one look serves many batches."""

from __future__ import annotations

import time
from collections.abc import Mapping

from quotas.enforcement.adapters import registry
from quotas.enforcement.ports import Observation, Observed
from quotas.enforcement.selectors.loop import Site, open_placements, sites
from quotas.enforcement.services.planning import MANY
from tenants.contracts import TargetRef
from tenants.models import Target

GLANCE_SECONDS = 20
"""How long one look at a whole target serves the batches that follow it."""


class Eyes:
    """Looks at a target. While much waits, one look at the whole target serves many batches."""

    def __init__(self, target: Target, ref: TargetRef) -> None:
        self.target, self.ref = target, ref
        self.adapter = registry.adapter_for(target.kind)
        self._seen: dict[int, Observed] = {}
        self._until = 0.0

    def look(self, found: Mapping[int, Site]) -> Observation:
        """What is there for these placements now; what was seen is used once, then forgotten."""
        failures: dict[int, str] = {}
        if time.monotonic() > self._until:
            self._seen.clear()
        missing = {pk: site for pk, site in found.items() if pk not in self._seen}
        if missing:
            waiting = open_placements(self.target.pk)
            everything = len(waiting) >= MANY
            wanted = sites(self.target, waiting) if everything else missing
            seen = self.adapter.observe(
                target=self.ref,
                placements=[site.ref for site in wanted.values()],
                everything=everything,
            )
            self._until = time.monotonic() + GLANCE_SECONDS
            self._seen.update(seen.placements)
            failures.update(seen.failures)
        mine = {pk: self._seen.pop(pk) for pk in found if pk in self._seen}
        return Observation(mine, 0, (), failures)
