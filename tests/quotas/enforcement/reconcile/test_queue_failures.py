"""How every kind of failure ends: retried, given to a person, or waited out."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from console.errors import Conflict, Refused, Throttled, Unreachable, own
from quotas.enforcement.models import (
    ItemState,
    PlacementState,
    RolloutItem,
    TargetState,
    TenantState,
)
from quotas.enforcement.reconcile.queue import process_queue
from tenants.models import Placement
from tests.quotas.enforcement.conftest import item_of, one, order
from tests.quotas.enforcement.fakes import (
    FakePlane,
    make_target,
    make_tenants,
    make_version,
    move,
    unreachable,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sent")]


@pytest.mark.parametrize(
    ("error", "state", "condition"),
    [
        (Refused("invalid"), ItemState.REFUSED, "refused"),
        (Conflict("held", owners={"x": "flux"}), ItemState.CONFLICT, "conflict"),
        (ValueError("a bug"), ItemState.FAILED, "refused"),
    ],
)
def test_a_failure_that_repeating_cannot_cure_ends_the_item(
    plane: FakePlane, error: Exception, state: str, condition: str
) -> None:
    target = make_target()
    bad, good = make_tenants(target, make_version({"pods": 1}), 2)
    plane.failing["t0"] = [error]
    rollout = order([bad, good])
    process_queue(target.pk)
    item = RolloutItem.objects.get(placement=bad)
    assert (item.state, item.message) == (state, own(error).message)
    assert PlacementState.objects.get(placement=bad).condition == condition
    assert RolloutItem.objects.get(placement=good).state == ItemState.DONE
    rollout.refresh_from_db()
    assert rollout.finished_at


def test_a_retryable_failure_waits_twice_as_long_each_time(plane: FakePlane) -> None:
    target = make_target()
    bad, good = make_tenants(target, make_version({"pods": 1}), 2)
    plane.failing["t0"] = [Conflict("object was modified", retryable=True) for _ in range(3)]
    rollout = order([bad, good])
    waits = []
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _ in range(3):
            process_queue(target.pk)
            item = RolloutItem.objects.get(placement=bad)
            assert item.state == ItemState.WAITING
            assert item.not_before
            waits.append((item.not_before - timezone.now()).total_seconds())
            process_queue(target.pk)
            assert RolloutItem.objects.get(placement=bad).attempts == len(waits)
            clock.move_to(item.not_before)
        process_queue(target.pk)
    assert 0.5 <= waits[0] <= 1.5
    assert 1 <= waits[1] <= 3
    assert 2 <= waits[2] <= 6
    assert RolloutItem.objects.get(placement=bad).state == ItemState.DONE
    assert len([write for write in plane.writes if "t1" in write]) == 1
    rollout.refresh_from_db()
    assert rollout.finished_at


def test_a_throttled_write_waits_as_long_as_the_plane_says(plane: FakePlane) -> None:
    target = make_target()
    bad, good = make_tenants(target, make_version({"pods": 1}), 2)
    plane.failing["t0"] = [Throttled("429", retry_after=40)]
    order([bad, good])
    with time_machine.travel(timezone.now(), tick=False):
        process_queue(target.pk)
        item = RolloutItem.objects.get(placement=bad)
        assert item.not_before
        assert 40 <= (item.not_before - timezone.now()).total_seconds() <= 50


def test_an_unreachable_target_keeps_everything_waiting_and_heals(plane: FakePlane) -> None:
    placement = one(plane)
    move([placement], make_version({"pods": 20}, 2))
    rollout = order([placement])
    plane.down[placement.target_id] = unreachable()
    with time_machine.travel(timezone.now(), tick=False) as clock:
        process_queue(placement.target_id)
        item = item_of(rollout)
        assert (item.state, item.not_before, item.attempts) == (ItemState.WAITING, None, 0)
        state = TargetState.objects.get()
        assert (state.condition, state.failures) == ("unreachable", 1)
        assert state.not_before
        assert PlacementState.objects.get().condition == "unreachable"
        assert TenantState.objects.get().condition == "unreachable"

        del plane.down[placement.target_id]
        process_queue(placement.target_id)
        assert plane.writes == []  # resting
        clock.move_to(state.not_before + timedelta(seconds=1))
        assert process_queue(placement.target_id).recovered
    assert plane.value(placement, "pods") == 20
    assert TargetState.objects.get().condition == "synced"
    assert TenantState.objects.get().condition == "synced"


def test_a_target_that_dies_while_being_written_is_unreachable_as_a_whole(
    plane: FakePlane,
) -> None:
    placements = make_tenants(make_target(), make_version({"pods": 1}), 3)
    for location in ("t0", "t1", "t2"):
        plane.failing[location] = [Unreachable("connection reset")]
    order(placements)
    process_queue(placements[0].target_id)
    assert TargetState.objects.get().condition == "unreachable"
    assert RolloutItem.objects.filter(state=ItemState.WAITING).count() == 3


def test_one_dead_target_does_not_delay_another(plane: FakePlane) -> None:
    dead, alive = make_target("dead"), make_target("alive")
    version = make_version({"pods": 1})
    placement = make_tenants(dead, version, 1)[0]
    other = Placement.objects.create(tenant=placement.tenant, target=alive, location="t0")
    plane.down[dead.pk] = unreachable()
    order([placement, other])
    process_queue(dead.pk)
    process_queue(alive.pk)
    assert plane.value(other, "pods") == 1
    assert TenantState.objects.get().condition == "unreachable"


def test_a_target_that_fails_half_way_keeps_the_rest_waiting(plane: FakePlane) -> None:
    placements = make_tenants(make_target(), make_version({"pods": 1}), 3)
    order(placements)

    def dies() -> None:
        if plane.writes:
            plane.down[placements[0].target_id] = unreachable()

    plane.on_apply = dies
    process_queue(placements[0].target_id)
    states = RolloutItem.objects.order_by("placement").values_list("state", flat=True)
    assert list(states) == [ItemState.DONE, ItemState.WAITING, ItemState.WAITING]
    assert TargetState.objects.get().condition == "unreachable"
    assert TenantState.objects.get(tenant=placements[0].tenant_id).condition == "unreachable"


def test_a_bug_in_an_adapter_fails_its_items_and_nothing_else(plane: FakePlane) -> None:
    placement = make_tenants(make_target(), make_version({"pods": 1}), 1)[0]
    rollout = order([placement])
    plane.bug = ValueError("a bug")
    process_queue(placement.target_id)
    item = item_of(rollout)
    sentence = "Unexpected ValueError: a bug. The log has the traceback."
    assert (item.state, item.message) == (ItemState.FAILED, sentence)
    assert TargetState.objects.get().condition == "synced"


def test_a_plan_that_cannot_be_translated_stops_only_its_tenant(plane: FakePlane) -> None:
    bad, good = make_tenants(make_target(), make_version({"pods": 1}), 2)
    plane.broken = {"t0"}
    order([bad, good])
    process_queue(bad.target_id)
    item = RolloutItem.objects.get(placement=bad)
    assert (item.state, item.code) == (ItemState.REFUSED, "error")
    assert "a bug" in item.message
    assert RolloutItem.objects.get(placement=good).state == ItemState.DONE


def test_a_placement_that_cannot_be_read_is_tried_again_alone(plane: FakePlane) -> None:
    bad, good = make_tenants(make_target(), make_version({"pods": 1}), 2)
    plane.unseen = {"t0": "namespaces t0: etcd timed out"}
    order([bad, good])
    process_queue(bad.target_id)
    item = RolloutItem.objects.get(placement=bad)
    assert (item.state, item.message) == (ItemState.WAITING, "namespaces t0: etcd timed out")
    assert item.not_before
    assert RolloutItem.objects.get(placement=good).state == ItemState.DONE


def test_a_drain_that_takes_too_long_hands_over(
    plane: FakePlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    placements = make_tenants(make_target(), make_version({"pods": 1}), 2)
    order(placements)
    monkeypatch.setattr("quotas.enforcement.reconcile.queue.QUEUE_SECONDS", 0)
    done = process_queue(placements[0].target_id)
    assert (done.settled, done.unfinished) == (0, True)
