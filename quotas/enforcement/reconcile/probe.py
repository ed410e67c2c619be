"""Reaching out to a target: is it there, how far away, what can it do, what may we not do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.utils import timezone

from console.audit import services as audit
from console.deadline import was_cut_short
from console.errors import ExternalError
from quotas.enforcement.adapters import registry
from quotas.enforcement.models import TargetSample, TargetState
from quotas.enforcement.ports import Health
from quotas.enforcement.reconcile import states
from quotas.enforcement.reconcile.ledger import LOOP
from quotas.enforcement.reconcile.planning import target_ref
from tenants.models import Target

log = structlog.get_logger(__name__)

KEPT = timedelta(hours=24)
UNPREPARED: Final = "Could not be prepared"


@dataclass(frozen=True, slots=True)
class Probed:
    """How a probe ended. `recovered`: the target answers again, so what waited can go on.
    `in_doubt`: the request could not wait, so nothing is known of the target."""

    health: Health | None = None
    error: str = ""
    in_doubt: bool = False
    recovered: bool = False


def probe(target_id: int, *, afresh: bool = False, regular: bool = False) -> Probed | None:
    """Probes one target and notes what was found; None when it is disabled or gone. `afresh` takes
    it for one that was never reached: it is prepared, and everything there looked at again.
    `regular`: nobody waits for the answer, see ports.TargetAdapter.probe."""
    target = Target.objects.filter(pk=target_id, enabled=True).first()
    if target is None:
        return None
    before, _ = TargetState.objects.get_or_create(target=target)
    adapter = registry.adapter_for(target.kind)
    try:
        health = adapter.probe(target=target_ref(target), regular=regular)
    except ExternalError as error:
        if was_cut_short(error):
            # The regular probes give it its whole time, and judge it.
            return Probed(error=error.message, in_doubt=True)
        now = timezone.now()
        states.target_down(target.pk, error, now)
        _note(target.pk, now, None)
        return Probed(error=error.message)
    now = timezone.now()
    TargetState.objects.filter(target=target).update(
        latency_ms=health.latency_ms,
        version=health.version[:60],
        features=dict(health.features),
        missing=list(health.missing),
        warnings=list(health.warnings),
        credential_expires_at=health.credential_expires_at,
    )
    _note(target.pk, now, health.latency_ms)
    recovered = states.target_up(target.pk, now) or afresh
    if recovered or _is_unprepared(before):
        _prepare(target)
    return Probed(health=health, recovered=recovered)


def _is_unprepared(state: TargetState) -> bool:
    return any(str(warning).startswith(UNPREPARED) for warning in state.warnings)


def _prepare(target: Target) -> None:
    """Installs what the target as a whole needs, on first contact and after each outage, until it
    is done."""
    try:
        written = registry.adapter_for(target.kind).prepare(target=target_ref(target))
    except ExternalError as error:
        log.warning("prepare.failed", target=target.slug, error=error.message)
        row = TargetState.objects.get(target=target)
        row.warnings = [*row.warnings, f"{UNPREPARED}: {error.message}"]
        row.save(update_fields=["warnings"])
        return
    if written:
        audit.record(
            actor=LOOP,
            action="target.prepare",
            object_type="target",
            object_id=target.pk,
            object_label=target.slug,
            after={"objects": written},
            reason="Needed before limits can be enforced there.",
        )


def _note(target_id: int, now: datetime, latency_ms: float | None) -> None:
    TargetState.objects.filter(target_id=target_id).update(checked_at=now)
    TargetSample.objects.create(target_id=target_id, at=now, latency_ms=latency_ms)
    TargetSample.objects.filter(target_id=target_id, at__lt=now - KEPT).delete()
