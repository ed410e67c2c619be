"""Carrying out a rollout: what is written, and how every kind of failure ends."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from console.audit.models import Entry
from quotas.enforcement.models import (
    Drift,
    ItemState,
    PlacementState,
    RolloutItem,
    TenantState,
)
from quotas.enforcement.reconcile.queue import process_queue
from quotas.plans.models import Suspension
from tenants.models import Placement, Tenant
from tests.quotas.enforcement.conftest import item_of, one, order
from tests.quotas.enforcement.fakes import (
    ARGOCD,
    KUBECTL,
    FakePlane,
    make_target,
    make_tenants,
    make_version,
    move,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sent")]


def test_a_change_is_enforced_and_written_down(plane: FakePlane) -> None:
    placement = make_tenants(make_target(), make_version({"pods": 10, "services": None}), 1)[0]
    plane.used[placement.target_id, "t0", "pods"] = 4
    rollout = order([placement])

    process_queue(placement.target_id)

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

    process_queue(placement.target_id)

    summary = TenantState.objects.get(tenant=placement.tenant)
    assert (summary.condition, summary.severity, summary.fullness) == ("synced", 0, 0.9)
    assert [row["key"] for row in summary.tightest] == ["pods", "services"]
    assert summary.tightest[0] == {
        "key": "pods", "target": "prod", "location": "t0", "used": 9, "enforced": 10,
        "intended": 10, "source": "plan", "fullness": 0.9,
    }  # fmt: skip


def test_what_is_there_already_is_not_written_again(plane: FakePlane) -> None:
    placement = one(plane)
    rollout = order([placement])
    process_queue(placement.target_id)
    assert plane.writes == []
    assert item_of(rollout).state == ItemState.DONE


def test_a_suspended_tenant_says_so_once_it_is_enforced(plane: FakePlane) -> None:
    placement = one(plane)
    Tenant.objects.update(status="suspended")
    Suspension.objects.create(
        tenant=placement.tenant, reason="unpaid", author="ann", starts_at=timezone.now()
    )
    order([placement])
    process_queue(placement.target_id)
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

    process_queue(placement.target_id)

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
    process_queue(placements[0].target_id)
    assert first == [ItemState.RUNNING]
    assert RolloutItem.objects.filter(rollout=large, state=ItemState.DONE).count() == 449


def test_many_placements_are_seen_in_one_look(plane: FakePlane) -> None:
    placements = make_tenants(make_target(), make_version({"pods": 1}), 450)
    order(placements)
    process_queue(placements[0].target_id)
    assert plane.reads == 1
    assert len(plane.writes) == 450


def test_another_controller_is_never_overwritten(plane: FakePlane) -> None:
    placement = one(plane)
    plane.edit(placement, "pods", 99, ARGOCD)
    move([placement], make_version({"pods": 20}, 2))
    rollout = order([placement])

    process_queue(placement.target_id)

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
    process_queue(placement.target_id)
    assert plane.value(placement, "pods") == 10
    assert item_of(rollout).state == ItemState.DONE
    assert Entry.objects.get(action="fields.takeover").message.startswith("Last written by argocd.")


def test_what_is_not_ours_is_left_alone(plane: FakePlane) -> None:
    placement = one(plane)
    plane.things[placement.target_id, plane.quota("t0")].ours = False
    plane.edit(placement, "pods", 99)
    rollout = order([placement])
    process_queue(placement.target_id)
    assert plane.writes == []
    assert item_of(rollout).state == ItemState.CONFLICT


def test_a_one_off_edit_is_healed_but_never_silently(plane: FakePlane) -> None:
    placement = one(plane)
    plane.edit(placement, "pods", 99, KUBECTL)
    order([placement])

    process_queue(placement.target_id)

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
    process_queue(placement.target_id)
    assert item_of(held).owners == {"hard[pods]": "kubectl-edit"}
    order([placement], kind="repair")
    process_queue(placement.target_id)
    assert plane.value(placement, "pods") == 10


def test_a_limit_that_the_plane_cannot_say_is_refused_and_the_rest_enforced(
    plane: FakePlane,
) -> None:
    plane.refused = {"services": "This plane has no services."}
    placement = make_tenants(make_target(), make_version({"pods": 10, "services": 3}), 1)[0]
    rollout = order([placement])
    process_queue(placement.target_id)
    assert plane.value(placement, "pods") == 10
    item = item_of(rollout)
    assert (item.state, item.code) == (ItemState.REFUSED, "cannot_say")
    state = PlacementState.objects.get()
    assert state.condition == "refused"
    assert state.message == "services: This plane has no services."
    assert state.refusals[0]["key"] == "services"


def test_a_tenant_without_a_plan_is_not_stripped(plane: FakePlane) -> None:
    placement = one(plane)
    placement.tenant.subscriptions.all().delete()
    rollout = order([placement])
    process_queue(placement.target_id)
    assert plane.writes == []
    assert item_of(rollout).code == "no_plan"


def test_a_leaving_placement_is_emptied(plane: FakePlane) -> None:
    placement = one(plane)
    Placement.objects.update(leaving=True)
    rollout = order([placement])
    process_queue(placement.target_id)
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
        process_queue(placements[0].target_id)
    assert len(plane.writes) == number
