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
class ApplyContext:
    """Who wants a change carried out, why and when. `arguments` are what every verb is given."""

    actor: Actor
    reason: str
    at: datetime
    title: str
    source: str

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments that all verbs share."""
        return {"actor": self.actor, "reason": self.reason, "at": self.at}


def carry_out(change: c.Change, scope: Scope, context: ApplyContext) -> Rollout:
    """Writes the intent of `change` and the rollout that pushes it. Call it in a transaction."""
    placements = _STEPS[type(change)](change, scope, context)
    return create_rollout(
        kind=_KINDS.get(type(change), RolloutKind.CHANGE),
        title=context.title,
        reason=context.reason,
        actor=context.actor,
        placements=placements,
        source=context.source,
        force=isinstance(change, c.TakeOver),
        at=context.at,
    )


_KINDS: dict[type[Any], RolloutKind] = {
    c.Repair: RolloutKind.REPAIR,
    c.TakeOver: RolloutKind.TAKEOVER,
}


def _publish(change: c.PublishPlan, scope: Scope, context: ApplyContext) -> Sequence[Placement]:
    if scope.policy is None:
        raise ValueError("a plan version is published with its policy")
    publish_version(
        plan=Plan.objects.get(slug=change.plan),
        base_version=change.base_version,
        limits=change.limits,
        policy=scope.policy,
        **context.arguments,
    )
    return _new_intent(scope)


def _move(_: c.MovePlan, scope: Scope, context: ApplyContext) -> Sequence[Placement]:
    if scope.version is None:
        raise ValueError("tenants are moved to a version that exists")
    subscribe(tenants=scope.tenants, version=scope.version, **context.arguments)
    return _new_intent(scope)


def _lease(change: c.GrantLease, scope: Scope, context: ApplyContext) -> Sequence[Placement]:
    adjustments.grant_lease(
        tenants=scope.tenants,
        key=change.key,
        value=change.value,
        until=change.until,
        **context.arguments,
    )
    return _new_intent(scope)


def _end_lease(_: c.EndLease, scope: Scope, context: ApplyContext) -> Sequence[Placement]:
    if isinstance(scope.row, Lease):
        adjustments.end_lease(lease=scope.row, **context.arguments)
    return _new_intent(scope)


def _override(change: c.SetOverride, scope: Scope, context: ApplyContext) -> Sequence[Placement]:
    adjustments.set_override(
        tenants=scope.tenants, key=change.key, value=change.value, **context.arguments
    )
    return _new_intent(scope)


def _end_override(_: c.EndOverride, scope: Scope, context: ApplyContext) -> Sequence[Placement]:
    if isinstance(scope.row, Override):
        adjustments.end_override(override=scope.row, **context.arguments)
    return _new_intent(scope)


def _suspend(_: c.Suspend, scope: Scope, context: ApplyContext) -> Sequence[Placement]:
    suspensions.suspend(tenants=scope.tenants, **context.arguments)
    return _new_intent(scope)


def _resume(_: c.Resume, scope: Scope, context: ApplyContext) -> Sequence[Placement]:
    suspensions.resume(tenants=scope.tenants, **context.arguments)
    return _new_intent(scope)


def _place(_: c.Place, scope: Scope, context: ApplyContext) -> Sequence[Placement]:
    return _place_all(scope, scope.tenants[0], context)


def _displace(_: c.Displace, scope: Scope, context: ApplyContext) -> Sequence[Placement]:
    tenants.leave(placements=scope.placements, actor=context.actor, reason=context.reason)
    return scope.placements


def _onboard(change: c.Onboard, scope: Scope, context: ApplyContext) -> Sequence[Placement]:
    tenant = tenants.create_tenant(
        slug=change.slug,
        name=change.name,
        labels=change.labels,
        contact=change.contact,
        group=change.group,
        actor=context.actor,
        reason=context.reason,
    )
    if scope.version is not None:
        subscribe(tenants=[tenant], version=scope.version, **context.arguments)
    return _place_all(scope, tenant, context)


def _offboard(_: c.Offboard, scope: Scope, context: ApplyContext) -> Sequence[Placement]:
    tenants.offboard(tenants=scope.tenants, actor=context.actor, reason=context.reason)
    tenants.leave(placements=scope.placements, actor=context.actor, reason=context.reason)
    unsubscribe(tenants=scope.tenants, **context.arguments)
    adjustments.end_all(tenants=scope.tenants, **context.arguments)
    return _new_intent(scope)


def _again(
    change: c.Repair | c.TakeOver, scope: Scope, context: ApplyContext
) -> Sequence[Placement]:
    action = "placement.repair" if isinstance(change, c.Repair) else "placement.take_over"
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
    return scope.placements


_STEPS: dict[type[Any], Callable[[Any, Scope, ApplyContext], Sequence[Placement]]] = {
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


def _place_all(scope: Scope, tenant: Tenant, context: ApplyContext) -> Sequence[Placement]:
    for planned in scope.planned:
        # Somebody left this place and it is empty: its row makes room.
        left = emptied().filter(pk__in=same_place(planned)).select_related("tenant", "target")
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
