"""Which limits are in force, at any moment of a tenant's life."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotas.plans.contracts import (
    Adjustment,
    EffectiveLimits,
    Interval,
    PlanTerms,
    Source,
    TenantHistory,
)
from quotas.plans.effective import (
    changed_keys,
    effective_limits,
)

DAWN = datetime(2026, 1, 1, tzinfo=UTC)
STANDARD = PlanTerms("standard", 7, {"requests.cpu": 40_000, "pods": None, "secrets": 0})
LARGE = PlanTerms("large", 2, {"requests.cpu": 80_000, "pods": 100})


def at(hour: float) -> datetime:
    return DAWN + timedelta(hours=hour)


def adjustment(
    value: int | None,
    start: float,
    end: float | None = None,
    *,
    source: Source = Source.LEASE,
    key: str = "requests.cpu",
    order: int = 1,
    ref: str = "lease:1",
) -> Adjustment:
    return Adjustment(
        source=source,
        key=key,
        value=value,
        starts_at=at(start),
        ends_at=None if end is None else at(end),
        order=order,
        reason="load test",
        author="ann",
        ref=ref,
    )


def history(*adjustments: Adjustment) -> TenantHistory:
    return TenantHistory(
        slug="acme",
        subscriptions=(Interval(STANDARD, at(0)),),
        adjustments=adjustments,
    )


def in_force(of: TenantHistory, when: datetime) -> EffectiveLimits:
    limits = effective_limits(of, when)
    assert limits is not None
    return limits


def cpu(of: TenantHistory, hour: float) -> int | None:
    return in_force(of, at(hour)).limits["requests.cpu"].value


def test_a_plan_alone_gives_its_own_limits() -> None:
    limits = in_force(history(), at(1))

    assert (limits.tenant, limits.plan, limits.version, limits.at) == (
        "acme", "standard", 7, at(1),
    )  # fmt: skip
    assert {key: limit.value for key, limit in limits.limits.items()} == dict(STANDARD.limits)
    assert {limit.source for limit in limits.limits.values()} == {Source.PLAN}
    assert limits.limits["requests.cpu"].ref == "plan:standard@7"
    assert not limits.suspended


def test_unlimited_and_none_at_all_are_kept_apart() -> None:
    limits = in_force(history(adjustment(0, 0, key="pods")), at(1)).limits

    assert limits["pods"].value == 0
    assert limits["pods"].plan_value is None
    assert limits["pods"].in_plan
    assert limits["secrets"].value == 0
    assert (
        in_force(history(adjustment(None, 0, key="secrets")), at(1)).limits["secrets"].value is None
    )


def test_a_lease_says_who_why_and_until_when_and_what_the_plan_would_give() -> None:
    limit = in_force(history(adjustment(60_000, 1, 2)), at(1)).limits["requests.cpu"]

    assert (limit.value, limit.source, limit.ref) == (60_000, Source.LEASE, "lease:1")
    assert (limit.reason, limit.author, limit.until) == ("load test", "ann", at(2))
    assert (limit.plan_value, limit.in_plan) == (40_000, True)


def test_a_lease_ends_by_itself() -> None:
    leased = history(adjustment(60_000, 1, 2))

    assert [cpu(leased, hour) for hour in (0.9, 1, 1.9, 2, 3)] == [
        40_000, 60_000, 60_000, 40_000, 40_000,
    ]  # fmt: skip


def test_a_lease_beats_an_override_which_beats_the_plan_whatever_was_made_last() -> None:
    lease = adjustment(1, 0, 2, order=1)
    override = adjustment(2, 0, source=Source.OVERRIDE, order=9, ref="override:9")

    assert cpu(history(lease, override), 1) == 1
    assert cpu(history(override, lease), 1) == 1
    assert cpu(history(lease, override), 2) == 2


def test_among_leases_the_later_made_wins() -> None:
    early, late = adjustment(1, 0, order=1), adjustment(2, 0, order=2, ref="lease:2")

    assert cpu(history(early, late), 1) == 2
    assert cpu(history(late, early), 1) == 2


def test_an_adjustment_may_add_what_the_plan_does_not_have() -> None:
    limit = in_force(history(adjustment(5, 0, key="configmaps")), at(1)).limits["configmaps"]

    assert (limit.value, limit.plan_value, limit.in_plan) == (5, None, False)


def test_of_overlapping_subscriptions_the_one_that_started_last_holds() -> None:
    moved = replace(
        history(), subscriptions=(Interval(LARGE, at(2), at(4)), Interval(STANDARD, at(0)))
    )

    assert [in_force(moved, at(hour)).plan for hour in (1, 2, 3.9, 4)] == [
        "standard", "large", "large", "standard",
    ]  # fmt: skip


@pytest.mark.parametrize("hour", [-1, 4, 5])
def test_outside_of_every_subscription_nothing_is_in_force(hour: float) -> None:
    ended = TenantHistory(
        slug="acme",
        subscriptions=(Interval(STANDARD, at(0), at(4)),),
        adjustments=(adjustment(1, -2),),
    )

    assert effective_limits(ended, at(hour)) is None


def test_before_its_creation_and_from_its_off_boarding_a_tenant_has_no_limits() -> None:
    gone = replace(history(), created_at=at(1), offboarded_at=at(3))

    assert [effective_limits(gone, at(hour)) is None for hour in (0.5, 1, 2.9, 3)] == [
        True, False, False, True,
    ]  # fmt: skip


def test_a_suspended_tenant_keeps_its_limits_and_says_so() -> None:
    suspended = replace(history(), suspensions=(Interval("unpaid", at(1), at(2)),))

    during, after = in_force(suspended, at(1)), in_force(suspended, at(2))
    assert (during.suspended, during.suspended_reason) == (True, "unpaid")
    assert during.limits == after.limits
    assert (after.suspended, after.suspended_reason) == (False, "")


def test_an_unlimited_key_differs_from_a_missing_one() -> None:
    unlimited = effective_limits(history(adjustment(None, 0, key="configmaps")), at(1))
    missing = effective_limits(history(), at(1))

    assert changed_keys(missing, unlimited) == ("configmaps",)
    assert changed_keys(missing, missing) == ()
    assert changed_keys(None, None) == ()


HOURS = st.integers(0, 20).map(float)
ADJUSTMENTS = st.builds(
    lambda value, start, length, source, key, order: adjustment(
        value,
        start,
        None if length is None else start + length,
        source=source,
        key=key,
        order=order,
        ref=f"{source}:{order}",
    ),
    st.one_of(st.none(), st.integers(0, 5)),
    HOURS,
    st.one_of(st.none(), HOURS),
    st.sampled_from([Source.LEASE, Source.OVERRIDE]),
    st.sampled_from(["requests.cpu", "pods", "configmaps"]),
    st.integers(0, 10**9),
)
MANY = st.lists(ADJUSTMENTS, max_size=6, unique_by=lambda row: row.order)


@given(MANY, MANY, HOURS)
def test_what_starts_later_never_changes_the_answer_for_the_past(
    made: list[Adjustment], later: list[Adjustment], hour: float
) -> None:
    future = [row for row in later if row.starts_at > at(hour)]

    assert effective_limits(history(*made), at(hour)) == effective_limits(
        history(*made, *future), at(hour)
    )


@given(MANY.flatmap(lambda rows: st.tuples(st.just(rows), st.permutations(rows))), HOURS)
def test_the_order_of_the_rows_does_not_matter(
    both: tuple[list[Adjustment], list[Adjustment]], hour: float
) -> None:
    first, second = (effective_limits(history(*rows), at(hour)) for rows in both)

    assert first == second


@given(MANY, HOURS)
def test_the_strongest_that_covers_the_moment_wins(rows: list[Adjustment], hour: float) -> None:
    covering = [
        row
        for row in rows
        if row.key == "requests.cpu"
        and row.starts_at <= at(hour)
        and (row.ends_at is None or at(hour) < row.ends_at)
    ]
    leases = [row for row in covering if row.source is Source.LEASE] or covering
    expected = max(leases, key=lambda row: row.order).value if leases else 40_000

    assert cpu(history(*rows), hour) == expected
