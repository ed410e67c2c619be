"""Edits that are no change of limits and still concern the planes: the loop hears of them at once.

Each writes its rows, its entry in the ledger and what pushes it in one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import F

from console import celery
from console.audit.services import Actor
from console.errors import DomainError
from quotas.enforcement.adapters import registry
from quotas.enforcement.models import Condition, PlacementState, Rollout, RolloutKind, TargetState
from quotas.enforcement.services.rollouts import create_rollout
from tenants.models import DriftPolicy, Placement, Target, Tenant
from tenants.services import governance as tenants

PROBE_TASK = "quotas.enforcement.tasks.probe_target"
_WHERE = frozenset({"endpoint", "credential"})


@transaction.atomic
def edit_tenant(
    *,
    tenant: Tenant,
    expected_generation: int,
    actor: Actor,
    reason: str,
    at: datetime,
    **fields: Any,
) -> Rollout | None:
    """Changes a tenant's texts, as `governance.update_tenant`. A new group is written to the
    tenant's placements: the rollout that does so, None where there is nothing to push."""
    group = Tenant.objects.values_list("group", flat=True).get(pk=tenant.pk)
    tenants.update_tenant(
        tenant=tenant, expected_generation=expected_generation, actor=actor, reason=reason, **fields
    )
    staying = tenant.placements.filter(leaving=False)
    placements = list(staying)
    if tenant.group == group or not placements:
        return None
    staying.update(generation=F("generation") + 1)
    return create_rollout(
        kind=RolloutKind.CHANGE,
        title=f"Group of {tenant.slug}: {tenant.group or 'none'}",
        reason=reason.strip(),
        actor=actor,
        placements=placements,
        at=at,
    )


@transaction.atomic
def add_target(*, actor: Actor, reason: str, **fields: Any) -> Target:
    """A new target, as `governance.create_target`; it is probed and prepared at once."""
    target = tenants.create_target(actor=actor, reason=reason, **fields)
    _require_valid_options(target.kind, target.options)
    _probe_afresh(target)
    return target


@transaction.atomic
def edit_target(
    *, target: Target, expected_generation: int, actor: Actor, reason: str, **fields: Any
) -> Target:
    """Changes a target's settings, as `governance.update_target`. What was known of it is in
    doubt then: it is probed, prepared, swept and written to at once, also if it was resting."""
    before = Target.objects.get(pk=target.pk)
    if isinstance(options := fields.get("options"), Mapping):
        _require_valid_options(target.kind, options)
    tenants.update_target(
        target=target, expected_generation=expected_generation, actor=actor, reason=reason, **fields
    )
    if target.generation == before.generation:
        return target
    unknown: dict[str, Any] = {"checked_at": None, "failures": 0, "not_before": None}
    if any(getattr(before, name) != getattr(target, name) for name in _WHERE):
        unknown |= {"features": {}}  # it may be another server
    state = TargetState.objects.filter(target=target)
    state.update(condition=Condition.UNKNOWN, message="", **unknown)
    _probe_afresh(target)
    return target


@transaction.atomic
def edit_drift_policy(
    *, placement: Placement, policy: str, actor: Actor, reason: str, at: datetime
) -> Rollout | None:
    """Says what to do about drift at a placement ("" follows its target). Where drift was held and
    shall be healed now, the rollout that does so; else None."""
    changed = tenants.set_drift_policy(
        placement=placement, policy=policy, actor=actor, reason=reason
    )
    drifted = PlacementState.objects.filter(placement=placement, condition=Condition.DRIFTED)
    heals = placement.effective_drift_policy == DriftPolicy.HEAL
    if not (changed and heals and drifted.exists()):
        return None
    return create_rollout(
        kind=RolloutKind.REPAIR,
        title=f"Repair of drift: {placement}",
        reason=reason.strip(),
        actor=actor,
        placements=[placement],
        at=at,
    )


def _require_valid_options(kind: str, options: Mapping[str, Any]) -> None:
    """Options that its adapter cannot read would stop everything there. Undoes the edit."""
    if error := registry.adapter_for(kind).options_error(options):
        raise DomainError("invalid", f"Options: {error}", field="options")


def _probe_afresh(target: Target) -> None:
    """Without a broker the next tick does it: what was never checked is due."""
    if target.enabled:
        transaction.on_commit(partial(celery.enqueue, PROBE_TASK, target.pk, afresh=True))
