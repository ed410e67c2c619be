"""Comparing a whole target with what is intended, and ordering what has to be written."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Q
from django.utils import timezone

from console.audit import services as audit
from console.chunks import chunks
from console.database.claims import Claim
from console.database.memory import give_back_memory
from console.errors import ExternalError
from console.pages.plural import plural
from quotas.enforcement.models import (
    OPEN_STATES,
    Drift,
    PlacementState,
    RolloutItem,
    RolloutKind,
    TargetState,
    TenantState,
)
from quotas.enforcement.ports import Comparison, ObjectRef
from quotas.enforcement.reconcile.aside import Aside
from quotas.enforcement.reconcile.claims import claimed
from quotas.enforcement.reconcile.classify import Findings, classify_all, note_error
from quotas.enforcement.reconcile.ledger import SWEEPER
from quotas.enforcement.reconcile.losses import loss, lost_words
from quotas.enforcement.reconcile.planning import MANY, plan_target, target_ref
from quotas.enforcement.reconcile.queue import Processed, process_queue
from quotas.enforcement.reconcile.quiet import Intent, QuietTarget
from quotas.enforcement.reconcile.states import save_states, summarize, target_down, target_up
from quotas.enforcement.services.rollouts import create_rollout
from tenants.models import Reader, Target
from tenants.services.unreadable import note_unreadable

log = structlog.get_logger(__name__)

ORPHANS_SHOWN = 200


@dataclass(slots=True)
class Swept:
    """What a sweep found, in numbers of placements, and what it and the queue then settled.
    `again`: objects were made while it observed, whose use nobody has seen yet."""

    placements: int = 0
    changed: int = 0
    due: int = 0
    drifted: int = 0
    healing: int = 0
    reads: int = 0
    milliseconds: int = 0
    recovered: bool = False
    again: bool = False
    processed: Processed = field(default_factory=Processed)


def sweep(target_id: int, *, force: bool = False) -> Swept | None:
    """Observes everything on a target; orders what differs and carries it out at once.

    None when there is nothing to do: disabled, claimed by another worker, resting after a failure,
    or (unless `force`) swept a moment ago.
    """
    target = Target.objects.filter(pk=target_id, enabled=True).first()
    if target is None or not (force or _due(target_id)):
        return None
    with claimed(target_id) as claim:
        if claim is None or not (force or _due(target_id)):
            return None
        swept = _sweep(target, claim, force=force)
        if swept.placements >= MANY:
            give_back_memory()
        swept.again = swept.processed.created
    process_queue(target_id, swept.processed)
    return swept


def _due(target_id: int) -> bool:
    state = TargetState.objects.filter(target_id=target_id).first()
    now = timezone.now()
    if state is None:
        return True
    if state.not_before and state.not_before > now:
        return False
    fresh = now - timedelta(seconds=settings.SWEEP_SECONDS / 2)
    return state.swept_at is None or state.swept_at < fresh


def _sweep(target: Target, claim: Claim, *, force: bool) -> Swept:
    started, now = time.monotonic(), timezone.now()
    intent = Intent.of(target_ref(target), target, now)
    quiet = QuietTarget(target, intent, now)
    swept = Swept(placements=len(intent.placements))
    aside = Aside(target, claim, swept.processed)
    try:
        comparison = Comparison(same=False) if force else aside.run(quiet.compared)
        if comparison.same and claim.lost:
            return swept
        unchanged = comparison.same and not swept.processed.placements and quiet.is_as_it_was()
        if unchanged:
            _save_unchanged(target, swept, comparison, now, started)
            quiet.keep(comparison)
            return swept
        plans, observation = aside.run(
            plan_target,
            target=intent.target,
            placements=intent.placements,
            limits=intent.limits,
            everything=True,
        )
    except ExternalError as error:
        target_down(target.pk, error, timezone.now())
        return swept
    if claim.lost:
        return swept  # somebody else has taken the target over, and sweeps again
    settled = swept.processed.placements
    findings = classify_all(target, plans, observation, now, settled=settled)
    _save(target, findings)
    swept.changed = len(findings.states)
    swept.due = len(findings.due)
    swept.drifted = len(findings.drifts)
    swept.healing = len(findings.heal)
    swept.reads = observation.reads + comparison.reads
    note_unreadable(
        target_id=target.pk,
        reader=Reader.LIMITS,
        objects=observation.unreadable,
        now=now,
        complete=True,
    )
    _save_swept(target, swept, now, started, orphans=_named(observation.orphans))
    if not (findings.is_anything() or settled or observation.unreadable):
        quiet.learn(aside.run(quiet.marked, comparison))
    return swept


def _save_unchanged(
    target: Target, swept: Swept, comparison: Comparison, now: datetime, started: float
) -> None:
    """What the last sweep observed holds on, and was so now."""
    _save(target, Findings(now))
    swept.reads = comparison.reads
    _save_swept(target, swept, now, started)


def _save_swept(
    target: Target, swept: Swept, now: datetime, started: float, **more: object
) -> None:
    swept.milliseconds = round((time.monotonic() - started) * 1000)
    swept.recovered = target_up(target.pk, now)
    TargetState.objects.filter(target=target).update(
        swept_at=now,
        sweep_ms=swept.milliseconds,
        sweep_reads=swept.reads,
        sweep_writes=0,
        **more,
    )


def _named(orphans: Sequence[ObjectRef]) -> list[dict[str, str]]:
    return [
        {"kind": ref.kind, "namespace": ref.namespace, "name": ref.name, "part": ref.part}
        for ref in orphans[:ORPHANS_SHOWN]
    ]


def _save(target: Target, findings: Findings) -> None:
    """One UPDATE says that everything was observed; only what differs is written row by row."""
    now = findings.now
    with transaction.atomic():
        busy = RolloutItem.objects.filter(target=target, state__in=OPEN_STATES)
        # What was pushed to meanwhile has been observed since.
        earlier = Q(observed_at__isnull=True) | Q(observed_at__lt=now)
        rows = PlacementState.objects.filter(earlier, placement__target=target)
        if findings.unobserved:
            rows = rows.exclude(placement_id__in=findings.unobserved[:900])
        rows.exclude(placement_id__in=busy.values("placement_id")).update(observed_at=now)
        _save_findings(target, findings)
        TenantState.objects.filter(
            tenant__placements__target=target, observed_at__isnull=False
        ).update(observed_at=now)
        if findings.unobserved or findings.states:
            summarize(_tenants(findings))


def _save_findings(target: Target, findings: Findings) -> None:
    """Writes what was found. Where that fails, for a reason that is no outage of the database, it
    is written by halves, until the placement that it fails over is alone and said to have."""
    try:
        with transaction.atomic():
            save_states(findings.states)
            _save_drifts(target, findings)
            audit.record_all(findings.entries)
            _order(RolloutKind.DUE, "Limits that changed by time", findings.due, findings.now)
            _order(RolloutKind.REPAIR, "Repair of drift", findings.heal, findings.now)
            _order_lost(target, findings)
        return
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        placements = sorted(findings.placements)
        log.exception("sweep.failed", target=target.slug, placements=len(placements))
        mistake = error
    if len(placements) > 1:
        middle = len(placements) // 2
        for half in (placements[:middle], placements[middle:]):
            _save_findings(target, findings.of(set(half)))
        return
    alone = Findings(findings.now)
    for pk in placements:
        note_error(alone, pk, mistake)
    save_states(alone.states)


def _tenants(findings: Findings) -> set[int]:
    tenants = set(findings.tenants)
    for chunk in chunks(findings.unobserved):
        rows = PlacementState.objects.filter(placement_id__in=chunk)
        tenants.update(rows.values_list("placement__tenant_id", flat=True))
    return tenants


def _save_drifts(target: Target, findings: Findings) -> None:
    fresh = [drift for drift in findings.drifts if _is_new(drift)]
    for drift in fresh:
        drift.target_id = target.pk
    Drift.objects.bulk_create(fresh, batch_size=300, ignore_conflicts=True)
    known = [drift for drift in findings.drifts if not _is_new(drift)]
    Drift.objects.bulk_update(known, ["owner", "changes"], batch_size=300)
    by_outcome: dict[str, list[int]] = defaultdict(list)
    for pk, how in findings.ended.items():
        by_outcome[how].append(pk)
    for how, ids in by_outcome.items():
        for chunk in chunks(ids):
            Drift.objects.filter(placement_id__in=chunk, ended_at__isnull=True).update(
                ended_at=findings.now, outcome=how
            )


def _is_new(drift: Drift) -> bool:
    """Whether it has no row yet; a write that was rolled back says otherwise in its own state."""
    return vars(drift).get("id") is None


def _order_lost(target: Target, findings: Findings) -> None:
    """Writes again what a target lost: told once, as what it is."""
    if not findings.lost:
        return
    audit.record_all([loss(target, findings.lost, findings.now)])
    _order(
        RolloutKind.DUE,
        f"{target.slug} had lost what was written to it",
        findings.lost,
        findings.now,
        reason=lost_words(target, findings.lost),
    )


def _order(
    kind: str,
    title: str,
    placements: list[int],
    now: datetime,
    *,
    reason: str = "Found by comparing the target with what is intended.",
) -> None:
    if not placements:
        return
    number = len(placements)
    rollout = create_rollout(
        kind=kind,
        title=f"{title}: {plural(number, 'placement')}",
        reason=reason,
        actor=SWEEPER,
        placements=placements,
        at=now,
    )
    audit.record(
        actor=SWEEPER,
        action=f"rollout.{kind}",
        object_type="rollout",
        object_id=rollout.pk,
        object_label=rollout.title,
        after={"placements": number},
        reason=rollout.reason,
        at=now,
    )
