"""Changes of where a tenant is placed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from quotas.changes.kinds.change import ApplyContext, ProposedChange
from quotas.changes.rules.fields import Name, Number, SharingName, Text
from quotas.changes.rules.titles import DELETES
from quotas.changes.selectors.places import (
    deprovisioned,
    placements_numbered,
    planned_placement,
    same_place,
)
from quotas.changes.selectors.scope import ChangeScope, tenants_named
from quotas.plans.contracts import TenantHistory
from tenants.models import Placement, Tenant
from tenants.services import governance as tenants


@dataclass(frozen=True, slots=True)
class Place(ProposedChange):
    """Puts a tenant on a target: creates what is needed there."""

    tenant: Name
    target: Name
    location: Name
    sharing: SharingName = "dedicated"
    fairness_key: Text = ""

    def title(self) -> str:
        key = f" as {self.fairness_key}" if self.fairness_key else ""
        return f"Place {self.tenant} on {self.target} at {self.location}{key}"

    def scope(self, _: datetime, /) -> ChangeScope:
        (tenant,) = tenants_named([self.tenant], field="tenant")
        return ChangeScope(tenants=[tenant], planned=[self.planned(tenant, -1)])

    def planned(self, tenant: Tenant, number: int) -> Placement:
        """The placement as it will be, unsaved, under a number below zero."""
        return planned_placement(
            tenant,
            number,
            target=self.target,
            location=self.location,
            sharing=self.sharing,
            fairness_key=self.fairness_key,
        )

    def concerns(self, history: TenantHistory, /) -> bool:
        return history.slug == self.tenant

    def carry_out(self, scope: ChangeScope, context: ApplyContext) -> Sequence[Placement]:
        return place_all(scope, scope.tenants[0], context)


@dataclass(frozen=True, slots=True)
class Displace(ProposedChange):
    """Removes a placement: deletes what carries our label there."""

    removes: ClassVar = True

    placement: Number

    def title(self) -> str:
        return f"Remove placement {self.placement}"

    def scope(self, _: datetime, /) -> ChangeScope:
        (placement,) = placements_numbered([self.placement], field="placement")
        return ChangeScope(
            tenants=[placement.tenant],
            placements=[placement],
            leaving=frozenset({placement.pk}),
            confirm=placement.tenant.slug,
            warnings=(DELETES,),
        )

    def concerns(self, _: TenantHistory, /) -> bool:
        return False

    def carry_out(self, scope: ChangeScope, context: ApplyContext) -> Sequence[Placement]:
        tenants.leave(placements=scope.placements, actor=context.actor, reason=context.reason)
        return scope.placements


def place_all(scope: ChangeScope, tenant: Tenant, context: ApplyContext) -> Sequence[Placement]:
    """Makes the planned placements of a scope."""
    for planned in scope.planned:
        # Somebody left this place and it is empty: its row makes room.
        left = deprovisioned().filter(pk__in=same_place(planned)).select_related("tenant", "target")
        tenants.remove_placements(placements=list(left), actor=context.actor, reason=context.reason)
    return [
        tenants.place(
            tenant=tenant,
            target=planned.target,
            location=planned.location,
            sharing=planned.sharing,
            fairness_key=planned.fairness_key,
            actor=context.actor,
            reason=context.reason,
        )
        for planned in scope.planned
    ]
