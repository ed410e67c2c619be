"""A sweep that differed in nothing holds on while nothing changes, and no moment longer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from console.database.claims import Claim
from quotas.enforcement.adapters import registry
from quotas.enforcement.models import (
    Condition,
    Drift,
    ItemState,
    PlacementState,
    RolloutItem,
    TargetState,
    TenantState,
)
from quotas.enforcement.ports import Comparison, Observation
from quotas.enforcement.reconcile import quiet
from quotas.enforcement.reconcile.queue import process_queue
from quotas.enforcement.reconcile.sweep import Swept, sweep
from quotas.plans.models import Lease, Override, Subscription, Suspension
from tenants.contracts import Unreadable
from tenants.models import DriftPolicy, Placement, Target, Tenant, TenantStatus
from tests.quotas.enforcement.comparing_plane import ComparingPlane
from tests.quotas.enforcement.conftest import order
from tests.quotas.enforcement.fakes import (
    KUBECTL,
    FakePlane,
    make_target,
    make_tenants,
    make_version,
    move,
    unreachable,
)
from tests.waiting import PATIENCE

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sent")]


@pytest.fixture
def plane(monkeypatch: pytest.MonkeyPatch) -> ComparingPlane:
    """Every kind of target is this plane."""
    fake = ComparingPlane()
    monkeypatch.setattr(registry, "adapter_for", lambda _: fake)
    return fake


@pytest.fixture(autouse=True)
def always_due(settings: Any) -> None:
    """Each call of `sweep` is one, and none remembers what another test did."""
    settings.SWEEP_SECONDS = 0
    quiet.forget()


@pytest.fixture
def resting(plane: ComparingPlane) -> list[Placement]:
    """Three tenants in sync, on a target that was compared, asked for its mark and found the same
    since."""
    placements = make_tenants(make_target(), make_version({"pods": 10}), 3)
    order(placements)
    process_queue(placements[0].target_id)
    for _ in range(4):
        swept(placements)
    reads, comparisons = plane.reads, plane.comparisons
    swept(placements)
    assert (plane.reads, plane.comparisons) == (reads, comparisons + 1)
    plane.writes.clear()
    return placements


def swept(placements: Sequence[Placement]) -> Swept:
    done = sweep(placements[0].target_id)
    assert done is not None
    return done


def compares_everything(plane: ComparingPlane, placements: Sequence[Placement]) -> bool:
    """Whether the next sweep does."""
    before = plane.reads
    swept(placements)
    return plane.reads > before


def test_at_rest_the_plane_is_asked_and_nothing_is_observed(
    plane: ComparingPlane, resting: list[Placement]
) -> None:
    before = plane.reads
    done = swept(resting)
    assert (done.placements, done.reads, plane.reads) == (3, 1, before)
    assert (done.changed, done.due, done.drifted, plane.writes) == (0, 0, 0, [])


def test_what_is_unchanged_was_so_at_the_moment_of_the_question(
    plane: ComparingPlane, resting: list[Placement]
) -> None:
    later = timezone.now() + timedelta(minutes=1)
    with time_machine.travel(later, tick=False) as clock:
        plane.on_compare = lambda: clock.shift(timedelta(seconds=5))
        assert not compares_everything(plane, resting)
    assert TargetState.objects.get().swept_at == later
    assert set(PlacementState.objects.values_list("observed_at", flat=True)) == {later}
    assert set(TenantState.objects.values_list("observed_at", flat=True)) == {later}


def test_a_hand_edit_is_drift_in_the_very_next_sweep(
    plane: ComparingPlane, resting: list[Placement]
) -> None:
    plane.edit(resting[1], "pods", 999, KUBECTL)
    assert swept(resting).drifted == 1
    assert plane.value(resting[1], "pods") == 10
    assert Drift.objects.get().outcome == "healed"


def test_use_that_moved_is_noted_in_the_very_next_sweep(
    plane: ComparingPlane, resting: list[Placement]
) -> None:
    plane.used[resting[1].target_id, "t1", "pods"] = 7
    assert swept(resting).changed == 1
    assert PlacementState.objects.get(placement=resting[1]).limits["pods"]["used"] == 7


def _lease(placement: Placement, start: datetime, end: datetime) -> None:
    Lease.objects.create(
        tenant_id=placement.tenant_id, key="pods", value=20, starts_at=start, ends_at=end
    )


def _override(placement: Placement) -> None:
    now = timezone.now()
    Override.objects.create(tenant_id=placement.tenant_id, key="pods", value=20, starts_at=now)


def _suspension(placement: Placement) -> None:
    Suspension.objects.create(tenant_id=placement.tenant_id, starts_at=timezone.now())


@pytest.mark.parametrize(
    ("change", "pods"),
    [
        (lambda one: _override(one), 20),
        (lambda one: _suspension(one), 0),
        (lambda one: move([one], make_version({"pods": 30}, 2)), 30),
    ],
    ids=["override", "suspension", "another version of the plan"],
)
def test_limits_that_changed_without_a_word_to_anybody_are_pushed(
    plane: ComparingPlane, resting: list[Placement], change: Callable[[Placement], None], pods: int
) -> None:
    change(resting[1])  # rows alone: no rollout, no generation
    assert swept(resting).due == 1
    assert [plane.value(each, "pods") for each in resting] == [10, pods, 10]


def test_a_lease_begins_and_ends_by_the_clock(
    plane: ComparingPlane, resting: list[Placement]
) -> None:
    now = timezone.now()
    _lease(resting[1], now + timedelta(minutes=1), now + timedelta(minutes=2))
    values = []
    for minutes in (0.5, 1.5, 1.8, 2.5, 2.8):
        with time_machine.travel(now + timedelta(minutes=minutes), tick=False):
            swept(resting)
            values.append(plane.value(resting[1], "pods"))
    assert values == [10, 20, 20, 10, 10]


def _state(placement: Placement, **values: Any) -> None:
    PlacementState.objects.filter(placement=placement).update(**values)


def _placement(placement: Placement, **values: Any) -> None:
    Placement.objects.filter(pk=placement.pk).update(**values)


def _tenant(placement: Placement, **values: Any) -> None:
    Tenant.objects.filter(pk=placement.tenant_id).update(**values)


def _one_more(placement: Placement) -> None:
    tenant = Tenant.objects.create(slug="new", name="New")
    Placement.objects.create(tenant=tenant, target=placement.target, location="new")


def _drift(placement: Placement) -> None:
    Drift.objects.create(
        placement=placement, tenant_id=placement.tenant_id, target_id=placement.target_id,
        found_at=timezone.now(), changes=[],
    )  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        lambda one: Target.objects.update(options={"quota": "x"}),
        lambda one: Target.objects.update(endpoint="https://elsewhere"),
        lambda one: Target.objects.update(credential="env:HEADROOM_CRED_OTHER"),
        lambda one: Target.objects.update(concurrency=3),
        lambda one: Target.objects.update(drift_policy=DriftPolicy.HOLD),
        lambda one: TargetState.objects.update(features={"fair": False}),
        lambda one: TargetState.objects.update(swept_at=timezone.now()),
        lambda one: _placement(one, drift_policy=DriftPolicy.HOLD),
        lambda one: _placement(one, generation=2),
        lambda one: _placement(one, location="elsewhere"),
        lambda one: _placement(one, leaving=True),
        lambda one: _tenant(one, group="team"),
        lambda one: _tenant(one, status=TenantStatus.SUSPENDED),
        lambda one: _tenant(one, offboarded_at=timezone.now()),
        lambda one: Subscription.objects.filter(tenant=one.tenant_id).update(
            ends_at=timezone.now()
        ),
        lambda one: _one_more(one),
        lambda one: _drift(one),
        lambda one: _state(one, condition=Condition.DRIFTED),
        lambda one: _state(one, condition=Condition.UNREACHABLE),
        lambda one: _state(one, condition=Condition.CONFLICT),
        lambda one: order([one], at=timezone.now()),
        lambda one: quiet.forget(),
    ],
)
def test_whatever_changes_on_our_side_has_everything_compared(
    plane: ComparingPlane, resting: list[Placement], change: Callable[[Placement], Any]
) -> None:
    target = Target.objects.get()
    for each in resting:
        each.target = target
    change(resting[1])
    assert compares_everything(plane, resting)


def test_now_and_then_everything_is_compared_whatever_the_plane_tells(
    plane: ComparingPlane, resting: list[Placement], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not compares_everything(plane, resting)
    monkeypatch.setattr(quiet, "FULL_SECONDS", 0)
    assert compares_everything(plane, resting)


def test_one_answer_of_what_was_does_not_hide_what_is(
    plane: ComparingPlane, resting: list[Placement], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Right after a change the question is answered with it, and the observation without it."""
    honest = plane.observe

    def stale(**question: Any) -> Observation:
        current = plane.value(resting[1], "pods")
        plane.edit(resting[1], "pods", 10)
        try:
            return honest(**question)
        finally:
            plane.edit(resting[1], "pods", int(current or 0))

    plane.edit(resting[1], "pods", 999)
    with monkeypatch.context() as patched:
        patched.setattr(plane, "observe", stale)
        assert swept(resting).drifted == 0
    assert swept(resting).drifted == 1
    assert plane.value(resting[1], "pods") == 10


def test_who_asks_for_a_sweep_gets_a_whole_one(
    plane: ComparingPlane, resting: list[Placement]
) -> None:
    before = plane.reads
    sweep(resting[0].target_id, force=True)
    assert plane.reads == before + 1


def test_another_worker_that_has_swept_meanwhile_has_everything_compared(
    plane: ComparingPlane, resting: list[Placement]
) -> None:
    """What it wrote into the rows is unknown here, though the plane is as it was by now."""
    mine = dict(quiet._known)
    plane.used[resting[0].target_id, "t0", "pods"] = 3
    quiet.forget()
    swept(resting)
    plane.used.clear()
    quiet._known.update(mine)
    assert compares_everything(plane, resting)
    assert PlacementState.objects.get(placement=resting[0]).limits["pods"].get("used") is None


def test_an_outage_is_told_and_afterwards_everything_is_compared(
    plane: ComparingPlane, resting: list[Placement]
) -> None:
    before = TargetState.objects.get().swept_at
    plane.down[resting[0].target_id] = unreachable()
    swept(resting)
    state = TargetState.objects.get()
    assert (state.condition, state.swept_at) == (Condition.UNREACHABLE, before)
    plane.down.clear()
    TargetState.objects.update(not_before=None)
    assert compares_everything(plane, resting)
    assert TargetState.objects.get().condition == Condition.SYNCED


def test_a_plane_that_stumbles_over_the_question_is_compared(
    plane: ComparingPlane, resting: list[Placement]
) -> None:
    def stumble() -> None:
        raise ValueError("a bug")

    plane.on_compare = stumble
    assert compares_everything(plane, resting)


def test_what_cannot_be_read_is_counted_in_every_sweep(
    plane: ComparingPlane, resting: list[Placement]
) -> None:
    plane.unreadable = (Unreadable("ResourceQuota", "t1", "odd", "its hard is a list"),)
    sweep(resting[0].target_id, force=True)
    for _ in range(3):
        assert compares_everything(plane, resting)


def test_a_placement_that_cannot_be_read_is_tried_in_every_sweep(
    plane: ComparingPlane, resting: list[Placement]
) -> None:
    plane.unseen["t1"] = "forbidden"
    sweep(resting[0].target_id, force=True)
    for _ in range(3):
        assert compares_everything(plane, resting)


def test_whoever_clicks_while_the_plane_is_asked_is_served(
    plane: ComparingPlane, resting: list[Placement], monkeypatch: pytest.MonkeyPatch
) -> None:
    clicked = resting[1]
    move([clicked], make_version({"pods": 5}, 2))
    rollout = order([clicked])
    answer, written, in_time = plane.compared, threading.Event(), list[bool]()
    plane.on_apply = written.set

    def slow(**question: Any) -> Comparison:
        # As if the plane had answered before the click was served.
        real = answer(**question)
        in_time.append(written.wait(PATIENCE))
        return Comparison(same=True, mark=real.mark, reads=1)

    monkeypatch.setattr(plane, "compared", slow)
    assert compares_everything(plane, resting)
    assert in_time == [True]
    assert plane.value(clicked, "pods") == 5
    assert RolloutItem.objects.get(rollout=rollout).state == ItemState.DONE


def test_who_lost_the_target_meanwhile_writes_nothing(
    plane: ComparingPlane, resting: list[Placement], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = TargetState.objects.get().swept_at
    monkeypatch.setattr(Claim, "start", lambda claim: setattr(claim, "lost", True))
    monkeypatch.setattr(Claim, "stop", lambda _: None)
    swept(resting)
    assert TargetState.objects.get().swept_at == before
    monkeypatch.undo()
    monkeypatch.setattr(registry, "adapter_for", lambda _: plane)
    assert compares_everything(plane, resting)


def test_a_plane_that_cannot_tell_is_compared_each_time(
    resting: list[Placement], monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = FakePlane()
    monkeypatch.setattr(registry, "adapter_for", lambda _: silent)
    for _ in range(3):
        before = silent.reads
        swept(resting)
        assert silent.reads > before
