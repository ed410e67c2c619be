"""Placements behind a change: those that exist, and those that are to come."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.conf import settings
from django.db.models import Exists, OuterRef

from console.errors import DomainError
from quotas.enforcement.adapters import registry
from quotas.enforcement.models import ItemState, RolloutItem
from tenants.models import Placement, PlacementQuerySet, Sharing, Target, Tenant

_FEW = 10


def deprovisioned() -> PlacementQuerySet:
    """Placements that were left, and whose last push left nothing there."""
    done = RolloutItem.objects.filter(
        placement=OuterRef("pk"), state=ItemState.DONE, generation__gte=OuterRef("generation")
    )
    return Placement.objects.filter(Exists(done), leaving=True)


def with_tenant_and_target(rows: PlacementQuerySet) -> list[Placement]:
    """The placements with tenant and target, in order."""
    return list(rows.select_related("tenant", "target").order_by("pk"))


def placements_numbered(numbers: Sequence[int], *, field: str = "placements") -> list[Placement]:
    """The placements by number. Raises DomainError naming those that are gone or leaving."""
    placements = with_tenant_and_target(Placement.objects.filter(pk__in=numbers))
    known = {placement.pk for placement in placements if not placement.leaving}
    if missing := [str(number) for number in numbers if number not in known]:
        raise unknown(field, some(missing), "there is no such placement any more")
    return placements


def planned_placement(
    tenant: Tenant, number: int, *, target: str, location: str, sharing: str, fairness_key: str
) -> Placement:
    """An unsaved placement under a number below zero. Raises DomainError when its target is not
    known, its adapter does not take the location, or somebody is there ("taken", 409)."""
    row = Target.objects.filter(slug=target).first()
    if row is None:
        raise unknown("target", target, "there is no such target; check the spelling")
    placement = Placement(
        pk=number,
        tenant=tenant,
        target=row,
        location=location,
        sharing=sharing,
        fairness_key=fairness_key,
    )
    _require_accepted(placement)
    _require_free(placement)
    return placement


def _require_accepted(placement: Placement) -> None:
    if placement.sharing not in Sharing.values:
        known = " or ".join(Sharing.values)
        raise DomainError(
            "invalid",
            f"Sharing: {placement.sharing!r} is not accepted; use {known}.",
            field="sharing",
        )
    target = placement.target
    problems = registry.adapter_for(target.kind).validate(
        location=placement.location,
        sharing=placement.sharing,
        fairness_key=placement.fairness_key,
        target=target.ref(timeout=float(settings.TARGET_TIMEOUT_SECONDS)),
    )
    for name, message in problems.items():
        raise DomainError("invalid", message, field=name)


def same_place(placement: Placement) -> PlacementQuerySet:
    """The placement, whoever's, that is where this one is to go."""
    return Placement.objects.filter(
        target=placement.target,
        location=placement.location,
        fairness_key=placement.fairness_key,
    )


def _require_free(placement: Placement) -> None:
    there = same_place(placement).select_related("tenant")
    # What was left and is empty is forgotten when somebody else comes there.
    if held := there.exclude(pk__in=deprovisioned()).first():
        raise DomainError(
            "taken",
            f"Location: {placement} is {held.tenant}'s already; choose another one.",
            field="location",
            status=409,
        )


def some(names: Iterable[str]) -> str:
    """The first names, and how many more there are."""
    listed = list(names)
    more = f" and {len(listed) - _FEW} more" if len(listed) > _FEW else ""
    return ", ".join(listed[:_FEW]) + more


def unknown(field: str, value: object, remedy: str) -> DomainError:
    """What to say about something that does not exist (any more)."""
    return DomainError(f"unknown_{field}", f"{field.capitalize()}: {value}: {remedy}.", field=field)
