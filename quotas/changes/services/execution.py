"""Writing what a change says, in the caller's transaction: intent, ledger, generations, rollout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from console.audit import services as audit
from console.audit.services import Actor
from quotas.changes import contracts as c
from quotas.changes.selectors.places import emptied, same_place
from quotas.changes.selectors.scope import Scope
from quotas.enforcement.models import Rollout, RolloutKind
from quotas.enforcement.services.rollouts import bump_generations, create_rollout
from quotas.plans.models import Lease, Override, Plan
from quotas.plans.services import adjustments, suspensions
from quotas.plans.services.plans import publish_version
from quotas.plans.services.subscriptions import subscribe, unsubscribe
from tenants import services as tenants
from tenants.models import Placement, Tenant


@dataclass(frozen=True, slots=True)
class Order:
    """Who wants a change carried out, why and when. `said` is what every verb is given."""

    actor: Actor
    reason: str
    at: datetime
    title: str
    source: str

    @property
    def said(self) -> dict[str, Any]:
        """The arguments that all verbs share."""
        return {"actor": self.actor, "reason": self.reason, "at": self.at}


def carry_out(change: c.Change, scope: Scope, order: Order) -> Rollout:
    """Writes the intent of `change` and the rollout that pushes it. Call it in a transaction."""
    placements = _STEPS[type(change)](change, scope, order)
    return create_rollout(
        kind=_KINDS.get(type(change), RolloutKind.CHANGE),
        title=order.title,
        reason=order.reason,
        actor=order.actor,
        placements=placements,
        source=order.source,
        force=isinstance(change, c.TakeOver),
        at=order.at,
    )


_KINDS: dict[type[Any], RolloutKind] = {
    c.Repair: RolloutKind.REPAIR,
    c.TakeOver: RolloutKind.TAKEOVER,
}


def _publish(change: c.PublishPlan, scope: Scope, order: Order) -> Sequence[Placement]:
    if scope.policy is None:
        raise ValueError("a plan version is published with its policy")
    publish_version(
        plan=Plan.objects.get(slug=change.plan),
        base_version=change.base_version,
        limits=change.limits,
        policy=scope.policy,
        **order.said,
    )
    return _new_intent(scope)


def _move(_: c.MovePlan, scope: Scope, order: Order) -> Sequence[Placement]:
    if scope.version is None:
        raise ValueError("tenants are moved to a version that exists")
    subscribe(tenants=scope.tenants, version=scope.version, **order.said)
    return _new_intent(scope)


def _lease(change: c.GrantLease, scope: Scope, order: Order) -> Sequence[Placement]:
    adjustments.grant_lease(
        tenants=scope.tenants,
        key=change.key,
        value=change.value,
        until=change.until,
        **order.said,
    )
    return _new_intent(scope)


def _end_lease(_: c.EndLease, scope: Scope, order: Order) -> Sequence[Placement]:
    if isinstance(scope.row, Lease):
        adjustments.end_lease(lease=scope.row, **order.said)
    return _new_intent(scope)


def _override(change: c.SetOverride, scope: Scope, order: Order) -> Sequence[Placement]:
    adjustments.set_override(
        tenants=scope.tenants, key=change.key, value=change.value, **order.said
    )
    return _new_intent(scope)


def _end_override(_: c.EndOverride, scope: Scope, order: Order) -> Sequence[Placement]:
    if isinstance(scope.row, Override):
        adjustments.end_override(override=scope.row, **order.said)
    return _new_intent(scope)


def _suspend(_: c.Suspend, scope: Scope, order: Order) -> Sequence[Placement]:
    suspensions.suspend(tenants=scope.tenants, **order.said)
    return _new_intent(scope)


def _resume(_: c.Resume, scope: Scope, order: Order) -> Sequence[Placement]:
    suspensions.resume(tenants=scope.tenants, **order.said)
    return _new_intent(scope)


def _place(_: c.Place, scope: Scope, order: Order) -> Sequence[Placement]:
    return _place_all(scope, scope.tenants[0], order)


def _displace(_: c.Displace, scope: Scope, order: Order) -> Sequence[Placement]:
    tenants.leave(placements=scope.placements, actor=order.actor, reason=order.reason)
    return scope.placements


def _onboard(change: c.Onboard, scope: Scope, order: Order) -> Sequence[Placement]:
    tenant = tenants.create_tenant(
        slug=change.slug,
        name=change.name,
        labels=change.labels,
        contact=change.contact,
        group=change.group,
        actor=order.actor,
        reason=order.reason,
    )
    if scope.version is not None:
        subscribe(tenants=[tenant], version=scope.version, **order.said)
    return _place_all(scope, tenant, order)


def _offboard(_: c.Offboard, scope: Scope, order: Order) -> Sequence[Placement]:
    tenants.offboard(tenants=scope.tenants, actor=order.actor, reason=order.reason)
    tenants.leave(placements=scope.placements, actor=order.actor, reason=order.reason)
    unsubscribe(tenants=scope.tenants, **order.said)
    adjustments.end_all(tenants=scope.tenants, **order.said)
    return _new_intent(scope)


def _again(change: c.Repair | c.TakeOver, scope: Scope, order: Order) -> Sequence[Placement]:
    action = "placement.repair" if isinstance(change, c.Repair) else "placement.take_over"
    audit.record_all(
        [
            audit.build(
                actor=order.actor,
                action=action,
                object_type="placement",
                object_id=placement.pk,
                object_label=str(placement),
                tenant=placement.tenant.slug,
                reason=order.reason,
                at=order.at,
            )
            for placement in scope.placements
        ]
    )
    return scope.placements


_STEPS: dict[type[Any], Callable[[Any, Scope, Order], Sequence[Placement]]] = {
    c.PublishPlan: _publish,
    c.MovePlan: _move,
    c.GrantLease: _lease,
    c.EndLease: _end_lease,
    c.SetOverride: _override,
    c.EndOverride: _end_override,
    c.Suspend: _suspend,
    c.Resume: _resume,
    c.Place: _place,
    c.Displace: _displace,
    c.Onboard: _onboard,
    c.Offboard: _offboard,
    c.Repair: _again,
    c.TakeOver: _again,
}


def _new_intent(scope: Scope) -> Sequence[Placement]:
    bump_generations(tenant_ids=[tenant.pk for tenant in scope.tenants])
    return scope.placements


def _place_all(scope: Scope, tenant: Tenant, order: Order) -> Sequence[Placement]:
    for coming in scope.coming:
        # Somebody left this place and it is empty: its row makes room.
        left = emptied().filter(pk__in=same_place(coming)).select_related("tenant", "target")
        tenants.remove_placements(placements=list(left), actor=order.actor, reason=order.reason)
    return [
        tenants.place(
            tenant=tenant,
            target=coming.target,
            location=coming.location,
            sharing=coming.sharing,
            fairness_key=coming.fairness_key,
            actor=order.actor,
            reason=order.reason,
        )
        for coming in scope.coming
    ]
