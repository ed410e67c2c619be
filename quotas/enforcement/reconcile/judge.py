"""Telling differences apart: due, drift, conflict, refused, or nothing at all."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from console.audit.models import Entry
from quotas.enforcement import rules
from quotas.enforcement.diff import digest
from quotas.enforcement.models import Condition, Drift, PlacementState
from quotas.enforcement.ports import Observation
from quotas.enforcement.reconcile import ledger, outcome, record
from quotas.enforcement.selectors.loop import open_placements
from quotas.enforcement.services.planning import Prospect
from tenants.models import DriftPolicy, Target

WAR_WINDOW = timedelta(minutes=10)
WAR_TIMES = 3
"""A field that was healed so often within the window is somebody's: a person has to decide."""


@dataclass(slots=True)
class Findings:
    """What a sweep found: rows to write, and placement ids to order rollouts for."""

    now: datetime
    states: list[PlacementState] = field(default_factory=list)
    tenants: set[int] = field(default_factory=set)
    due: list[int] = field(default_factory=list)
    heal: list[int] = field(default_factory=list)
    drifts: list[Drift] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    ended: dict[int, str] = field(default_factory=dict)
    unseen: list[int] = field(default_factory=list)


def judge_all(
    target: Target,
    prospects: Mapping[int, Prospect],
    seen: Observation,
    now: datetime,
    *,
    settled: Set[int] = frozenset(),
) -> Findings:
    """Judges every placement that could be seen; reads rows, writes none. `settled` are those that
    were pushed to while it was looked."""
    findings = Findings(now)
    # Read after the look: what was ordered meanwhile is the drain's to settle. What it has settled
    # may have been seen before or after.
    busy = open_placements(target.pk) | settled
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
    findings: Findings,
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
    if prospect.observed.reset or state.applied_digest != digest(prospect.compiled.objects):
        findings.due.append(state.placement_id)
        return
    state.differences = differences
    _judge_drift(findings, prospect, state, drift, healed)


def _judge_equal(
    findings: Findings, prospect: Prospect, state: PlacementState, drift: Drift | None
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
    findings: Findings,
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
            findings.entries.append(ledger.found(site.ref, prospect.changes, now))
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
