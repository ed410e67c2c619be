"""Looking ahead: what applying a change would do, tenant by tenant and object by object."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from quotas.changes import contracts as c
from quotas.changes.rules import compare
from quotas.changes.rules.compare import TenantDiff
from quotas.changes.rules.history import after
from quotas.changes.rules.payload import payload_of
from quotas.changes.rules.titles import title
from quotas.changes.selectors.scope import Scope, scope_of
from quotas.changes.services.obstacles import blocked, costs
from quotas.enforcement.diff import changes_digest
from quotas.enforcement.ports import Change as ObjectChange
from quotas.enforcement.ports import FieldChange, Operation
from quotas.enforcement.reconcile.planning import PlacementPlan, PlanResult, plan_changes
from quotas.plans.contracts import TenantHistory
from quotas.plans.effective import effective_limits
from quotas.plans.rules import Severity, validate_limits
from quotas.plans.selectors import load_current
from tenants.contracts import PlacementRef
from tenants.models import Placement, Tenant

MOST_OBJECTS = 5000
MOST_SHADOWED = 500
Progress = Callable[[str], None]


def compute_preview(change: c.Change, now: datetime, *, progress: Progress) -> c.Preview:
    """What applying `change` at `now` would do. Reads rows and the planes, writes nothing.

    `progress` is told in a few words what is being done. Raises DomainError as `scope_of` does.
    """
    scope = scope_of(change, now)
    progress(f"Working out the limits of {len(scope.tenants)} tenants")
    diffs = tenant_diffs(change, scope, now)
    progress(f"Looking at {len(scope.placements) + len(scope.planned)} placements")
    look = _look(change, scope, diffs)
    progress("Putting it together")
    return _preview(change, scope, diffs, look, now)


def tenant_diffs(change: c.Change, scope: Scope, now: datetime) -> dict[str, TenantDiff]:
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
    change: c.Change, history: TenantHistory, scope: Scope, now: datetime
) -> TenantDiff:
    return TenantDiff(
        history.slug,
        effective_limits(history, now),
        effective_limits(after(history, change, now, terms=scope.terms), now),
    )


def base_of(scope: Scope, diffs: Mapping[str, TenantDiff]) -> dict[str, Any]:
    """What a fingerprint depends on beside the planes: rows only, cheap to read again."""
    return {
        "tenants": {slug: compare.intent_digest(each) for slug, each in diffs.items()},
        "placements": sorted(
            [each.pk, str(each), each.leaving] for each in (*scope.placements, *scope.planned)
        ),
    }


def _look(change: c.Change, scope: Scope, diffs: Mapping[str, TenantDiff]) -> PlanResult:
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
            stopped = ref.stopped or isinstance(change, c.Offboard)
            extra[placement.target_id].append(replace(ref, stopped=stopped))
        else:
            staying.append(placement)
    return plan_changes(
        limits_by_tenant=limits,
        placements=staying,
        extra={target: tuple(refs) for target, refs in extra.items()},
    )


def _preview(
    change: c.Change, scope: Scope, diffs: Mapping[str, TenantDiff], look: PlanResult, now: datetime
) -> c.Preview:
    rows = {each.pk: each for each in (*scope.placements, *scope.planned)}
    pairs = [(pk, item) for pk, plan in sorted(look.plans.items()) for item in plan.changes]
    operations = Counter(item.operation for _, item in pairs)
    stays = [each for diff in diffs.values() for each in compare.shadowed(diff)]
    what_it_costs = costs(look, rows)
    held_up = blocked(
        look,
        rows,
        force=isinstance(change, c.TakeOver),
        over_edits=isinstance(change, c.Repair),
    )
    base = base_of(scope, diffs)
    base["away"] = sorted({each.target for each in held_up if each.cause in _AWAY})
    return c.Preview(
        title=title(change),
        at=now.isoformat(),
        tenants=len(scope.tenants),
        placements=len(rows),
        limits=compare.limit_changes(diffs.values()),
        settings=compare.setting_changes(diffs.values()),
        over_limit=tuple(_over_limit(look.plans, rows, diffs)),
        shadowed=tuple(stays[:MOST_SHADOWED]),
        shadowed_total=len(stays),
        shadowed_tenants=len({each.tenant for each in stays}),
        objects=tuple(_object(rows[pk], item) for pk, item in pairs[:MOST_OBJECTS]),
        objects_total=len(pairs),
        creates=operations[Operation.CREATE],
        updates=operations[Operation.UPDATE],
        deletes=operations[Operation.DELETE],
        blocked=held_up,
        costs=what_it_costs,
        calls=sum(each.calls for each in what_it_costs),
        seconds=max((each.seconds for each in what_it_costs), default=0.0),
        reads=look.reads,
        warnings=tuple(_warnings(change, scope, diffs, look)),
        confirm=scope.confirm,
        fingerprint=_fingerprint(change, base, pairs),
        base=base,
    )


_AWAY = ("unreachable", "disabled")


def _fingerprint(
    change: c.Change, base: Mapping[str, Any], pairs: Sequence[tuple[int, ObjectChange]]
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


def _object(placement: Placement, item: ObjectChange) -> c.ObjectDelta:
    return c.ObjectDelta(
        placement=placement.pk,
        tenant=placement.tenant.slug,
        target=placement.target.slug,
        location=placement.location,
        operation=str(item.operation),
        object=str(item.ref),
        fields=tuple(_field(each) for each in item.fields),
    )


def _field(item: FieldChange) -> c.FieldDelta:
    owner = item.owner
    return c.FieldDelta(
        path=item.path,
        before=item.before,
        after=item.after,
        key=item.key,
        owner=owner.manager if owner else "",
        declarative=owner.declarative if owner else False,
    )


def _warnings(
    change: c.Change, scope: Scope, diffs: Mapping[str, TenantDiff], look: PlanResult
) -> Iterator[str]:
    yield from scope.warnings
    if isinstance(change, c.Suspend):
        yield "What runs goes on; nothing new starts until the tenants are resumed."
    if isinstance(change, c.Offboard | c.Displace) and scope.placements:
        yield "Everything that carries Headroom's label there is deleted, and what runs with it."
    without = [slug for slug, each in diffs.items() if each.after is None]
    if without and not isinstance(change, c.Offboard | c.Displace):
        yield f"{_counted(len(without), 'tenant')} without a plan: nothing is enforced for them."
    said: Counter[str] = Counter(
        text for plan in look.plans.values() for text in plan.compiled.warnings
    )
    said.update(_surprises(diffs.values()))
    for text, times in said.most_common():
        yield text if times == 1 else f"{text} ({times} times)"


def _surprises(diffs: Iterable[TenantDiff]) -> Iterator[str]:
    """What plan, leases and overrides together make that nobody would have published as a plan."""
    known: dict[tuple[Any, ...], list[str]] = {}
    for diff in diffs:
        if diff.after is None or diff.after == diff.before:
            continue
        values = {key: limit.value for key, limit in diff.after.limits.items()}
        same = tuple(sorted(values.items(), key=lambda item: item[0]))
        if same not in known:
            known[same] = [
                problem.message
                for problem in validate_limits(values)
                if problem.severity is Severity.ERROR or problem.code != "default_added"
            ]
        yield from known[same]


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def preview_json(preview: c.Preview) -> dict[str, Any]:
    """The preview as a proposal stores it."""
    return asdict(preview)
