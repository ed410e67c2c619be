"""Whose run it is. Pure.

What its starter declared counts first, where such a tenant exists; else the placement that it runs
in. In a namespace of a cluster it is the other way round: it is a wall, and a label is written by
whoever is inside, so that a tenant could otherwise show runs among another's. A run that neither
names is unattributed: it is shown as such, never dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from observability.engines.contracts import TenantSource
from tenants.contracts import PlacementRef

Place = tuple[str, str]
"""Location and fairness key; the key is empty on a dedicated one."""


def places_of(location: str, queue: str, fairness_key: str) -> tuple[Place, ...]:
    """Where a run may be placed, the narrowest first: its queue is narrower than its location."""
    keys = dict.fromkeys((fairness_key, ""))
    return tuple((name, key) for key in keys for name in (queue, location) if name)


@dataclass(frozen=True, slots=True)
class Attributed:
    """Whose it is (None: unknown) and how that is known."""

    tenant_id: int | None = None
    source: TenantSource = TenantSource.NONE


@dataclass(frozen=True, slots=True)
class Owners:
    """Ids of tenants by slug and by place on one target."""

    by_slug: Mapping[str, int]
    by_place: Mapping[Place, int]
    place_first: bool = False

    @classmethod
    def of(
        cls,
        placements: Iterable[PlacementRef],
        tenants: Mapping[str, int],
        *,
        place_first: bool = False,
    ) -> Owners:
        """From the target's placements and every tenant's id by slug."""
        places = {
            (placement.location, placement.fairness_key): tenants[placement.tenant]
            for placement in placements
            if placement.tenant in tenants
        }
        return cls(tenants, places, place_first)

    def declared(self, slug: str) -> int | None:
        """The tenant that a starter named, where there is such a one."""
        return self.by_slug.get(slug) if slug else None

    def placed(self, *, location: str, queue: str, fairness_key: str) -> int | None:
        """The tenant in whose place something runs: of its queue first, which is narrower."""
        places = places_of(location, queue, fairness_key)
        return next((self.by_place[place] for place in places if place in self.by_place), None)

    def attribute(
        self, declared: int | None, *, location: str, queue: str, fairness_key: str
    ) -> Attributed:
        """Whose run it is; `declared` is what `declared()` gave."""
        placed = self.placed(location=location, queue=queue, fairness_key=fairness_key)
        if placed is not None and (self.place_first or declared is None):
            return Attributed(placed, TenantSource.PLACEMENT)
        if declared is not None:
            return Attributed(declared, TenantSource.DECLARED)
        return Attributed()
