"""Telling differences apart: due, drift, conflict, refused, or nothing at all."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog

from console.audit.models import Entry
from console.errors import own
from quotas.enforcement import rules
from quotas.enforcement.diff import changes_json, digest
from quotas.enforcement.models import Condition, Drift, PlacementState
from quotas.enforcement.ports import Observation
from quotas.enforcement.reconcile import ledger, settle
from quotas.enforcement.reconcile.losses import lost_placements
from quotas.enforcement.reconcile.planning import PlacementPlan
from quotas.enforcement.reconcile.states import load_states, set_condition
from quotas.enforcement.selectors.loop import open_placements
from tenants.models import DriftPolicy, Target

log = structlog.get_logger(__name__)

CONTENTION_WINDOW = timedelta(minutes=10)
CONTENTION_TIMES = 3
"""A field that was healed so often within the window is somebody's: a person has to decide."""


@dataclass(slots=True)
class Findings:
    """What a sweep found: rows to write, and placement ids to order rollouts for. `lost` are those
    of a target that lost all that had been written to it."""

    now: datetime
    states: list[PlacementState] = field(default_factory=list)
    tenants: set[int] = field(default_factory=set)
    due: list[int] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    heal: list[int] = field(default_factory=list)
    drifts: list[Drift] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    ended: dict[int, str] = field(default_factory=dict)
    unobserved: list[int] = field(default_factory=list)

    def add(self, other: Findings) -> None:
        """Takes over what was found of one placement."""
        self.states += other.states
        self.tenants |= other.tenants
        self.due += other.due
        self.lost += other.lost
        self.heal += other.heal
        self.drifts += other.drifts
        self.entries += other.entries
        self.ended |= other.ended
        self.unobserved += other.unobserved

    def of(self, placements: Set[int]) -> Findings:
        """The part about some placements, to be written by itself."""
        ids = {str(pk) for pk in placements}
        return Findings(
            self.now,
            states=[state for state in self.states if state.placement_id in placements],
            tenants=self.tenants,
            due=[pk for pk in self.due if pk in placements],
            lost=[pk for pk in self.lost if pk in placements],
            heal=[pk for pk in self.heal if pk in placements],
            drifts=[drift for drift in self.drifts if drift.placement_id in placements],
            entries=[entry for entry in self.entries if entry.object_id in ids],
            ended={pk: how for pk, how in self.ended.items() if pk in placements},
            unobserved=[pk for pk in self.unobserved if pk in placements],
        )

    @property
    def placements(self) -> set[int]:
        """All that something is to be written about."""
        written = {state.placement_id for state in self.states}
        written |= {drift.placement_id for drift in self.drifts}
        return written | {*self.due, *self.lost, *self.heal, *self.ended, *self.unobserved}

    def is_anything(self) -> bool:
        """Whether there is something to write or to order."""
        return bool(self.placements or self.entries)


def classify_all(
    target: Target,
    plans: Mapping[int, PlacementPlan],
    observation: Observation,
    now: datetime,
    *,
    settled: Set[int] = frozenset(),
) -> Findings:
    """Classifies every placement that could be read; reads rows, writes none. `settled` are those
    that were pushed to while the target was observed."""
    findings = Findings(now)
    # Read after observing: what was ordered meanwhile is the queue's to settle. What it has
    # settled may have been observed before or after.
    busy = open_placements(target.pk) | settled
    states = load_states(target)
    observed = {pk: plan for pk, plan in plans.items() if pk not in settled}
    lost = lost_placements(observed, states)
    free = {pk: plan for pk, plan in plans.items() if pk not in busy}
    _classify_plans(findings, target, free, states, lost)
    for pk, why in observation.failures.items():
        if pk in busy or pk not in states:
            continue
        findings.unobserved.append(pk)
        if states[pk].condition != Condition.UNREACHABLE:
            set_condition(states[pk], Condition.UNREACHABLE, now, message=why)
            findings.states.append(states[pk])
    for pk, error in observation.errors.items():
        if pk not in busy:
            note_error(findings, pk, error)
    return findings


def _classify_plans(
    findings: Findings,
    target: Target,
    plans: Mapping[int, PlacementPlan],
    states: Mapping[int, PlacementState],
    lost: Set[int],
) -> None:
    now = findings.now
    open_drifts = {
        drift.placement_id: drift
        for drift in Drift.objects.filter(target=target, ended_at__isnull=True)
    }
    healed = _recently_healed(target, now)
    for pk, plan in plans.items():
        state = states.get(pk) or PlacementState(placement_id=pk)
        before, one = _content(state), Findings(now)
        if pk in lost:
            state.applied_digest = ""  # so that what is missing is due, and nobody's drift
        try:
            _classify(one, plan, state, open_drifts.get(pk), healed.get(pk, Counter()))
        except Exception as error:
            # One placement must not stop the others; of what was half found nothing is kept.
            log.exception("classify.failed", placement=pk, tenant=plan.placement.tenant)
            note_error(findings, pk, error)
            continue
        if pk in lost:
            one.lost, one.due = one.due, []
        findings.add(one)
        if state._state.adding or before != _content(state):
            state.observed_at = now
            findings.states.append(state)
            findings.tenants.add(plan.placement.tenant_id)


def note_error(findings: Findings, pk: int, error: Exception) -> None:
    """A mistake of ours with one placement: said on its page, and everything else as it was."""
    findings.unobserved.append(pk)
    state = PlacementState.objects.filter(placement=pk).first() or PlacementState(placement_id=pk)
    failure = own(error)
    if state.condition != Condition.REFUSED or state.message != failure.message:
        set_condition(
            state, Condition.REFUSED, findings.now, code=failure.code, message=failure.message
        )
        findings.states.append(state)


def _content(state: PlacementState) -> tuple[Any, ...]:
    return (
        state.condition, state.code, state.message, state.applied_digest, state.limits,
        state.differences, state.owners, state.refusals, state.warnings, state.foreign,
        state.observed_generation,
    )  # fmt: skip


def _recently_healed(target: Target, now: datetime) -> dict[int, Counter[str]]:
    """How often each field was healed of late, by placement."""
    healed: dict[int, Counter[str]] = defaultdict(Counter)
    rows = Drift.objects.filter(
        target=target, found_at__gte=now - CONTENTION_WINDOW, outcome="healed"
    )
    for pk, changes in rows.values_list("placement_id", "changes"):
        healed[pk].update(rules.touched_fields(changes))
    return healed


def _classify(
    findings: Findings,
    plan: PlacementPlan,
    state: PlacementState,
    drift: Drift | None,
    healed: Counter[str],
) -> None:
    settle.fill_observed(state, plan, applied=False)
    if not plan.changes:
        _classify_equal(findings, plan, state, drift)
        return
    differences = changes_json(plan.changes)
    stuck = state.condition in (Condition.CONFLICT, Condition.REFUSED)
    if stuck and _still(state, differences):
        return  # a person has to decide; trying again would end the same way
    if plan.observed.reset or state.applied_digest != digest(plan.compiled.objects):
        findings.due.append(state.placement_id)
        return
    state.differences = differences
    if state.code == rules.ALTERED and not rules.owner_names(plan.changes):
        # Still the target's own doing, though it stores another value by now.
        state.message = rules.altered_text(plan.placement.kind, plan.changes)
        return
    _classify_drift(findings, plan, state, drift, healed)


def _still(state: PlacementState, differences: list[dict[str, Any]]) -> bool:
    """Whether it differs as it did before. Of what the target itself changed, whoever is thought to
    have done it: with Celery that is a guess by the age of workers."""
    if state.code == rules.ALTERED:
        return rules.same_but_owners(state.differences, differences)
    return bool(state.differences == differences)


def _classify_equal(
    findings: Findings, plan: PlacementPlan, state: PlacementState, drift: Drift | None
) -> None:
    if not state.applied_digest or state.condition not in (Condition.SYNCED, Condition.SUSPENDED):
        wanted = digest(plan.compiled.objects)
        if drift is not None:
            same = state.applied_digest == wanted
            findings.ended[state.placement_id] = "reverted" if same else "accepted"
        state.applied_digest = wanted
    state.differences, state.owners = [], {}
    state.observed_generation = plan.placement.generation
    condition, code, message = settle.settled_condition(plan)
    set_condition(state, condition, findings.now, code=code, message=message)


def _classify_drift(
    findings: Findings,
    plan: PlacementPlan,
    state: PlacementState,
    drift: Drift | None,
    healed: Counter[str],
) -> None:
    now, placement = findings.now, plan.placement
    owner = rules.changed_by(placement.kind, plan.changes)
    split = rules.split_by_owner(
        plan.changes,
        plan.observed,
        force=False,
        over_edits=placement.drift_policy == DriftPolicy.HEAL,
    )
    contested = [
        name for name in rules.touched_fields(state.differences) if healed[name] >= CONTENTION_TIMES
    ]
    if drift is None:
        drift = Drift(
            placement_id=state.placement_id,
            tenant_id=placement.tenant_id,
            target_id=0,
            found_at=now,
        )
        if not split.changes or contested or placement.drift_policy == DriftPolicy.HOLD:
            findings.entries.append(ledger.found(placement, plan.changes, now))
    drift.owner, drift.changes = owner, state.differences
    findings.drifts.append(drift)
    by_whom = f" by {owner}" if owner else ""
    if contested:
        state.owners = dict.fromkeys(contested, owner or ledger.UNNAMED)
        fields = rules.listed(sorted(contested))
        message = f"Taken back{by_whom} {CONTENTION_TIMES} times within 10 minutes: {fields}."
        set_condition(state, Condition.CONFLICT, now, code="contested", message=message)
    elif placement.drift_policy == DriftPolicy.HOLD:
        set_condition(state, Condition.DRIFTED, now, message=f"Changed{by_whom}.")
    elif split.changes:
        set_condition(state, Condition.DRIFTED, now, message=f"Changed{by_whom}.")
        findings.heal.append(state.placement_id)
    else:
        state.owners = dict(split.owners)
        message = f"Held{by_whom}: {rules.listed(split.owners)}."
        set_condition(state, Condition.CONFLICT, now, code="conflict", message=message)
    _date(state, plan, now)


def _date(state: PlacementState, plan: PlacementPlan, now: datetime) -> None:
    """Since when it is so: of several edits the last one made it what it is, as far as the plane
    dates them."""
    written = [
        item.owner.at
        for change in plan.changes
        for item in change.fields
        if item.owner is not None and item.owner.at is not None
    ]
    if written:
        state.since = min(max(written), now)
