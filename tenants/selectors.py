"""What pages read of tenants and targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db.models import Count, Exists, OuterRef, QuerySet

from tenants.models import Reader, Target, Tenant, UnreadableObject

SHOWN: Final = 5
"""So many are named on a page; the others are counted."""


@dataclass(frozen=True, slots=True)
class UnreadableSummary:
    """What a page says: how many there are, and those met last."""

    number: int
    objects: tuple[UnreadableObject, ...]

    @property
    def others(self) -> int:
        """How many are not named."""
        return self.number - len(self.objects)


def unreadable_on(target: Target) -> UnreadableSummary | None:
    """What cannot be read on a target; None when everything can."""
    return _summary(target.unreadable_objects.select_related("tenant"))


def unreadable_of(tenant: Tenant) -> UnreadableSummary | None:
    """What cannot be read of a tenant, over all targets; None when everything can."""
    return _summary(tenant.unreadable_objects.select_related("target"))


def _summary(rows: QuerySet[UnreadableObject]) -> UnreadableSummary | None:
    # Both readers meet one object: it is one thing to mend.
    of_jobs = UnreadableObject.objects.filter(
        **{name: OuterRef(name) for name in ("target", "kind", "location", "name")},
        reader=Reader.JOBS,
    )
    rows = rows.exclude(Exists(of_jobs), reader=Reader.LIMITS)
    last = tuple(rows.order_by("-last_at", "-pk")[:SHOWN])
    if not last:
        return None
    return UnreadableSummary(rows.count() if len(last) == SHOWN else len(last), last)


def unreadable_by_target() -> dict[tuple[str, str], int]:
    """How much cannot be read, by target's slug and reader; of all tenants."""
    rows = Target.objects.filter(unreadable_objects__isnull=False)
    counted = rows.values_list("slug", "unreadable_objects__reader").annotate(number=Count("pk"))
    return {(slug, reader): number for slug, reader, number in counted.order_by()}
