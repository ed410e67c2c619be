"""What applying a change would do, tenant by tenant and object by object. It reads rows and the
planes and writes nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from console.pages.plural import plural
from quotas.changes import contracts as c
from quotas.changes.kinds.change import ProposedChange, history_after
from quotas.changes.kinds.payload import payload_of
from quotas.changes.rules import compare
from quotas.changes.rules.compare import TenantDiff
from quotas.changes.selectors.scope import ChangeScope
from quotas.changes.services.blocked import costs, find_blocked
from quotas.enforcement.diff import changes_digest
from quotas.enforcement.ports import Change, Operation
from quotas.enforcement.reconcile.planning import PlacementPlan, PlanResult, plan_changes
from quotas.plans.contracts import EffectiveLimits, TenantHistory
from quotas.plans.effective import effective_limits
from quotas.plans.rules.defaults import limit_effects
from quotas.plans.rules.soundness import validate_limits
from quotas.plans.selectors import load_current
from tenants.contracts import PlacementRef
from tenants.models import Placement, Tenant

MOST_OBJECTS = 5000
MOST_SHADOWED = 500
Progress = Callable[[str], None]
_UNREACHABLE = ("unreachable", "disabled")
_SAID_ELSEWHERE = ("default_added", "no_default_fits", "names_demanded", "default_evicts")
"""Codes of problems that what is compiled for a cluster says, or that are told as they change."""


def compute_preview(
    change: ProposedChange, scope: ChangeScope, now: datetime, *, progress: Progress | None = None
) -> c.Preview:
    """What applying `change`, whose rows `scope` are, would do at `now`. `progress` is told in a
    few words what is being done."""
    report = progress or (lambda _: None)
    report(f"Working out the limits of {len(scope.tenants)} tenants")
    diffs = tenant_diffs(change, scope, now)
    report(f"Looking at {len(scope.placements) + len(scope.planned)} placements")
    result = _planned_changes(scope, diffs)
    report("Putting it together")
    return _preview(change, scope, diffs, result, now)


def tenant_diffs(
    change: ProposedChange, scope: ChangeScope, now: datetime
) -> dict[str, TenantDiff]:
    """Every tenant of the scope before and after, by slug."""
    stored = load_current([tenant.pk for tenant in scope.tenants if tenant.pk], now)
    return {
        tenant.slug: _tenant_diff(change, _history(tenant, stored, now), scope, now)
        for tenant in scope.tenants
    }


def _history(tenant: Tenant, stored: Mapping[int, TenantHistory], now: datetime) -> TenantHistory:
    if tenant.pk:
        return stored[tenant.pk]
    return TenantHistory(slug=tenant.slug, created_at=now)


def _tenant_diff(
    change: ProposedChange, history: TenantHistory, scope: ChangeScope, now: datetime
) -> TenantDiff:
    return TenantDiff(
        history.slug,
        effective_limits(history, now),
        effective_limits(history_after(change, history, now, scope.terms), now),
    )


def base_of(scope: ChangeScope, diffs: Mapping[str, TenantDiff]) -> dict[str, Any]:
    """What a fingerprint depends on beside the planes: rows only, cheap to read again."""
    return {
        "tenants": {slug: compare.intent_digest(diff) for slug, diff in diffs.items()},
        "placements": sorted(
            [placement.pk, str(placement), placement.leaving]
            for placement in (*scope.placements, *scope.planned)
        ),
    }


def _planned_changes(scope: ChangeScope, diffs: Mapping[str, TenantDiff]) -> PlanResult:
    limits = {tenant.pk: diffs[tenant.slug].after for tenant in scope.tenants if tenant.pk}
    extra: dict[int, list[PlacementRef]] = defaultdict(list)
    for placement in scope.planned:
        limits[placement.pk] = diffs[placement.tenant.slug].after
        if placement.target.enabled:
            extra[placement.target_id].append(placement.ref())
    staying = []
    for placement in scope.placements:
        if not placement.target.enabled:
            continue
        if placement.pk in scope.leaving:
            ref = replace(placement.ref(), leaving=True)
            extra[placement.target_id].append(replace(ref, stopped=ref.stopped or scope.stops))
        else:
            staying.append(placement)
    return plan_changes(
        limits_by_tenant=limits,
        placements=staying,
        extra={target: tuple(refs) for target, refs in extra.items()},
    )


def _preview(
    change: ProposedChange,
    scope: ChangeScope,
    diffs: Mapping[str, TenantDiff],
    result: PlanResult,
    now: datetime,
) -> c.Preview:
    rows = {placement.pk: placement for placement in (*scope.placements, *scope.planned)}
    pairs = [(pk, item) for pk, plan in sorted(result.plans.items()) for item in plan.changes]
    operations = Counter(item.operation for _, item in pairs)
    own = [shadowed for diff in diffs.values() for shadowed in compare.shadowed(diff)]
    target_costs = costs(result, rows)
    blocked = find_blocked(
        result,
        rows,
        force=change.takes_over,
        over_edits=change.undoes_edits,
    )
    base = base_of(scope, diffs)
    base["unreachable"] = sorted({entry.target for entry in blocked if entry.cause in _UNREACHABLE})
    return c.Preview(
        title=change.title(),
        at=now.isoformat(),
        tenants=len(scope.tenants),
        placements=len(rows),
        limits=compare.limit_changes(diffs.values()),
        settings=compare.setting_changes(diffs.values()),
        over_limit=tuple(_over_limit(result.plans, rows, diffs)),
        shadowed=tuple(own[:MOST_SHADOWED]),
        shadowed_total=len(own),
        shadowed_tenants=len({shadowed.tenant for shadowed in own}),
        objects=tuple(_object(rows[pk], item) for pk, item in pairs[:MOST_OBJECTS]),
        objects_total=len(pairs),
        creates=operations[Operation.CREATE],
        updates=operations[Operation.UPDATE],
        deletes=operations[Operation.DELETE],
        blocked=blocked,
        costs=target_costs,
        calls=sum(cost.calls for cost in target_costs),
        seconds=max((cost.seconds for cost in target_costs), default=0.0),
        reads=result.reads,
        warnings=tuple(_warnings(change, scope, diffs, result)),
        confirm=scope.confirm,
        fingerprint=_fingerprint(change, base, pairs),
        base=base,
    )


def _fingerprint(
    change: ProposedChange, base: Mapping[str, Any], pairs: Sequence[tuple[int, Change]]
) -> str:
    payload = payload_of(change)
    payload.pop("confirm", None)  # typed after the preview was read
    return compare.fingerprint([type(change).__name__, payload, base, changes_digest(pairs)])


def _over_limit(
    plans: Mapping[int, PlacementPlan],
    rows: Mapping[int, Placement],
    diffs: Mapping[str, TenantDiff],
) -> Iterator[c.OverLimit]:
    for pk, plan in sorted(plans.items()):
        placement = rows[pk]
        if not plan.placement.leaving:
            yield from compare.over_limit(
                diffs[placement.tenant.slug],
                target=placement.target.slug,
                location=placement.location,
                usage=plan.observed.usage,
            )


def _object(placement: Placement, change: Change) -> c.ObjectChange:
    return c.ObjectChange(
        placement=placement.pk,
        tenant=placement.tenant.slug,
        target=placement.target.slug,
        location=placement.location,
        change=change,
    )


def _warnings(
    change: ProposedChange, scope: ChangeScope, diffs: Mapping[str, TenantDiff], result: PlanResult
) -> Iterator[str]:
    yield from scope.warnings
    without = [slug for slug, diff in diffs.items() if diff.after is None]
    if without and not change.removes:
        yield f"{plural(len(without), 'tenant')} without a plan: nothing is enforced for them."
    texts: Counter[str] = Counter(
        text for plan in result.plans.values() for text in plan.compiled.warnings
    )
    texts.update(_surprises(diffs.values()))
    for text, times in texts.most_common():
        yield text if times == 1 else f"{text} ({times} times)"


def _surprises(diffs: Iterable[TenantDiff]) -> Iterator[str]:
    """What plan, leases and overrides together make that nobody would have published as a plan,
    and whom new defaults kill or evict."""
    known: dict[tuple[Any, ...], list[str]] = {}
    for diff in diffs:
        if diff.after is None or diff.after == diff.before:
            continue
        values, before = _values(diff.after), _values(diff.before)
        same = tuple(tuple(sorted(limits.items())) for limits in (before, values))
        if same not in known:
            known[same] = [*_problems(values), *_new_effects(before, values)]
        yield from known[same]


def _values(limits: EffectiveLimits | None) -> dict[str, int | None]:
    return {key: limit.value for key, limit in limits.limits.items()} if limits else {}


def _problems(values: Mapping[str, int | None]) -> list[str]:
    return [
        problem.message
        for problem in validate_limits(values)
        if problem.code not in _SAID_ELSEWHERE
    ]


def _new_effects(before: Mapping[str, int | None], after: Mapping[str, int | None]) -> list[str]:
    """What limits that pods are given by default do to them, where these are other ones."""
    old = limit_effects(before)
    return [
        text for key, text in limit_effects(after).items() if key in after and old.get(key) != text
    ]
