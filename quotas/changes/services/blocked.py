"""What a change would meet on the planes: who cannot be reached, what is refused, what it costs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import structlog

from console.errors import own
from quotas.changes.contracts import Blocked, TargetCost
from quotas.enforcement.adapters import registry
from quotas.enforcement.models import TargetState
from quotas.enforcement.ports import PlacementChanges
from quotas.enforcement.reconcile.planning import PlacementPlan, PlanResult, target_ref
from quotas.enforcement.rules import split_by_owner
from tenants.models import DriftPolicy, Placement

log = structlog.get_logger(__name__)

_FEW = 10
_USUAL_LATENCY_MS = 20.0
_FOLLOWS = "the change will follow by itself when it is back"


def find_blocked(
    result: PlanResult, rows: Mapping[int, Placement], *, force: bool, over_edits: bool
) -> tuple[Blocked, ...]:
    """Everything that cannot be pushed now, one entry per cause and target. `force` takes fields
    over from everybody, `over_edits` from one-off edits as targets that heal do."""
    return (
        *_unreachable(result, rows),
        *_unobserved(result, rows),
        *_refused(result, rows),
        *_conflicts(result, rows, force=force, over_edits=over_edits),
    )


def costs(result: PlanResult, rows: Mapping[int, Placement]) -> tuple[TargetCost, ...]:
    """What the changes cost on each target that can be reached, in order of name."""
    by_target: dict[int, list[tuple[Placement, PlacementPlan]]] = defaultdict(list)
    for pk, plan in result.plans.items():
        by_target[rows[pk].target_id].append((rows[pk], plan))
    latency = dict(
        TargetState.objects.filter(target__in=by_target).values_list("target_id", "latency_ms")
    )
    target_costs = [_cost(pairs, latency.get(target)) for target, pairs in by_target.items()]
    return tuple(sorted(target_costs, key=lambda cost: cost.target))


def _cost(pairs: Sequence[tuple[Placement, PlacementPlan]], latency: float | None) -> TargetCost:
    target = pairs[0][0].target
    work = [PlacementChanges(plan.placement, plan.changes) for _, plan in pairs if plan.changes]
    adapter = registry.adapter_for(target.kind)
    calls = adapter.cost(target=target_ref(target), work=work)
    seconds = adapter.seconds(
        calls=calls, latency_ms=latency or _USUAL_LATENCY_MS, concurrency=target.concurrency
    )
    return TargetCost(
        target=target.slug,
        kind=target.kind,
        placements=len(work),
        objects=sum(len(changes.changes) for changes in work),
        calls=calls,
        seconds=round(seconds, 2),
    )


def _unreachable(result: PlanResult, rows: Mapping[int, Placement]) -> Iterator[Blocked]:
    by_target: dict[int, list[Placement]] = defaultdict(list)
    for row in rows.values():
        by_target[row.target_id].append(row)
    for target_id, there in sorted(by_target.items()):
        target = there[0].target
        if not target.enabled:
            text = f"{target.slug} is disabled; the change will follow when it is enabled."
            yield _entry("disabled", text, there)
        elif target_id in result.failures:
            reason = result.failures[target_id].rstrip(".")
            text = f"{target.slug} cannot be reached ({reason}); {_FOLLOWS}."
            yield _entry("unreachable", text, there)


def _unobserved(result: PlanResult, rows: Mapping[int, Placement]) -> Iterator[Blocked]:
    groups: dict[tuple[int, str], list[Placement]] = defaultdict(list)
    for pk, message in result.unobserved.items():
        groups[rows[pk].target_id, message].append(rows[pk])
    for (_, message), there in groups.items():
        yield _entry("unobserved", f"Could not be read: {message}", there)


def _refused(result: PlanResult, rows: Mapping[int, Placement]) -> Iterator[Blocked]:
    groups: dict[tuple[int, str, str], list[Placement]] = defaultdict(list)
    for pk, plan in result.plans.items():
        for refusal in plan.compiled.refusals:
            groups[rows[pk].target_id, refusal.key, refusal.message].append(rows[pk])
    for (_, key, message), there in groups.items():
        yield _entry("refused", message, there, key=key)


def _conflicts(
    result: PlanResult, rows: Mapping[int, Placement], *, force: bool, over_edits: bool
) -> Iterator[Blocked]:
    groups: dict[tuple[int, str], list[Placement]] = defaultdict(list)
    for pk, plan in result.plans.items():
        try:
            split = split_by_owner(
                plan.changes,
                plan.observed,
                force=force,
                over_edits=over_edits or plan.placement.drift_policy == DriftPolicy.HEAL,
            )
        except Exception as error:
            # One placement's trouble is a sentence of the preview, not the end of it.
            log.exception("split.failed", placement=pk, tenant=plan.placement.tenant)
            yield _entry("unobserved", f"Could not be compared: {own(error).message}", [rows[pk]])
            continue
        for owner in sorted(set(split.owners.values())):
            groups[rows[pk].target_id, owner].append(rows[pk])
    for (_, owner), there in groups.items():
        target = there[0].target.slug
        text = f"{owner} owns fields on {target} that this would write; it is left alone."
        yield _entry("conflict", text, there, owner=owner)


def _entry(
    cause: str, message: str, there: Sequence[Placement], *, key: str = "", owner: str = ""
) -> Blocked:
    tenants = tuple(dict.fromkeys(row.tenant.slug for row in there))
    return Blocked(
        cause, there[0].target.slug, message, len(there), tenants[:_FEW], key=key, owner=owner
    )
