"""What a change makes of a tenant's history. Pure: the preview's arithmetic, and the tests' check
that the verbs write the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from quotas.changes.contracts import (
    Change,
    EndLease,
    EndOverride,
    GrantLease,
    MovePlan,
    Offboard,
    Onboard,
    PublishPlan,
    Resume,
    SetOverride,
    Suspend,
)
from quotas.plans.contracts import Adjustment, Interval, PlanTerms, Source, TenantHistory
from quotas.plans.effective import effective_limits

T = TypeVar("T")


def after(
    history: TenantHistory, change: Change, now: datetime, *, terms: PlanTerms | None = None
) -> TenantHistory:
    """The history as it will be once `change` was applied at `now`.

    `terms` is the plan version that PublishPlan, MovePlan and Onboard lead to. A tenant that the
    change does not concern comes back as it is. Raises ValueError when terms are missing.
    """
    step = _STEPS.get(type(change))
    if step is None or not concerns(history, change):
        return history
    return step(history, change, now, terms)


def concerns(history: TenantHistory, change: Change) -> bool:
    """True when the change is about this tenant."""
    match change:
        case PublishPlan():
            held = _open(history.subscriptions)
            return held is not None and held.value.plan == change.plan
        case EndLease() | EndOverride():
            return any(each.ref == _ref(change) for each in history.adjustments)
        case Onboard():
            return change.slug == history.slug
    named = getattr(change, "tenants", (getattr(change, "tenant", ""),))
    return history.slug in named


def affected(
    histories: Mapping[int, TenantHistory],
    change: Change,
    now: datetime,
    *,
    terms: PlanTerms | None = None,
) -> tuple[int, ...]:
    """The ids of the tenants whose effective limits the change alters at `now`, sorted."""
    found = []
    for pk, history in histories.items():
        before = effective_limits(history, now)
        if before != effective_limits(after(history, change, now, terms=terms), now):
            found.append(pk)
    return tuple(sorted(found))


def _subscribe(
    history: TenantHistory, change: Change, now: datetime, terms: PlanTerms | None
) -> TenantHistory:
    if terms is None:
        raise ValueError(f"{type(change).__name__} needs the terms it leads to")
    held = _open(history.subscriptions)
    if held is not None and held.value == terms:
        return history
    start = max(now, held.starts_at) if held else now
    return replace(
        history,
        subscriptions=(*_closed(history.subscriptions, now), Interval(terms, start)),
    )


def _lease(history: TenantHistory, change: Any, now: datetime, _: Any) -> TenantHistory:
    return _adjust(history, Source.LEASE, change.key, change.value, now, change.until)


def _override(history: TenantHistory, change: Any, now: datetime, _: Any) -> TenantHistory:
    open_ones = [
        each
        for each in history.adjustments
        if each.source is Source.OVERRIDE and each.key == change.key and each.ends_at is None
    ]
    if any(each.value == change.value for each in open_ones):
        return history
    ended = history
    for each in open_ones:
        ended = _ended(ended, each.ref, now)
    return _adjust(ended, Source.OVERRIDE, change.key, change.value, now, None)


def _adjust(
    history: TenantHistory,
    source: Source,
    key: str,
    value: int | None,
    now: datetime,
    until: datetime | None,
) -> TenantHistory:
    order = 1 + max((each.order for each in history.adjustments), default=0)
    made = Adjustment(source, key, value, now, until, order, ref=f"{source}:new")
    return replace(history, adjustments=(*history.adjustments, made))


def _end_adjustment(history: TenantHistory, change: Any, now: datetime, _: Any) -> TenantHistory:
    return _ended(history, _ref(change), now)


def _ended(history: TenantHistory, ref: str, now: datetime) -> TenantHistory:
    return replace(
        history,
        adjustments=tuple(
            replace(each, ends_at=max(now, each.starts_at)) if each.ref == ref else each
            for each in history.adjustments
        ),
    )


def _suspend(history: TenantHistory, _: Any, now: datetime, __: Any) -> TenantHistory:
    if _open(history.suspensions) is not None:
        return history
    return replace(history, suspensions=(*history.suspensions, Interval("", now)))


def _resume(history: TenantHistory, _: Any, now: datetime, __: Any) -> TenantHistory:
    return replace(history, suspensions=_closed(history.suspensions, now))


def _offboard(history: TenantHistory, _: Any, now: datetime, __: Any) -> TenantHistory:
    leaving = history
    for each in history.adjustments:
        if each.ends_at is None or each.ends_at > now:
            leaving = _ended(leaving, each.ref, now)
    return replace(leaving, subscriptions=_closed(history.subscriptions, now))


_STEPS: dict[type[Any], Callable[..., TenantHistory]] = {
    PublishPlan: _subscribe,
    MovePlan: _subscribe,
    Onboard: _subscribe,
    GrantLease: _lease,
    SetOverride: _override,
    EndLease: _end_adjustment,
    EndOverride: _end_adjustment,
    Suspend: _suspend,
    Resume: _resume,
    Offboard: _offboard,
}


def _ref(change: EndLease | EndOverride) -> str:
    if isinstance(change, EndLease):
        return f"{Source.LEASE}:{change.lease}"
    return f"{Source.OVERRIDE}:{change.override}"


def _open(intervals: tuple[Interval[T], ...]) -> Interval[T] | None:
    return next((each for each in intervals if each.ends_at is None), None)


def _closed(intervals: tuple[Interval[T], ...], now: datetime) -> tuple[Interval[T], ...]:
    return tuple(
        replace(each, ends_at=max(now, each.starts_at)) if each.ends_at is None else each
        for each in intervals
    )
