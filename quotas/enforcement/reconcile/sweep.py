"""Comparing a whole target with what is intended, and ordering what has to be written."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from console.audit import services as audit
from console.audit.models import Entry
from console.audit.services import Actor
from console.errors import ExternalError
from quotas.enforcement import rules
from quotas.enforcement.diff import digest
from quotas.enforcement.models import (
    Condition,
    Drift,
    PlacementState,
    RolloutItem,
    RolloutKind,
    TargetState,
    TenantState,
)
from quotas.enforcement.ports import Observation
from quotas.enforcement.reconcile import outcome, record
from quotas.enforcement.reconcile.claims import claimed
from quotas.enforcement.reconcile.drain import Drained, drain
from quotas.enforcement.selectors.loop import chunks, current_limits, open_placements, sites
from quotas.enforcement.services.planning import Prospect, look, target_ref
from quotas.enforcement.services.rollouts import create_rollout
from tenants.models import DriftPolicy, Target

SWEEPER = Actor.loop("sweep")
WAR_WINDOW = timedelta(minutes=10)
WAR_TIMES = 3
"""A field that was healed so often within the window is somebody's: a person has to decide."""
ORPHANS_SHOWN = 200


@dataclass(slots=True)
class Swept:
    """What a sweep found, in numbers of placements, and what the drain after it did."""

    placements: int = 0
    changed: int = 0
    due: int = 0
    drifted: int = 0
    healing: int = 0
    reads: int = 0
    milliseconds: int = 0
    recovered: bool = False
    drained: Drained = field(default_factory=Drained)


@dataclass(slots=True)
class _Findings:
    now: datetime
    states: list[PlacementState] = field(default_factory=list)
    tenants: set[int] = field(default_factory=set)
    due: list[int] = field(default_factory=list)
    heal: list[int] = field(default_factory=list)
    drifts: list[Drift] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    ended: dict[int, str] = field(default_factory=dict)
    unseen: list[int] = field(default_factory=list)


def sweep(target_id: int, *, force: bool = False) -> Swept | None:
    """Looks at everything on a target; orders what differs and carries it out at once.

    None when there is nothing to do: disabled, claimed by another worker, resting after a failure,
    or (unless `force`) swept a moment ago.
    """
    target = Target.objects.filter(pk=target_id, enabled=True).first()
    if target is None or not (force or _due(target_id)):
        return None
    with claimed(target_id) as claim:
        if claim is None or not (force or _due(target_id)):
            return None
        swept = _sweep(target)
    swept.drained = drain(target_id)
    return swept


def _due(target_id: int) -> bool:
    state = TargetState.objects.get(target_id=target_id)
    now = timezone.now()
    if state.not_before and state.not_before > now:
        return False
    fresh = now - timedelta(seconds=settings.SWEEP_SECONDS / 2)
    return state.swept_at is None or state.swept_at < fresh


def _sweep(target: Target) -> Swept:
    started, now = time.monotonic(), timezone.now()
    found = sites(target)
    limits = current_limits({site.tenant_id for site in found.values()}, now)
    ref = target_ref(target)
    try:
        prospects, seen = look(target=target, ref=ref, found=found, limits=limits, everything=True)
    except ExternalError as error:
        record.target_down(target.pk, error, now)
        return Swept(placements=len(found))
    findings = _judge_all(target, prospects, seen, now)
    _save(target, findings)
    swept = Swept(
        placements=len(found),
        changed=len(findings.states),
        due=len(findings.due),
        drifted=len(findings.drifts),
        healing=len(findings.heal),
        reads=seen.reads,
        milliseconds=round((time.monotonic() - started) * 1000),
        recovered=record.target_up(target.pk, now),
    )
    TargetState.objects.filter(target=target).update(
        swept_at=now,
        sweep_ms=swept.milliseconds,
        sweep_reads=swept.reads,
        sweep_writes=0,
        orphans=[
            {"kind": ref.kind, "namespace": ref.namespace, "name": ref.name, "part": ref.part}
            for ref in seen.orphans[:ORPHANS_SHOWN]
        ],
    )
    return swept


def _judge_all(
    target: Target, prospects: Mapping[int, Prospect], seen: Observation, now: datetime
) -> _Findings:
    findings = _Findings(now)
    # Read after the look: what was ordered meanwhile is the drain's to settle.
    busy = open_placements(target.pk)
    states = record.load_states(target)
    open_drifts = {
        drift.placement_id: drift
        for drift in Drift.objects.filter(target=target, ended_at__isnull=True)
    }
    wars = _wars(target, now)
    for pk, prospect in prospects.items():
        if pk in busy:
            continue
        state = states.get(pk) or PlacementState(placement_id=pk)
        before = _content(state)
        _judge(findings, prospect, state, open_drifts.get(pk), wars.get(pk, Counter()))
        if state._state.adding or before != _content(state):
            state.observed_at = now
            findings.states.append(state)
            findings.tenants.add(prospect.site.tenant_id)
    for pk, why in seen.failures.items():
        if pk in busy or pk not in states:
            continue
        findings.unseen.append(pk)
        if states[pk].condition != Condition.UNREACHABLE:
            record.set_condition(states[pk], Condition.UNREACHABLE, now, message=why)
            findings.states.append(states[pk])
    return findings


def _content(state: PlacementState) -> tuple[Any, ...]:
    return (
        state.condition, state.code, state.message, state.applied_digest, state.limits,
        state.differences, state.owners, state.refusals, state.warnings, state.foreign,
        state.observed_generation,
    )  # fmt: skip


def _wars(target: Target, now: datetime) -> dict[int, Counter[str]]:
    """How often each field was healed of late, by placement."""
    healed: dict[int, Counter[str]] = defaultdict(Counter)
    rows = Drift.objects.filter(target=target, found_at__gte=now - WAR_WINDOW, outcome="healed")
    for pk, changes in rows.values_list("placement_id", "changes"):
        healed[pk].update(rules.contested(changes))
    return healed


def _judge(
    findings: _Findings,
    prospect: Prospect,
    state: PlacementState,
    drift: Drift | None,
    healed: Counter[str],
) -> None:
    outcome.fill_observed(state, prospect, applied=False)
    if not prospect.changes:
        _judge_equal(findings, prospect, state, drift)
        return
    differences = rules.changes_json(prospect.changes)
    stuck = state.condition in (Condition.CONFLICT, Condition.REFUSED)
    if stuck and state.differences == differences:
        return  # a person has to decide; trying again would end the same way
    if state.applied_digest != digest(prospect.compiled.objects):
        findings.due.append(state.placement_id)
        return
    state.differences = differences
    _judge_drift(findings, prospect, state, drift, healed)


def _judge_equal(
    findings: _Findings, prospect: Prospect, state: PlacementState, drift: Drift | None
) -> None:
    if not state.applied_digest or state.condition not in (Condition.SYNCED, Condition.SUSPENDED):
        wanted = digest(prospect.compiled.objects)
        if drift is not None:
            same = state.applied_digest == wanted
            findings.ended[state.placement_id] = "reverted" if same else "accepted"
        state.applied_digest = wanted
    state.differences, state.owners = [], {}
    state.observed_generation = prospect.site.ref.generation
    condition, code, message = outcome.settled_condition(prospect)
    record.set_condition(state, condition, findings.now, code=code, message=message)


def _judge_drift(
    findings: _Findings,
    prospect: Prospect,
    state: PlacementState,
    drift: Drift | None,
    healed: Counter[str],
) -> None:
    now, site = findings.now, prospect.site
    owner = rules.owner_of(prospect.changes)
    leave = rules.leave_to_write(
        prospect.changes,
        prospect.observed,
        force=False,
        over_edits=site.drift_policy == DriftPolicy.HEAL,
    )
    war = [name for name in rules.contested(state.differences) if healed[name] >= WAR_TIMES]
    if drift is None:
        drift = Drift(
            placement_id=state.placement_id,
            tenant_id=site.tenant_id,
            target_id=0,
            found_at=now,
        )
        if not leave.changes or war or site.drift_policy == DriftPolicy.HOLD:
            findings.entries.append(_found_entry(prospect, owner, now))
    drift.owner, drift.changes = owner, state.differences
    findings.drifts.append(drift)
    who = f" by {owner}" if owner else ""
    if war:
        state.owners = dict.fromkeys(war, owner or "somebody")
        message = f"Taken back{who} {WAR_TIMES} times within 10 minutes: {', '.join(sorted(war))}."
        record.set_condition(state, Condition.CONFLICT, now, code="war", message=message)
    elif site.drift_policy == DriftPolicy.HOLD:
        record.set_condition(state, Condition.DRIFTED, now, message=f"Changed{who}.")
    elif leave.changes:
        record.set_condition(state, Condition.DRIFTED, now, message=f"Changed{who}.")
        findings.heal.append(state.placement_id)
    else:
        state.owners = dict(leave.owners)
        message = f"Held{who}: {', '.join(leave.owners)}."
        record.set_condition(state, Condition.CONFLICT, now, code="conflict", message=message)


def _found_entry(prospect: Prospect, owner: str, now: datetime) -> Entry:
    ref = prospect.site.ref
    return audit.build(
        actor=SWEEPER,
        action="drift.found",
        object_type="placement",
        object_id=ref.id,
        object_label=f"{ref.target}/{ref.location}",
        tenant=ref.tenant,
        before=outcome.sides(prospect.changes, "after"),
        after=outcome.sides(prospect.changes, "before"),
        message=f"Changed by {owner or 'somebody unknown'}.",
        at=now,
    )


def _save(target: Target, findings: _Findings) -> None:
    """One UPDATE says that everything was looked at; only what differs is written row by row."""
    now = findings.now
    with transaction.atomic():
        waiting = RolloutItem.objects.filter(target=target, state__in=("waiting", "running"))
        rows = PlacementState.objects.filter(placement__target=target)
        if findings.unseen:
            rows = rows.exclude(placement_id__in=findings.unseen[:900])
        rows.exclude(placement_id__in=waiting.values("placement_id")).update(observed_at=now)
        record.save_states(findings.states)
        _save_drifts(target, findings)
        audit.record_all(findings.entries)
        _order(RolloutKind.DUE, "Limits that changed by time", findings.due, now)
        _order(RolloutKind.REPAIR, "Repair of drift", findings.heal, now)
        TenantState.objects.filter(
            tenant__placements__target=target, observed_at__isnull=False
        ).update(observed_at=now)
        if findings.unseen or findings.states:
            record.summarize(_tenants(findings))


def _tenants(findings: _Findings) -> set[int]:
    tenants = set(findings.tenants)
    for chunk in chunks(findings.unseen):
        rows = PlacementState.objects.filter(placement_id__in=chunk)
        tenants.update(rows.values_list("placement__tenant_id", flat=True))
    return tenants


def _save_drifts(target: Target, findings: _Findings) -> None:
    fresh = [drift for drift in findings.drifts if drift._state.adding]
    for drift in fresh:
        drift.target_id = target.pk
    Drift.objects.bulk_create(fresh, batch_size=300, ignore_conflicts=True)
    known = [drift for drift in findings.drifts if not drift._state.adding]
    Drift.objects.bulk_update(known, ["owner", "changes"], batch_size=300)
    by_outcome: dict[str, list[int]] = defaultdict(list)
    for pk, how in findings.ended.items():
        by_outcome[how].append(pk)
    for how, ids in by_outcome.items():
        for chunk in chunks(ids):
            Drift.objects.filter(placement_id__in=chunk, ended_at__isnull=True).update(
                ended_at=findings.now, outcome=how
            )


def _order(kind: str, title: str, placements: list[int], now: datetime) -> None:
    if not placements:
        return
    number = len(placements)
    rollout = create_rollout(
        kind=kind,
        title=f"{title}: {number} placement{'s' if number > 1 else ''}",
        reason="Found by comparing the target with what is intended.",
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
