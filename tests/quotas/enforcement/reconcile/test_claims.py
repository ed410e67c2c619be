"""Two workers, a lost worker, a slow worker: nothing is left over, nothing is written twice."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import override_settings
from django.utils import timezone

from quotas.enforcement.models import ItemState, RolloutItem, TargetState
from quotas.enforcement.reconcile.claims import claimed
from quotas.enforcement.reconcile.classify import Findings, classify_all
from quotas.enforcement.reconcile.queue import claim_items, process_queue
from quotas.enforcement.reconcile.sweep import sweep
from tests.quotas.enforcement.conftest import order
from tests.quotas.enforcement.fakes import FakePlane, make_target, make_tenants, make_version, move
from tests.waiting import until

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sent")]


def test_only_one_worker_holds_a_target() -> None:
    target = make_target()
    with claimed(target.pk) as first:
        assert first
        with claimed(target.pk) as second:
            assert second is None
    with claimed(target.pk) as third:
        assert third


def test_a_target_that_nobody_has_worked_on_can_be_held(plane: FakePlane) -> None:
    placement = make_tenants(make_target(), make_version({"pods": 1}), 1)[0]
    TargetState.objects.all().delete()
    order([placement])
    assert process_queue(placement.target_id).settled == 1
    TargetState.objects.all().delete()
    assert sweep(placement.target_id)


def test_two_targets_are_held_side_by_side() -> None:
    target, other = make_target("one"), make_target("other")
    with claimed(target.pk) as first, claimed(other.pk) as second:
        assert first
        assert second


def test_a_second_worker_writes_nothing_twice(plane: FakePlane) -> None:
    placements = make_tenants(make_target(), make_version({"pods": 1}), 5)
    order(placements)

    def another_worker() -> None:
        assert process_queue(placements[0].target_id).settled == 0

    plane.on_apply = another_worker
    process_queue(placements[0].target_id)
    assert sorted(plane.writes) == [f"create Quota t{n}/headroom" for n in range(5)]


def test_what_is_ordered_while_a_worker_is_at_it_is_not_left_over(plane: FakePlane) -> None:
    placements = make_tenants(make_target(), make_version({"pods": 1}), 2)
    order(placements[:1])

    def late() -> None:
        plane.on_apply = None
        order(placements[1:])
        process_queue(placements[1].target_id)  # the task of the late order: finds the target held

    plane.on_apply = late
    process_queue(placements[0].target_id)
    assert not RolloutItem.objects.exclude(state=ItemState.DONE).exists()


def test_a_change_during_a_sweep_is_carried_out_right_after_it(
    plane: FakePlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    placements = make_tenants(make_target(), make_version({"pods": 1}), 2)
    order(placements)
    process_queue(placements[0].target_id)

    def late(*args: Any, **kwargs: Any) -> Findings:
        move(placements, make_version({"pods": 2}, 2))
        order(placements)
        process_queue(placements[0].target_id)
        return classify_all(*args, **kwargs)

    monkeypatch.setattr("quotas.enforcement.reconcile.sweep.classify_all", late)
    sweep(placements[0].target_id, force=True)
    assert plane.value(placements[1], "pods") == 2
    assert not RolloutItem.objects.exclude(state=ItemState.DONE).exists()


def test_the_work_of_a_killed_worker_is_taken_over_and_converges(plane: FakePlane) -> None:
    placements = make_tenants(make_target(), make_version({"pods": 1}), 3)
    target = placements[0].target_id
    order(placements)
    now = timezone.now()
    # As SIGKILL leaves it: target and items claimed, one of three objects written.
    until = now + timedelta(seconds=30)
    TargetState.objects.filter(target_id=target).claim(token="dead", now=now, until=until)
    assert len(claim_items(target, "dead", most=200)) == 3
    order(placements[:1])
    RolloutItem.objects.filter(state=ItemState.WAITING).delete()
    with time_machine.travel(now, tick=False) as clock:
        process_queue(target)
        assert plane.writes == []
        assert RolloutItem.objects.filter(state=ItemState.RUNNING).count() == 3
        clock.shift(timedelta(minutes=1))
        process_queue(target)
    assert len(plane.writes) == len(set(plane.writes)) == 3
    assert set(RolloutItem.objects.values_list("state", "attempts")) == {(ItemState.DONE, 2)}
    assert TargetState.objects.get().claim == ""


def test_a_worker_that_lost_its_items_does_not_overwrite_their_outcome(plane: FakePlane) -> None:
    placement = make_tenants(make_target(), make_version({"pods": 1}), 1)[0]
    order([placement])

    def stolen() -> None:
        RolloutItem.objects.update(claim="somebody-else", message="mine")

    plane.on_apply = stolen
    process_queue(placement.target_id)
    item = RolloutItem.objects.get()
    assert (item.state, item.claim, item.message) == (ItemState.RUNNING, "somebody-else", "mine")


@pytest.mark.django_db(transaction=True)
@override_settings(CLAIM_SECONDS=0.3)
def test_a_claim_is_renewed_while_its_holder_works() -> None:
    target = make_target()
    with claimed(target.pk) as claim:
        assert claim
        before = TargetState.objects.get().claimed_until
        assert before
        until(lambda: (TargetState.objects.get().claimed_until or before) > before)
        TargetState.objects.update(claim="somebody-else")
        until(lambda: claim.lost)
    assert TargetState.objects.get().claim == "somebody-else"
