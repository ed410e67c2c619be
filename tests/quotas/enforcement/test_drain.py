"""Carrying out a rollout: what is written, and how every kind of failure ends."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from console.audit.models import Entry
from console.errors import Conflict, Refused, Throttled, Unreachable
from quotas.enforcement.models import (
    Drift,
    ItemState,
    PlacementState,
    Rollout,
    RolloutItem,
    TargetState,
    TenantState,
)
from quotas.enforcement.reconcile.drain import drain
from quotas.plans.models import Suspension
from tenants.models import Placement, Tenant
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


def one(plane: FakePlane, **limits: int | None) -> Placement:
    """One tenant whose limits are enforced already."""
    placement = make_tenants(make_target(), make_version(limits or {"pods": 10}), 1)[0]
    order([placement])
    drain(placement.target_id)
    plane.writes.clear()
    return placement


def item_of(rollout: Rollout) -> RolloutItem:
    return RolloutItem.objects.get(rollout=rollout)


def test_a_change_is_enforced_and_written_down(plane: FakePlane) -> None:
    placement = make_tenants(make_target(), make_version({"pods": 10, "services": None}), 1)[0]
    plane.used[placement.target_id, "t0", "pods"] = 4
    rollout = order([placement])

    drain(placement.target_id)

    assert plane.value(placement, "pods") == 10
    item = item_of(rollout)
    assert (item.state, item.attempts, item.claim) == (ItemState.DONE, 1, "")
    assert item.changes[0]["fields"][0] == {
        "path": "hard[pods]", "before": "", "after": "10", "key": "pods", "owner": None,
    }  # fmt: skip
    state = PlacementState.objects.get(placement=placement)
    assert (state.condition, state.observed_generation) == ("synced", 1)
    assert state.limits["pods"] == {"intended": 10, "source": "plan", "enforced": 10}
    assert state.limits["services"] == {"intended": None, "source": "plan"}
    rollout.refresh_from_db()
    assert rollout.started_at
    assert rollout.finished_at
    assert Entry.objects.get(action="rollout.finish").after == {"done": 1}


def test_a_summary_names_the_fullest_limits(plane: FakePlane) -> None:
    placement = one(plane, pods=10, services=4)
    plane.used[placement.target_id, "t0", "pods"] = 9
    plane.used[placement.target_id, "t0", "services"] = 1
    order([placement])

    drain(placement.target_id)

    summary = TenantState.objects.get(tenant=placement.tenant)
    assert (summary.condition, summary.severity, summary.fullness) == ("synced", 0, 0.9)
    assert [row["key"] for row in summary.tightest] == ["pods", "services"]
    assert summary.tightest[0] == {
        "key": "pods", "target": "prod", "location": "t0", "used": 9, "enforced": 10,
        "intended": 10, "fullness": 0.9,
    }  # fmt: skip


def test_what_is_there_already_is_not_written_again(plane: FakePlane) -> None:
    placement = one(plane)
    rollout = order([placement])
    drain(placement.target_id)
    assert plane.writes == []
    assert item_of(rollout).state == ItemState.DONE


def test_a_suspended_tenant_says_so_once_it_is_enforced(plane: FakePlane) -> None:
    placement = one(plane)
    Tenant.objects.update(status="suspended")
    Suspension.objects.create(
        tenant=placement.tenant, reason="unpaid", author="ann", starts_at=timezone.now()
    )
    order([placement])
    drain(placement.target_id)
    assert plane.value(placement, "pods") == 0
    state = PlacementState.objects.get()
    assert state.condition == "suspended"
    assert (state.limits["pods"]["intended"], state.limits["pods"]["enforced"]) == (10, 0)
    assert TenantState.objects.get().condition == "suspended"


def test_a_newer_rollout_supersedes_the_one_that_waits(plane: FakePlane) -> None:
    placement = one(plane)
    older = order([placement])
    move([placement], make_version({"pods": 20}, 2))
    newer = order([placement])

    drain(placement.target_id)

    assert item_of(older).state == ItemState.SUPERSEDED
    assert f"{newer.pk}" in item_of(older).message
    assert item_of(newer).state == ItemState.DONE
    assert plane.writes == ["update Quota t0/headroom"]
    older.refresh_from_db()
    assert older.finished_at


def test_small_rollouts_do_not_wait_behind_large_ones(plane: FakePlane) -> None:
    placements = make_tenants(make_target(), make_version({"pods": 1}), 450)
    large = order(placements[:-1])
    small = order(placements[-1:])
    first: list[str] = []

    def note() -> None:
        first.extend(
            RolloutItem.objects.filter(state=ItemState.RUNNING, rollout=small).values_list(
                "state", flat=True
            )
        )
        plane.on_apply = None

    plane.on_apply = note
    drain(placements[0].target_id)
    assert first == [ItemState.RUNNING]
    assert RolloutItem.objects.filter(rollout=large, state=ItemState.DONE).count() == 449


def test_many_placements_are_seen_in_one_look(plane: FakePlane) -> None:
    placements = make_tenants(make_target(), make_version({"pods": 1}), 450)
    order(placements)
    drain(placements[0].target_id)
    assert plane.reads == 1
    assert len(plane.writes) == 450


def test_another_controller_is_never_overwritten(plane: FakePlane) -> None:
    placement = one(plane)
    plane.edit(placement, "pods", 99, ARGOCD)
    move([placement], make_version({"pods": 20}, 2))
    rollout = order([placement])

    drain(placement.target_id)

    assert plane.writes == []
    item = item_of(rollout)
    assert (item.state, item.owners) == (ItemState.CONFLICT, {"hard[pods]": "argocd"})
    state = PlacementState.objects.get()
    assert state.condition == "conflict"
    assert state.owners == {"hard[pods]": "argocd"}
    assert state.differences[0]["fields"][0]["after"] == "20"
    assert state.limits["pods"]["enforced"] == 99


def test_a_person_may_take_fields_over(plane: FakePlane) -> None:
    placement = one(plane)
    plane.edit(placement, "pods", 99, ARGOCD)
    rollout = order([placement], kind="takeover", force=True)
    drain(placement.target_id)
    assert plane.value(placement, "pods") == 10
    assert item_of(rollout).state == ItemState.DONE
    assert Entry.objects.get(action="fields.takeover").message.startswith("Last written by argocd.")


def test_what_is_not_ours_is_left_alone(plane: FakePlane) -> None:
    placement = one(plane)
    plane.things[placement.target_id, plane.quota("t0")].ours = False
    plane.edit(placement, "pods", 99)
    rollout = order([placement])
    drain(placement.target_id)
    assert plane.writes == []
    assert item_of(rollout).state == ItemState.CONFLICT


def test_a_one_off_edit_is_healed_but_never_silently(plane: FakePlane) -> None:
    placement = one(plane)
    plane.edit(placement, "pods", 99, KUBECTL)
    order([placement])

    drain(placement.target_id)

    assert plane.value(placement, "pods") == 10
    entry = Entry.objects.get(action="drift.heal")
    assert (entry.actor_kind, entry.tenant) == ("loop", "t0")
    assert "kubectl-edit" in entry.message
    assert entry.before == {"Quota t0/headroom hard[pods]": "99"}
    assert entry.after == {"Quota t0/headroom hard[pods]": "10"}
    drift = Drift.objects.get()
    assert (drift.outcome, drift.owner) == ("healed", "kubectl-edit")


def test_a_one_off_edit_is_a_conflict_where_a_person_wants_to_decide(plane: FakePlane) -> None:
    placement = one(plane)
    Placement.objects.update(drift_policy="hold")
    plane.edit(placement, "pods", 99, KUBECTL)
    held = order([placement])
    drain(placement.target_id)
    assert item_of(held).owners == {"hard[pods]": "kubectl-edit"}
    order([placement], kind="repair")
    drain(placement.target_id)
    assert plane.value(placement, "pods") == 10


def test_a_limit_that_the_plane_cannot_say_is_refused_and_the_rest_enforced(
    plane: FakePlane,
) -> None:
    plane.refused = {"services": "This plane has no services."}
    placement = make_tenants(make_target(), make_version({"pods": 10, "services": 3}), 1)[0]
    rollout = order([placement])
    drain(placement.target_id)
    assert plane.value(placement, "pods") == 10
    item = item_of(rollout)
    assert (item.state, item.code) == (ItemState.REFUSED, "cannot_say")
    state = PlacementState.objects.get()
    assert state.condition == "refused"
    assert state.message == "services: This plane has no services."
    assert state.refusals[0]["key"] == "services"


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
    drain(target.pk)
    item = RolloutItem.objects.get(placement=bad)
    assert (item.state, item.message) == (state, str(error))
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
            drain(target.pk)
            item = RolloutItem.objects.get(placement=bad)
            assert item.state == ItemState.WAITING
            assert item.not_before
            waits.append((item.not_before - timezone.now()).total_seconds())
            drain(target.pk)
            assert RolloutItem.objects.get(placement=bad).attempts == len(waits)
            clock.move_to(item.not_before)
        drain(target.pk)
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
        drain(target.pk)
        item = RolloutItem.objects.get(placement=bad)
        assert item.not_before
        assert 40 <= (item.not_before - timezone.now()).total_seconds() <= 50


def test_an_unreachable_target_keeps_everything_waiting_and_heals(plane: FakePlane) -> None:
    placement = one(plane)
    move([placement], make_version({"pods": 20}, 2))
    rollout = order([placement])
    plane.down[placement.target_id] = unreachable()
    with time_machine.travel(timezone.now(), tick=False) as clock:
        drain(placement.target_id)
        item = item_of(rollout)
        assert (item.state, item.not_before, item.attempts) == (ItemState.WAITING, None, 0)
        state = TargetState.objects.get()
        assert (state.condition, state.failures) == ("unreachable", 1)
        assert state.not_before
        assert PlacementState.objects.get().condition == "unreachable"
        assert TenantState.objects.get().condition == "unreachable"

        del plane.down[placement.target_id]
        drain(placement.target_id)
        assert plane.writes == []  # resting
        clock.move_to(state.not_before + timedelta(seconds=1))
        assert drain(placement.target_id).recovered
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
    drain(placements[0].target_id)
    assert TargetState.objects.get().condition == "unreachable"
    assert RolloutItem.objects.filter(state=ItemState.WAITING).count() == 3


def test_one_dead_target_does_not_delay_another(plane: FakePlane) -> None:
    dead, alive = make_target("dead"), make_target("alive")
    version = make_version({"pods": 1})
    placement = make_tenants(dead, version, 1)[0]
    other = Placement.objects.create(tenant=placement.tenant, target=alive, location="t0")
    plane.down[dead.pk] = unreachable()
    order([placement, other])
    drain(dead.pk)
    drain(alive.pk)
    assert plane.value(other, "pods") == 1
    assert TenantState.objects.get().condition == "unreachable"


def test_a_tenant_without_a_plan_is_not_stripped(plane: FakePlane) -> None:
    placement = one(plane)
    placement.tenant.subscriptions.all().delete()
    rollout = order([placement])
    drain(placement.target_id)
    assert plane.writes == []
    assert item_of(rollout).code == "no_plan"


def test_a_leaving_placement_is_emptied(plane: FakePlane) -> None:
    placement = one(plane)
    Placement.objects.update(leaving=True)
    rollout = order([placement])
    drain(placement.target_id)
    assert plane.writes == ["delete Quota t0/headroom"]
    assert item_of(rollout).state == ItemState.DONE
    assert PlacementState.objects.get().condition == "synced"


@pytest.mark.parametrize("number", [3, 30])
def test_queries_do_not_grow_with_the_number_of_placements(
    plane: FakePlane, number: int, django_assert_max_num_queries: Any
) -> None:
    placements = make_tenants(make_target(), make_version({"pods": 1}), number)
    order(placements)
    with django_assert_max_num_queries(60):
        drain(placements[0].target_id)
    assert len(plane.writes) == number
