"""Looking ahead: compile, observe and diff without writing anything anywhere."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import structlog
from django.conf import settings

from console.errors import ExternalError
from quotas.enforcement.adapters import registry
from quotas.enforcement.diff import diff
from quotas.enforcement.models import TargetState
from quotas.enforcement.ports import Change, Compiled, Observation, Observed, Refusal
from quotas.enforcement.selectors.loop import Site, chunks, sites
from quotas.plans.contracts import EffectiveLimits
from tenants.contracts import PlacementRef, TargetRef
from tenants.models import Placement, Target

log = structlog.get_logger(__name__)

MANY = 50
"""From so many placements on, a target is listed as a whole instead of asked for each."""
_NO_PLAN = Refusal("", "no_plan", "The tenant has no plan in force; nothing was changed here.")


@dataclass(frozen=True, slots=True)
class Prospect:
    """What is intended for one placement, what is there, and the changes between them."""

    site: Site
    limits: EffectiveLimits | None
    compiled: Compiled
    observed: Observed
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the planes: prospects by placement id, what could not be seen (by placement and
    by target id, in words for people), and the reads it took."""

    prospects: Mapping[int, Prospect] = field(default_factory=dict)
    unseen: Mapping[int, str] = field(default_factory=dict)
    failures: Mapping[int, str] = field(default_factory=dict)
    reads: int = 0


def target_ref(target: Target) -> TargetRef:
    """The target as adapters see it, with the features that the last probe found."""
    state = TargetState.objects.filter(target=target).values_list("features", flat=True).first()
    return target.ref(features=state or {}, timeout=float(settings.TARGET_TIMEOUT_SECONDS))


def look(
    *,
    target: Target,
    ref: TargetRef,
    found: Mapping[int, Site],
    limits: Mapping[int, EffectiveLimits | None],
    everything: bool,
) -> tuple[dict[int, Prospect], Observation]:
    """Compiles, observes and diffs the given placements of one target; `limits` by tenant id.

    Raises ExternalError when the target as a whole cannot be read. Placements that could not be
    read are in `failures` of the observation and have no prospect. No rows are read or written.
    """
    adapter = registry.adapter_for(target.kind)
    observation = adapter.observe(
        target=ref, placements=[site.ref for site in found.values()], everything=everything
    )
    return compare(
        target=target, ref=ref, found=found, limits=limits, seen=observation
    ), observation


def compare(
    *,
    target: Target,
    ref: TargetRef,
    found: Mapping[int, Site],
    limits: Mapping[int, EffectiveLimits | None],
    seen: Observation,
) -> dict[int, Prospect]:
    """Diffs what was seen with what is intended, for the placements that could be seen; pure."""
    adapter = registry.adapter_for(target.kind)
    prospects: dict[int, Prospect] = {}
    for pk, site in found.items():
        if pk in seen.failures:
            continue
        observed = seen.placements.get(pk, Observed())
        wanted = limits.get(site.tenant_id)
        if wanted is None and not site.ref.leaving:
            # No plan is not an order to delete: only leaving is.
            nothing = Compiled(refusals=(_NO_PLAN,))
            prospects[pk] = Prospect(site, None, nothing, observed, ())
            continue
        try:
            compiled = adapter.compile(limits=wanted, placement=site.ref, target=ref)
        except Exception as error:
            # One tenant's plan must not stop the others.
            log.exception("compile.failed", placement=pk, tenant=site.ref.tenant)
            wrong = Refusal("", "error", f"The plan could not be translated: {error}")
            prospects[pk] = Prospect(site, wanted, Compiled(refusals=(wrong,)), observed, ())
            continue
        changes = () if observed.vacant else diff(compiled.objects, observed.objects)
        prospects[pk] = Prospect(site, wanted, compiled, observed, changes)
    return prospects


def plan_changes(
    *,
    limits_by_tenant: Mapping[int, EffectiveLimits | None],
    placements: Iterable[Placement | int],
    extra: Mapping[int, tuple[PlacementRef, ...]] | None = None,
) -> Look:
    """What bringing the placements to these limits (by tenant id) would change; writes nothing.

    Targets are looked at side by side: one that cannot be reached is in `failures` and delays
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
    jobs = []
    for target in Target.objects.filter(pk__in=by_target):
        found = sites(target, by_target[target.pk])
        for placement in (extra or {}).get(target.pk, ()):
            found[placement.id] = Site(placement, placement.id, target.drift_policy)
        jobs.append((target, target_ref(target), found))
    return _look_side_by_side(jobs, limits_by_tenant)


def _look_side_by_side(
    jobs: list[tuple[Target, TargetRef, dict[int, Site]]],
    limits: Mapping[int, EffectiveLimits | None],
) -> Look:
    prospects: dict[int, Prospect] = {}
    unseen: dict[int, str] = {}
    failures: dict[int, str] = {}
    reads = 0

    def one(job: tuple[Target, TargetRef, dict[int, Site]]) -> Any:
        target, ref, found = job
        try:
            return look(
                target=target,
                ref=ref,
                found=found,
                limits=limits,
                everything=len(found) >= MANY,
            )
        except ExternalError as error:
            return error

    with ThreadPoolExecutor(max_workers=8, thread_name_prefix="preview") as pool:
        for (target, _, _), outcome in zip(jobs, pool.map(one, jobs), strict=True):
            if isinstance(outcome, ExternalError):
                failures[target.pk] = outcome.message
                continue
            seen, observation = outcome
            prospects |= seen
            unseen |= observation.failures
            reads += observation.reads
    return Look(prospects, unseen, failures, reads)
