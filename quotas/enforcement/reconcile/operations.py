"""What operators trigger by a click: test a connection, sweep now, settle a group of items."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from console.audit import services as audit
from console.audit.models import Outcome
from console.audit.services import Actor
from console.celery import enqueue
from console.pages.plural import plural
from quotas.enforcement.models import Rollout
from quotas.enforcement.reconcile.probe import Probed, probe
from quotas.enforcement.services.rollouts import QUEUE_TASK, give_up_items, retry_items
from tenants.models import Target

SWEEP_TASK = "quotas.enforcement.tasks.sweep_target"


@dataclass(frozen=True, slots=True)
class ConnectionReport:
    """What a connection test gave. `missing` are permissions in the plane's own words."""

    summary: str
    ok: bool = False
    missing: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def test_connection(*, target: Target, actor: Actor, now: datetime) -> ConnectionReport:
    """Reaches out once, in this request; the answer is also the target's new state."""
    probed = probe(target.pk)
    report = _report(target, probed)
    audit.record(
        actor=actor,
        action="target.test",
        object_type="target",
        object_id=target.pk,
        object_label=target.slug,
        outcome=Outcome.DONE if report.ok else Outcome.FAILED,
        message=report.summary,
        reason="Connection test",
        at=now,
    )
    if probed is not None and probed.recovered:
        enqueue(QUEUE_TASK, target.pk)
        enqueue(SWEEP_TASK, target.pk, force=True)
    return report


def _report(target: Target, probed: Probed | None) -> ConnectionReport:
    if probed is None:
        return ConnectionReport(f"{target.slug} is disabled: it is neither read nor written.")
    if probed.in_doubt:
        return ConnectionReport(
            f"{target.slug} did not answer while this page could wait ({probed.error}). It may be "
            f"only slow: the regular checks give it up to {settings.TARGET_TIMEOUT_SECONDS} s."
        )
    if probed.health is None:
        return ConnectionReport(f"{target.slug} cannot be used: {probed.error}")
    health = probed.health
    answer = f"{target.slug} answers in {health.latency_ms:.0f} ms, version {health.version}"
    if not health.missing:
        return ConnectionReport(
            f"{answer}; nothing is missing.", ok=True, warnings=tuple(health.warnings)
        )
    lacks = plural(len(health.missing), "permission is", "permissions are")
    return ConnectionReport(
        f"{answer}, but {lacks} missing.", missing=health.missing, warnings=health.warnings
    )


def sweep_now(*, target: Target, actor: Actor) -> bool:
    """Asks a worker for a look at the whole target; False when the broker is away (the look then
    comes with the next regular sweep)."""
    audit.record(
        actor=actor,
        action="target.sync",
        object_type="target",
        object_id=target.pk,
        object_label=target.slug,
        reason="Sync now",
    )
    return enqueue(SWEEP_TASK, target.pk, force=True)


def settle_group(
    *,
    rollout: Rollout,
    items: Collection[int],
    action: str,
    reason: str,
    actor: Actor,
    now: datetime,
) -> str:
    """Retries items, takes their fields over, or gives them up; says what was done."""
    if action == "give_up":
        number = give_up_items(rollout=rollout, items=items, actor=actor, reason=reason, at=now)
        return f"{_placements(number)} given up."
    force = action == "take_over"
    number = retry_items(
        rollout=rollout, items=items, actor=actor, reason=reason, at=now, force=force
    )
    return f"{_placements(number)} tried again{', taking the fields over' if force else ''}."


def _placements(number: int) -> str:
    return plural(number, "placement is", "placements are")
