"""Comparing a whole target: no change costs nothing, and every difference is told from the rest."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from console.audit.models import Entry
from quotas.enforcement.models import (
    Drift,
    PlacementState,
    Rollout,
    RolloutItem,
    TargetState,
    TenantState,
)
from quotas.enforcement.reconcile.queue import process_queue
from quotas.enforcement.reconcile.sweep import sweep
from quotas.plans.models import Lease
from tenants.models import Placement, Target
from tests.quotas.enforcement.conftest import order
from tests.quotas.enforcement.fakes import (
    ARGOCD,
    KUBECTL,
    FakePlane,
    make_target,
    make_tenants,
    make_version,
    move,
    unreachable,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sent")]


def enforced(plane: FakePlane, number: int = 1, **target: str) -> list[Placement]:
    """Tenants whose limits are enforced and were swept once."""
    placements = make_tenants(make_target(**target), make_version({"pods": 10}), number)
    order(placements)
    process_queue(placements[0].target_id)
    sweep(placements[0].target_id, force=True)
    plane.writes.clear()
    plane.reads = 0
    return placements


def test_no_change_means_one_look_and_no_write(plane: FakePlane) -> None:
    placements = enforced(plane, 5)
    before = PlacementState.objects.get(placement=placements[3]).observed_at
    swept = sweep(placements[0].target_id, force=True)
    assert swept
    assert (swept.placements, swept.changed, swept.due, swept.drifted) == (5, 0, 0, 0)
    assert (plane.reads, plane.writes) == (1, [])
    after = PlacementState.objects.get(placement=placements[3]).observed_at
    assert before
    assert after
    assert after > before
    assert Rollout.objects.count() == 1


@pytest.mark.parametrize("number", [2, 60])
def test_a_sweep_asks_the_database_equally_often_for_any_number_of_placements(
    plane: FakePlane, number: int, django_assert_max_num_queries: Any
) -> None:
    placements = enforced(plane, number)
    with django_assert_max_num_queries(32):
        sweep(placements[0].target_id, force=True)


def test_usage_that_moved_is_noted(plane: FakePlane) -> None:
    placements = enforced(plane, 3)
    plane.used[placements[1].target_id, "t1", "pods"] = 7
    swept = sweep(placements[0].target_id, force=True)
    assert swept
    assert swept.changed == 1
    row = PlacementState.objects.get(placement=placements[1]).limits["pods"]
    assert (row["used"], row["enforced"]) == (7, 10)
    assert TenantState.objects.get(tenant=placements[1].tenant_id).fullness == 0.7


def test_intent_that_was_never_pushed_is_pushed(plane: FakePlane) -> None:
    placements = enforced(plane)
    move(placements, make_version({"pods": 20}, 2))
    swept = sweep(placements[0].target_id, force=True)
    assert swept
    assert (swept.due, swept.drifted) == (1, 0)
    assert plane.value(placements[0], "pods") == 20
    assert Rollout.objects.get(kind="due").finished_at
    assert not Drift.objects.exists()


def test_a_lease_ends_by_itself(plane: FakePlane) -> None:
    placement = enforced(plane)[0]
    now = timezone.now()
    Lease.objects.create(
        tenant=placement.tenant, key="pods", value=50, reason="load test", author="ann",
        starts_at=now, ends_at=now + timedelta(hours=1),
    )  # fmt: skip
    order([placement])
    process_queue(placement.target_id)
    assert plane.value(placement, "pods") == 50
    assert PlacementState.objects.get().limits["pods"]["source"] == "lease"
    with time_machine.travel(now + timedelta(hours=1), tick=False):
        sweep(placement.target_id, force=True)
    assert plane.value(placement, "pods") == 10
    assert PlacementState.objects.get().limits["pods"]["source"] == "plan"


def test_drift_is_healed_and_told(plane: FakePlane) -> None:
    placement = enforced(plane)[0]
    plane.edit(placement, "pods", 99, KUBECTL)
    swept = sweep(placement.target_id, force=True)
    assert swept
    assert (swept.drifted, swept.healing) == (1, 1)
    assert plane.value(placement, "pods") == 10
    drift = Drift.objects.get()
    assert (drift.outcome, drift.owner) == ("healed", "kubectl-edit")
    assert drift.ended_at
    assert Rollout.objects.get(kind="repair").finished_at
    assert "kubectl-edit" in Entry.objects.get(action="drift.heal").message
    assert PlacementState.objects.get().condition == "synced"


def test_an_object_deleted_behind_our_back_comes_back(plane: FakePlane) -> None:
    placement = enforced(plane)[0]
    plane.things.clear()
    sweep(placement.target_id, force=True)
    assert plane.value(placement, "pods") == 10
    assert Drift.objects.get().outcome == "healed"


def test_the_last_of_several_edits_is_since_when_it_is_so(plane: FakePlane) -> None:
    placement = enforced(plane, drift_policy="hold")[0]
    now = timezone.now()
    for minutes, value in ((44, 60), (7, 13)):
        at = now - timedelta(minutes=minutes)
        plane.edit(placement, "pods", value, replace(KUBECTL, at=at))
        sweep(placement.target_id, force=True)
        assert PlacementState.objects.get().since == at


def test_a_target_that_lost_everything_is_told_once_and_written_again(plane: FakePlane) -> None:
    placements = enforced(plane, 8)
    plane.things.clear()
    swept = sweep(placements[0].target_id, force=True)
    assert swept
    assert (swept.due, swept.drifted, swept.healing) == (0, 0, 0)
    assert [plane.value(placement, "pods") for placement in placements] == [10] * 8
    assert not Drift.objects.exists()
    assert not Entry.objects.filter(action__startswith="drift.").exists()
    lost = Entry.objects.get(action="target.lost")
    assert (lost.object_type, lost.after) == ("target", {"placements": 8})
    assert "was gone at once (8 placements): its database was lost" in lost.message
    rollout = Rollout.objects.get(kind="due")
    assert rollout.title.endswith("had lost what was written to it: 8 placements")
    assert set(PlacementState.objects.values_list("condition", flat=True)) == {"synced"}
    sweep(placements[0].target_id, force=True)
    assert Entry.objects.filter(action="target.lost").count() == 1


def test_what_is_gone_of_two_while_others_have_theirs_was_deleted_by_somebody(
    plane: FakePlane,
) -> None:
    placements = enforced(plane, 6)
    others = PlacementState.objects.filter(placement__in=placements[2:])
    others.update(applied_digest="of limits that were others")  # so that they are due
    gone = {placement.location for placement in placements[:2]}
    for key in [key for key in plane.things if key[1].namespace in gone]:
        del plane.things[key]
    sweep(placements[0].target_id, force=True)
    assert not Entry.objects.filter(action="target.lost").exists()


def test_the_only_one_that_is_gone_may_have_been_deleted_where_the_plane_cannot_tell(
    plane: FakePlane,
) -> None:
    (placement,) = enforced(plane)
    plane.things.clear()
    sweep(placement.target_id, force=True)
    assert Drift.objects.get().placement == placement
    assert not Entry.objects.filter(action="target.lost").exists()


def test_where_a_person_is_to_decide_a_loss_waits_for_one(plane: FakePlane) -> None:
    placements = enforced(plane, 3, drift_policy="hold")
    plane.things.clear()
    sweep(placements[0].target_id, force=True)
    assert plane.writes == []
    assert set(PlacementState.objects.values_list("condition", flat=True)) == {"drifted"}


def test_one_of_several_that_is_gone_was_deleted_by_somebody(plane: FakePlane) -> None:
    placements = enforced(plane, 3)
    gone = next(key for key in plane.things if key[1].namespace == placements[1].location)
    del plane.things[gone]
    sweep(placements[0].target_id, force=True)
    assert Drift.objects.get().placement == placements[1]
    assert not Entry.objects.filter(action="target.lost").exists()


def test_drift_that_a_person_is_to_decide_stays_and_is_not_found_twice(plane: FakePlane) -> None:
    placement = enforced(plane, drift_policy="hold")[0]
    plane.edit(placement, "pods", 99, KUBECTL)
    for _ in range(2):
        sweep(placement.target_id, force=True)
    assert plane.writes == []
    state = PlacementState.objects.get()
    assert (state.condition, state.message) == ("drifted", "Changed by kubectl-edit.")
    assert state.differences[0]["fields"][0]["before"] == "99"
    assert state.limits["pods"]["enforced"] == 99
    assert TenantState.objects.get().condition == "drifted"
    assert Drift.objects.get().outcome == "open"
    assert Entry.objects.filter(action="drift.found").count() == 1


def test_drift_that_vanishes_was_reverted_by_somebody_else(plane: FakePlane) -> None:
    placement = enforced(plane, drift_policy="hold")[0]
    plane.edit(placement, "pods", 99, KUBECTL)
    sweep(placement.target_id, force=True)
    plane.edit(placement, "pods", 10)
    sweep(placement.target_id, force=True)
    drift = Drift.objects.get()
    assert drift.outcome == "reverted"
    assert drift.ended_at
    state = PlacementState.objects.get()
    assert (state.condition, state.differences) == ("synced", [])


def test_drift_to_which_the_intent_is_changed_was_accepted(plane: FakePlane) -> None:
    placement = enforced(plane, drift_policy="hold")[0]
    plane.edit(placement, "pods", 99, KUBECTL)
    sweep(placement.target_id, force=True)
    move([placement], make_version({"pods": 99}, 2))
    sweep(placement.target_id, force=True)
    assert Drift.objects.get().outcome == "accepted"
    assert PlacementState.objects.get().condition == "synced"


def test_another_controller_is_a_conflict_and_stays_one(plane: FakePlane) -> None:
    placement = enforced(plane)[0]
    plane.edit(placement, "pods", 99, ARGOCD)
    for _ in range(3):
        sweep(placement.target_id, force=True)
    state = PlacementState.objects.get()
    assert (state.condition, state.owners) == ("conflict", {"hard[pods]": "argocd"})
    assert plane.writes == []
    assert not Rollout.objects.filter(kind="repair").exists()


def test_a_refused_change_is_not_tried_again_by_every_sweep(plane: FakePlane) -> None:
    placement = enforced(plane)[0]
    plane.edit(placement, "pods", 99, ARGOCD)
    move([placement], make_version({"pods": 20}, 2))
    order([placement])
    process_queue(placement.target_id)
    items = RolloutItem.objects.count()
    sweep(placement.target_id, force=True)
    assert RolloutItem.objects.count() == items
    plane.things[placement.target_id, plane.quota("t0")].owners.clear()
    sweep(placement.target_id, force=True)
    assert plane.value(placement, "pods") == 20


def test_a_field_taken_back_three_times_is_a_conflict_instead_of_a_war(plane: FakePlane) -> None:
    placement = enforced(plane)[0]
    for _ in range(5):
        plane.edit(placement, "pods", 99, KUBECTL)
        sweep(placement.target_id, force=True)
    assert len(plane.writes) == 3
    state = PlacementState.objects.get()
    assert (state.condition, state.code) == ("conflict", "contested")
    assert "kubectl-edit 3 times" in state.message
    assert TenantState.objects.get().condition == "conflict"


def test_what_waits_in_the_queue_is_not_classified(plane: FakePlane) -> None:
    placement = enforced(plane)[0]
    order([placement])
    RolloutItem.objects.filter(state="waiting").update(
        not_before=timezone.now() + timedelta(hours=1)
    )
    plane.edit(placement, "pods", 99, KUBECTL)
    sweep(placement.target_id, force=True)
    assert plane.writes == []
    assert PlacementState.objects.get().condition == "progressing"


def test_objects_of_ours_that_belong_to_nobody_are_named(plane: FakePlane) -> None:
    placement = enforced(plane)[0]
    ref = plane.quota("left-over")
    plane.things[placement.target_id, ref] = plane.things[placement.target_id, plane.quota("t0")]
    sweep(placement.target_id, force=True)
    assert TargetState.objects.get().orphans == [
        {"kind": "Quota", "namespace": "left-over", "name": "headroom", "part": ""}
    ]
    assert plane.writes == []


def test_an_unreachable_target_is_left_alone_until_it_answers(plane: FakePlane) -> None:
    placement = enforced(plane)[0]
    plane.down[placement.target_id] = unreachable()
    sweep(placement.target_id, force=True)
    assert TargetState.objects.get().condition == "unreachable"
    assert PlacementState.objects.get().condition == "unreachable"
    assert sweep(placement.target_id) is None
    plane.down.clear()
    swept = sweep(placement.target_id, force=True)
    assert swept
    assert swept.recovered
    assert PlacementState.objects.get().condition == "synced"


def test_one_placement_that_cannot_be_read_is_said_and_the_rest_classified(
    plane: FakePlane,
) -> None:
    bad, good = enforced(plane, 2)
    seen_before = PlacementState.objects.get(placement=bad).observed_at
    plane.unseen = {"t0": "namespaces t0: etcd timed out"}
    sweep(bad.target_id, force=True)
    state = PlacementState.objects.get(placement=bad)
    assert (state.condition, state.message) == ("unreachable", "namespaces t0: etcd timed out")
    assert state.observed_at == seen_before
    assert TenantState.objects.get(tenant=bad.tenant_id).condition == "unreachable"
    assert PlacementState.objects.get(placement=good).condition == "synced"
    plane.unseen.clear()
    sweep(bad.target_id, force=True)
    assert PlacementState.objects.get(placement=bad).condition == "synced"


def test_a_recount_survives_a_look_that_does_not_count(plane: FakePlane) -> None:
    placement = enforced(plane)[0]
    plane.used[placement.target_id, "t0", "pods"] = 7
    sweep(placement.target_id, force=True)
    state = PlacementState.objects.get()
    state.limits["pods"]["recounted"] = 7
    state.save()
    sweep(placement.target_id, force=True)
    assert PlacementState.objects.get().limits["pods"]["recounted"] == 7
    plane.used[placement.target_id, "t0", "pods"] = 8
    sweep(placement.target_id, force=True)
    assert PlacementState.objects.get().limits["pods"]["recounted"] is None


def test_a_target_that_was_just_swept_is_not_swept_again(plane: FakePlane) -> None:
    placement = enforced(plane)[0]
    assert sweep(placement.target_id) is None
    assert plane.reads == 0


def test_a_disabled_target_is_neither_read_nor_written(plane: FakePlane) -> None:
    placement = enforced(plane)[0]
    Target.objects.update(enabled=False)
    order([placement])
    assert sweep(placement.target_id, force=True) is None
    process_queue(placement.target_id)
    assert (plane.reads, plane.writes) == (0, [])
