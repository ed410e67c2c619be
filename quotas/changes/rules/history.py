"""Steps that a change takes in a tenant's history. Pure: the preview's arithmetic, and the tests'
check that the verbs write the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from quotas.plans.contracts import Adjustment, Interval, PlanTerms, Source, TenantHistory

T = TypeVar("T")


def subscribed(history: TenantHistory, terms: PlanTerms | None, now: datetime) -> TenantHistory:
    """On other terms from `now` on. Raises ValueError when it is not said which."""
    if terms is None:
        raise ValueError("a change of plan needs the terms that it leads to")
    current = open_interval(history.subscriptions)
    if current is not None and current.value == terms:
        return history
    start = max(now, current.starts_at) if current else now
    subscriptions = (*_closed(history.subscriptions, now), Interval(terms, start))
    return replace(history, subscriptions=subscriptions)


def with_lease(
    history: TenantHistory, key: str, value: int | None, now: datetime, until: datetime
) -> TenantHistory:
    """With one more lease from `now` until `until`."""
    return _adjusted(history, Source.LEASE, key, value, now, until)


def with_override(
    history: TenantHistory, key: str, value: int | None, now: datetime
) -> TenantHistory:
    """With this override from `now` on, in place of an open one of the same limit."""
    open_ones = [
        override
        for override in history.adjustments
        if override.source is Source.OVERRIDE and override.key == key and override.ends_at is None
    ]
    if any(override.value == value for override in open_ones):
        return history
    for override in open_ones:
        history = without_adjustment(history, override.ref, now)
    return _adjusted(history, Source.OVERRIDE, key, value, now, None)


def without_adjustment(history: TenantHistory, ref: str, now: datetime) -> TenantHistory:
    """The lease or override of this `ref` ended at `now`."""
    return replace(
        history,
        adjustments=tuple(
            replace(adjustment, ends_at=max(now, adjustment.starts_at))
            if adjustment.ref == ref
            else adjustment
            for adjustment in history.adjustments
        ),
    )


def suspended(history: TenantHistory, now: datetime) -> TenantHistory:
    """Suspended from `now` on, unless it is already."""
    if open_interval(history.suspensions) is not None:
        return history
    return replace(history, suspensions=(*history.suspensions, Interval("", now)))


def resumed(history: TenantHistory, now: datetime) -> TenantHistory:
    """No longer suspended."""
    return replace(history, suspensions=_closed(history.suspensions, now))


def offboarded(history: TenantHistory, now: datetime) -> TenantHistory:
    """Without a plan, leases and overrides."""
    without = history
    for adjustment in history.adjustments:
        if adjustment.ends_at is None or adjustment.ends_at > now:
            without = without_adjustment(without, adjustment.ref, now)
    return replace(without, subscriptions=_closed(history.subscriptions, now))


def open_interval(intervals: tuple[Interval[T], ...]) -> Interval[T] | None:
    """The one that has no end."""
    return next((interval for interval in intervals if interval.ends_at is None), None)


def _adjusted(
    history: TenantHistory,
    source: Source,
    key: str,
    value: int | None,
    now: datetime,
    until: datetime | None,
) -> TenantHistory:
    order = 1 + max((adjustment.order for adjustment in history.adjustments), default=0)
    made = Adjustment(source, key, value, now, until, order, ref=f"{source}:new")
    return replace(history, adjustments=(*history.adjustments, made))


def _closed(intervals: tuple[Interval[T], ...], now: datetime) -> tuple[Interval[T], ...]:
    return tuple(
        replace(interval, ends_at=max(now, interval.starts_at))
        if interval.ends_at is None
        else interval
        for interval in intervals
    )
