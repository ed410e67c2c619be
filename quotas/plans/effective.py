"""Which limits are in force for a tenant at a moment: pure arithmetic over its history.

Everything is half-open: what starts at 12:00 holds at 12:00, what ends at 12:00 does not. Asking
about a past moment gives the same answer for ever, because history is only ever appended to and a
row that starts later covers no earlier moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TypeVar

from quotas.plans.contracts import (
    Adjustment,
    EffectiveLimit,
    EffectiveLimits,
    Interval,
    PlanTerms,
    Source,
    TenantHistory,
)

T = TypeVar("T")
_RANK = {source: rank for rank, source in enumerate(Source)}


def effective_limits(history: TenantHistory, at: datetime) -> EffectiveLimits | None:
    """What the tenant may use at `at`.

    A lease beats an override, which beats the plan; among equals the later made wins. An adjustment
    may add a key that the plan does not have. None when nothing is to be enforced: the tenant does
    not exist yet, was off-boarded, or has no subscription then (adjustments alone change a plan,
    they do not replace one).
    """
    terms = _terms(history, at)
    if terms is None:
        return None
    limits = {key: _from_plan(terms, key) for key in terms.limits}
    for adjustment in sorted(_adjustments(history, at), key=_strength):
        limits[adjustment.key] = _adjusted(adjustment, terms)
    suspension = _latest(history.suspensions, at)
    return EffectiveLimits(
        tenant=history.slug,
        at=at,
        plan=terms.plan,
        version=terms.version,
        policy=terms.policy,
        limits=limits,
        suspended=suspension is not None,
        suspended_reason=suspension.value if suspension else "",
    )


def changed_keys(before: EffectiveLimits | None, after: EffectiveLimits | None) -> tuple[str, ...]:
    """The keys whose value differs, sorted. A missing key differs from an unlimited one."""
    old = {key: limit.value for key, limit in before.limits.items()} if before else {}
    new = {key: limit.value for key, limit in after.limits.items()} if after else {}
    keys = old.keys() | new.keys()
    return tuple(sorted(k for k in keys if (k in old, old.get(k)) != (k in new, new.get(k))))


def _terms(history: TenantHistory, at: datetime) -> PlanTerms | None:
    unborn = history.created_at is not None and at < history.created_at
    gone = history.offboarded_at is not None and at >= history.offboarded_at
    subscription = None if unborn or gone else _latest(history.subscriptions, at)
    return subscription.value if subscription else None


def _latest(intervals: tuple[Interval[T], ...], at: datetime) -> Interval[T] | None:
    """The interval that covers `at`; where several do, the one that started last."""
    covering = [interval for interval in intervals if interval.covers(at)]
    return max(covering, key=lambda interval: interval.starts_at, default=None)


def _adjustments(history: TenantHistory, at: datetime) -> Iterator[Adjustment]:
    for adjustment in history.adjustments:
        started = adjustment.starts_at <= at
        if started and (adjustment.ends_at is None or at < adjustment.ends_at):
            yield adjustment


def _strength(adjustment: Adjustment) -> tuple[int, int, datetime, str]:
    """Weakest first. The last two only make the answer independent of the rows' order."""
    return _RANK[adjustment.source], adjustment.order, adjustment.starts_at, adjustment.ref


def _from_plan(terms: PlanTerms, key: str) -> EffectiveLimit:
    value = terms.limits[key]
    ref = f"plan:{terms.plan}@{terms.version}"
    return EffectiveLimit(key=key, value=value, source=Source.PLAN, ref=ref, plan_value=value)


def _adjusted(adjustment: Adjustment, terms: PlanTerms) -> EffectiveLimit:
    return EffectiveLimit(
        key=adjustment.key,
        value=adjustment.value,
        source=adjustment.source,
        ref=adjustment.ref,
        reason=adjustment.reason,
        author=adjustment.author,
        until=adjustment.ends_at,
        plan_value=terms.limits.get(adjustment.key),
        in_plan=adjustment.key in terms.limits,
    )
