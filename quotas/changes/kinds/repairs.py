"""Changes of no intent: what is intended already is written again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from console.access.contracts import Permission
from console.audit import services as audit
from console.pages.plural import plural
from quotas.changes.kinds.change import ApplyContext, ProposedChange
from quotas.changes.rules.fields import Numbers
from quotas.changes.selectors.places import placements_numbered
from quotas.changes.selectors.scope import ChangeScope
from quotas.enforcement.models import RolloutKind
from quotas.plans.contracts import TenantHistory
from tenants.models import Placement


@dataclass(frozen=True, slots=True)
class Repair(ProposedChange):
    """Writes the intent again where it drifted or failed. No intent changes."""

    permission: ClassVar = Permission.OPERATE
    rollout_kind: ClassVar = RolloutKind.REPAIR
    undoes_edits: ClassVar = True

    placements: Numbers

    def title(self) -> str:
        return f"Repair {plural(len(self.placements), 'placement')}"

    def scope(self, _: datetime, /) -> ChangeScope:
        return _scope_of_placements(self.placements)

    def concerns(self, _: TenantHistory, /) -> bool:
        return False

    def carry_out(self, scope: ChangeScope, context: ApplyContext) -> Sequence[Placement]:
        _record("placement.repair", scope, context)
        return scope.placements


@dataclass(frozen=True, slots=True)
class TakeOver(ProposedChange):
    """Takes the fields of these placements over from their other owners. No intent changes."""

    permission: ClassVar = Permission.OPERATE
    rollout_kind: ClassVar = RolloutKind.TAKEOVER
    takes_over: ClassVar = True

    placements: Numbers

    def title(self) -> str:
        return f"Take over {plural(len(self.placements), 'placement')}"

    def scope(self, _: datetime, /) -> ChangeScope:
        return _scope_of_placements(self.placements)

    def concerns(self, _: TenantHistory, /) -> bool:
        return False

    def carry_out(self, scope: ChangeScope, context: ApplyContext) -> Sequence[Placement]:
        _record("placement.take_over", scope, context)
        return scope.placements


def _scope_of_placements(numbers: Sequence[int]) -> ChangeScope:
    placements = placements_numbered(numbers)
    owners = {placement.tenant_id: placement.tenant for placement in placements}
    return ChangeScope(tenants=list(owners.values()), placements=placements)


def _record(action: str, scope: ChangeScope, context: ApplyContext) -> None:
    audit.record_all(
        [
            audit.build(
                actor=context.actor,
                action=action,
                object_type="placement",
                object_id=placement.pk,
                object_label=str(placement),
                tenant=placement.tenant.slug,
                reason=context.reason,
                at=context.at,
            )
            for placement in scope.placements
        ]
    )
