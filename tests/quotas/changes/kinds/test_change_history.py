"""The pure arithmetic of a preview is what the verbs write."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from console.audit.models import Entry
from console.audit.services import Actor
from console.errors import DomainError
from quotas.changes.kinds.adjustments import EndLease, EndOverride, GrantLease, SetOverride
from quotas.changes.kinds.change import ApplyContext, ProposedChange, history_after
from quotas.changes.kinds.lifecycle import Offboard, Resume, Suspend
from quotas.changes.kinds.plans import MovePlan, PublishPlan
from quotas.changes.kinds.repairs import Repair
from quotas.plans.contracts import EffectiveLimits, PlanTerms, TenantHistory
from quotas.plans.effective import effective_limits
from quotas.plans.models import Lease, Override, Plan, PlanVersion
from quotas.plans.selectors import load_histories
from quotas.plans.services.plans import create_plan
from quotas.plans.services.subscriptions import subscribe
from tenants.models import Tenant
from tests.properties import examples
from tests.quotas.changes.memory_adapter import MemoryAdapter

ALICE = Actor.command("test")
START = datetime(2026, 11, 1, 12, tzinfo=UTC)
SLUGS = ("acme", "initech")
KEYS = ("pods", "services", "count/jobs.batch")

values = st.none() | st.integers(0, 50)
tenants = st.sets(st.sampled_from(SLUGS), min_size=1).map(lambda names: tuple(sorted(names)))
minutes = st.integers(1, 300)
steps = st.one_of(
    st.tuples(st.just("publish"), st.sampled_from(("standard", "gold")), values),
    st.tuples(st.just("move"), tenants, st.sampled_from(("standard", "gold"))),
    st.tuples(st.just("lease"), tenants, st.sampled_from(KEYS), values, minutes),
    st.tuples(st.just("override"), tenants, st.sampled_from(KEYS), values),
    st.tuples(st.just("end lease"), st.integers(0, 3)),
    st.tuples(st.just("end override"), st.integers(0, 3)),
    st.tuples(st.just("suspend"), tenants),
    st.tuples(st.just("resume"), tenants),
    st.tuples(st.just("offboard"), st.sampled_from(SLUGS)),
)


def change_of(step: tuple[Any, ...], now: datetime) -> ProposedChange | None:
    """The change that a drawn step means as things stand."""
    simple: dict[str, Any] = {"move": MovePlan, "override": SetOverride, "suspend": Suspend}
    simple |= {"resume": Resume, "offboard": Offboard}
    if step[0] in simple:
        change: ProposedChange = simple[step[0]](*step[1:])
        return change
    match step:
        case "publish", plan, value:
            number = PlanVersion.objects.filter(plan__slug=plan).count()
            return PublishPlan(plan, number, {"pods": value, "services": number})
        case "lease", names, key, value, length:
            return GrantLease(names, key, value, now + timedelta(minutes=length))
        case "end lease", index:
            rows = list(Lease.objects.at(now).order_by("pk"))
            return EndLease(rows[index].pk) if index < len(rows) else None
    overrides = list(Override.objects.at(now).order_by("pk"))
    return EndOverride(overrides[step[1]].pk) if step[1] < len(overrides) else None


def comparable(limits: EffectiveLimits | None) -> Any:
    """What must agree: everything but the numbers and words of rows that did not exist yet."""
    if limits is None:
        return None
    plain = {
        key: replace(limit, ref=limit.ref.split(":")[0], reason="", author="")
        for key, limit in limits.limits.items()
    }
    return replace(limits, limits=plain, suspended_reason="")


@pytest.mark.django_db
@settings(
    max_examples=examples(40),
    deadline=None,
    # Shrinking a sequence that takes a database takes longer than reading it.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(drawn=st.lists(st.tuples(steps, st.integers(0, 90)), max_size=8))
def test_any_sequence_of_changes_is_foreseen_as_it_is_written(
    plane: MemoryAdapter, drawn: list[tuple[tuple[Any, ...], int]]
) -> None:
    now = _clean_slate()
    for step, pause in drawn:
        now += timedelta(minutes=pause)
        with time_machine.travel(now, tick=False):
            _step_and_compare(step, now)


def _clean_slate() -> datetime:
    """When the sequence begins: the ledger stays, and takes nothing older than what it has."""
    Tenant.objects.all().delete()
    PlanVersion.objects.all().delete()
    last = Entry.objects.order_by("-pk").values_list("at", flat=True).first()
    start = START if last is None else last
    signature: dict[str, Any] = {"actor": ALICE, "reason": "set up", "at": start}
    with time_machine.travel(start, tick=False):
        for number, slug in enumerate(("standard", "gold"), start=1):
            Plan.objects.filter(slug=slug).delete()
            create_plan(slug=slug, name=slug, limits={"pods": number}, **signature)
        rows = [Tenant.objects.create(slug=slug, name=slug) for slug in SLUGS]
        version = PlanVersion.objects.get(plan__slug="standard")
        subscribe(tenants=rows, version=version, **signature)
    return start


def _step_and_compare(step: tuple[Any, ...], now: datetime) -> None:
    change = change_of(step, now)
    if change is None:
        return
    histories = load_histories(None)
    try:
        scope = change.scope(now)
    except DomainError:
        return  # refused: nothing is written, so there is nothing to compare
    foreseen = {
        pk: history_after(change, history, now, scope.terms) for pk, history in histories.items()
    }
    change.carry_out(scope, ApplyContext(ALICE, "because", now))
    written = load_histories(None)
    for pk, history in foreseen.items():
        for moment in (now, now + timedelta(minutes=7), now + timedelta(hours=9)):
            assert comparable(effective_limits(history, moment)) == comparable(
                effective_limits(written[pk], moment)
            ), (change, moment)
    _past_is_as_it_was(histories, written, now)


def _past_is_as_it_was(
    old: dict[int, TenantHistory], new: dict[int, TenantHistory], now: datetime
) -> None:
    before = now - timedelta(seconds=1)
    for pk, history in old.items():
        assert _values(effective_limits(history, before)) == _values(
            effective_limits(new[pk], before)
        )


def _values(limits: EffectiveLimits | None) -> Any:
    """What was enforced; that an override has an end is known only afterwards."""
    if limits is None:
        return None
    return limits.suspended, {key: limit.value for key, limit in limits.limits.items()}


def test_a_tenant_that_is_not_named_is_left_alone() -> None:
    history = TenantHistory("acme")
    assert history_after(SetOverride(("initech",), "pods", 1), history, START) is history
    assert history_after(Repair((1,)), history, START) is history


def test_a_change_of_plan_needs_its_terms() -> None:
    with pytest.raises(ValueError, match="needs the terms"):
        history_after(MovePlan(("acme",), "gold"), TenantHistory("acme"), START)


@pytest.mark.django_db
def test_only_tenants_whose_limits_change_are_affected() -> None:
    _clean_slate()
    histories = load_histories(None)
    ids = {history.slug: pk for pk, history in histories.items()}
    same, other = SetOverride(SLUGS, "pods", 5), MovePlan(("acme",), "standard")
    later = START + timedelta(hours=1)
    assert affected(histories, same, later) == tuple(sorted(ids.values()))
    terms = other.scope(later).terms
    assert affected(histories, other, later, terms=terms) == ()


def affected(
    histories: dict[int, TenantHistory],
    change: ProposedChange,
    now: datetime,
    *,
    terms: PlanTerms | None = None,
) -> tuple[int, ...]:
    """The ids of the tenants whose effective limits the change alters, sorted."""
    return tuple(
        sorted(
            pk
            for pk, history in histories.items()
            if effective_limits(history, now)
            != effective_limits(history_after(change, history, now, terms), now)
        )
    )
