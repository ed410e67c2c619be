"""What would be written: compile, observe and diff, without writing anything anywhere."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import TypeVar

import structlog
from django.conf import settings

from console import deadline
from console.chunks import chunks
from console.deadline import ContextPool
from console.errors import ExternalError, OutOfTime, Unexpected, own
from quotas.enforcement.adapters import registry
from quotas.enforcement.diff import diff
from quotas.enforcement.models import TargetState
from quotas.enforcement.ports import Change, Compiled, Observation, Observed, Refusal
from quotas.enforcement.reconcile.isolation import observe_isolated
from quotas.enforcement.selectors.loop import placement_refs
from quotas.plans.contracts import EffectiveLimits
from tenants.contracts import PlacementRef, TargetRef
from tenants.models import Placement, Target

T = TypeVar("T")

log = structlog.get_logger(__name__)

MANY = 50
"""From so many placements on, a target is listed as a whole instead of asked for each."""
_NO_PLAN = Refusal("", "no_plan", "The tenant has no plan in force; nothing was changed here.")


@dataclass(frozen=True, slots=True)
class PlacementPlan:
    """What is intended for one placement, what is there, and the changes between them."""

    placement: PlacementRef
    limits: EffectiveLimits | None
    compiled: Compiled
    observed: Observed
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class PlanResult:
    """The plans of some placements, by placement id; what could not be observed (`unobserved` by
    placement and `failures` by target id, in words for people); and the reads it took."""

    plans: Mapping[int, PlacementPlan] = field(default_factory=dict)
    unobserved: Mapping[int, str] = field(default_factory=dict)
    failures: Mapping[int, str] = field(default_factory=dict)
    reads: int = 0


def target_ref(target: Target) -> TargetRef:
    """The target as adapters see it, with the features that the last probe found."""
    state = TargetState.objects.filter(target=target).values_list("features", flat=True).first()
    return target.ref(features=state or {}, timeout=float(settings.TARGET_TIMEOUT_SECONDS))


def plan_target(
    *,
    target: TargetRef,
    placements: Mapping[int, PlacementRef],
    limits: Mapping[int, EffectiveLimits | None],
    everything: bool,
) -> tuple[dict[int, PlacementPlan], Observation]:
    """Compiles, observes and diffs the given placements of one target; `limits` by tenant id.

    Raises ExternalError when the target as a whole cannot be read. Placements that could not be
    read are in `failures` or `errors` of the observation, those that could not be compared in
    `errors`; they have no plan. No rows are read or written.
    """
    adapter = registry.adapter_for(target.kind)
    observation = observe_isolated(
        adapter, target=target, placements=list(placements.values()), everything=everything
    )
    plans, errors = compare(
        target=target, placements=placements, limits=limits, observation=observation
    )
    return plans, replace(observation, errors=errors)


def compare(
    *,
    target: TargetRef,
    placements: Mapping[int, PlacementRef],
    limits: Mapping[int, EffectiveLimits | None],
    observation: Observation,
) -> tuple[dict[int, PlacementPlan], dict[int, Exception]]:
    """Diffs what was observed with what is intended, for placements that could be read; pure. What
    went wrong with one of them, in observing it or here, is in the second of the answers."""
    plans: dict[int, PlacementPlan] = {}
    errors = dict(observation.errors)
    for pk, placement in placements.items():
        if pk in observation.failures or pk in errors:
            continue
        observed = observation.placements.get(pk, Observed())
        try:
            plans[pk] = _plan(target, placement, limits.get(placement.tenant_id), observed)
        except Exception as error:
            # One placement must not stop the others.
            log.exception("compare.failed", placement=pk, tenant=placement.tenant)
            errors[pk] = error
    return plans, errors


def _plan(
    target: TargetRef, placement: PlacementRef, intended: EffectiveLimits | None, observed: Observed
) -> PlacementPlan:
    if intended is None and not placement.leaving:
        # No plan is not an order to delete: only leaving is.
        return PlacementPlan(placement, None, Compiled(refusals=(_NO_PLAN,)), observed, ())
    adapter = registry.adapter_for(target.kind)
    try:
        compiled = adapter.compile(limits=intended, placement=placement, target=target)
    except Exception as error:
        log.exception("compile.failed", placement=placement.id, tenant=placement.tenant)
        failed = Refusal("", "error", f"The plan could not be translated: {error}")
        return PlacementPlan(placement, intended, Compiled(refusals=(failed,)), observed, ())
    changes = () if observed.vacant else diff(compiled.objects, observed.objects)
    return PlacementPlan(placement, intended, compiled, observed, changes)


def plan_changes(
    *,
    limits_by_tenant: Mapping[int, EffectiveLimits | None],
    placements: Iterable[Placement | int],
    extra: Mapping[int, tuple[PlacementRef, ...]] | None = None,
) -> PlanResult:
    """What bringing the placements to these limits (by tenant id) would change; writes nothing.

    Targets are observed side by side: one that cannot be reached is in `failures` and delays
    nobody. `extra` are placements that do not exist yet, by target id, with ids below zero; their
    tenants' limits are in `limits_by_tenant` under the same negative id.
    """
    ids = {item if isinstance(item, int) else item.pk for item in placements}
    by_target: dict[int, set[int]] = defaultdict(set)
    for chunk in chunks(ids):
        for pk, target_id in Placement.objects.filter(pk__in=chunk).values_list("pk", "target_id"):
            by_target[target_id].add(pk)
    for target_id in extra or {}:
        by_target.setdefault(target_id, set())
    requests = []
    for target in Target.objects.filter(pk__in=by_target):
        refs = placement_refs(target, by_target[target.pk])
        for placement in (extra or {}).get(target.pk, ()):
            refs[placement.id] = replace(
                placement, tenant_id=placement.id, drift_policy=target.drift_policy
            )
        requests.append((target_ref(target), refs))
    return _plan_side_by_side(requests, limits_by_tenant)


def _plan_side_by_side(
    requests: list[tuple[TargetRef, dict[int, PlacementRef]]],
    limits: Mapping[int, EffectiveLimits | None],
) -> PlanResult:
    plans: dict[int, PlacementPlan] = {}
    unobserved: dict[int, str] = {}
    failures: dict[int, str] = {}
    reads = 0

    def plan(
        request: tuple[TargetRef, dict[int, PlacementRef]],
    ) -> tuple[dict[int, PlacementPlan], Observation] | ExternalError:
        target, refs = request
        try:
            return plan_target(
                target=target, placements=refs, limits=limits, everything=len(refs) >= MANY
            )
        except ExternalError as error:
            return error
        except Exception as error:
            log.exception("preview.failed", target=target.slug)
            return Unexpected(error)

    pool = ContextPool(max_workers=8, thread_name_prefix="preview")
    try:
        outcomes = [(target, pool.submit(plan, (target, refs))) for target, refs in requests]
        for target, future in outcomes:
            outcome = _in_time(future)
            if isinstance(outcome, ExternalError):
                failures[target.id] = _reason(outcome)
                continue
            planned, observation = outcome
            plans |= planned
            unobserved |= observation.failures
            unobserved |= {pk: own(error).message for pk, error in observation.errors.items()}
            reads += observation.reads
    finally:
        # Whoever hangs is not waited for where somebody waits for us: its own timeout ends it.
        pool.shutdown(wait=deadline.left() is None, cancel_futures=True)
    return PlanResult(plans, unobserved, failures, reads)


def _in_time(future: Future[T | ExternalError]) -> T | ExternalError:
    try:
        return deadline.result_in_time(future)
    except OutOfTime as error:
        return error


def _reason(error: ExternalError) -> str:
    """What it says; of one that was cut short by whoever waits for us, that it was."""
    if deadline.was_cut_short(error):
        return f"could not be read in time: {error.message}"
    return error.message
