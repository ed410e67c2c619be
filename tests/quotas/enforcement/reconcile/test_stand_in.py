"""A lease ends without scheduler and worker, by whoever runs, and once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from console.loops.contracts import BEAT, TICK
from quotas.enforcement.models import Rollout
from quotas.enforcement.reconcile import due
from quotas.enforcement.reconcile.queue import process_queue
from quotas.enforcement.reconcile.stand_in import carry_on
from quotas.plans.models import Lease
from tenants.models import Placement
from tests.console.loops.rows import all_run, stopped
from tests.quotas.enforcement.conftest import order
from tests.quotas.enforcement.fakes import FakePlane, make_target, make_tenants, make_version

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def leased(plane: FakePlane, sent: list[Any]) -> Placement:
    """A placement whose lease of 50 pods ends a minute from now; its plan gives 10."""
    placement = make_tenants(make_target(), make_version({"pods": 10}), 1)[0]
    now = timezone.now()
    Lease.objects.create(
        tenant=placement.tenant, key="pods", value=50, reason="load test", author="ann",
        starts_at=now, ends_at=now + timedelta(minutes=1),
    )  # fmt: skip
    order([placement])
    process_queue(placement.target_id)
    assert plane.value(placement, "pods") == 50
    all_run()
    return placement


def after(minutes: float) -> datetime:
    """That many minutes from now."""
    return timezone.now() + timedelta(minutes=minutes)


@pytest.mark.parametrize("minutes", [2, 60 * 26])
def test_a_lease_ends_though_scheduler_and_worker_are_dead(
    leased: Placement, plane: FakePlane, minutes: float
) -> None:
    with time_machine.travel(after(minutes), tick=False):
        assert carry_on(timezone.now()) == 1
        assert plane.value(leased, "pods") == 10
        assert carry_on(timezone.now()) == 0
    assert Rollout.objects.filter(kind="due").count() == 1


def test_it_is_left_to_the_workers_while_they_look(leased: Placement, plane: FakePlane) -> None:
    with time_machine.travel(after(2), tick=False):
        all_run()
        stopped(BEAT)
        assert carry_on(timezone.now()) == 0
        stopped(TICK, minutes=45 / 60)
        assert carry_on(timezone.now()) == 0  # whoever stands in has only just told the worker
    assert plane.value(leased, "pods") == 50


def test_what_people_changed_is_pushed_too(leased: Placement, plane: FakePlane) -> None:
    plane.things.clear()
    order([leased])
    with time_machine.travel(after(0.95), tick=False):
        assert carry_on(timezone.now()) == 1
    assert plane.value(leased, "pods") == 50


def test_one_target_with_a_bug_does_not_keep_the_others_waiting(
    leased: Placement, plane: FakePlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Placement.objects.create(tenant=leased.tenant, target=make_target("eu"), location="t0")
    order([leased, other])

    def failing(target_id: int) -> Any:
        if target_id == leased.target_id:
            raise ValueError("a bug")
        return process_queue(target_id)

    monkeypatch.setattr("quotas.enforcement.reconcile.stand_in.process_queue", failing)
    with time_machine.travel(after(0.95), tick=False):
        assert carry_on(timezone.now()) == 1
    assert plane.value(other, "pods") == 50


def test_two_schedulers_order_the_end_of_a_lease_once(
    leased: Placement, monkeypatch: pytest.MonkeyPatch
) -> None:
    concerned, others = due._concerned, [True]

    def overtaken(passed: dict[int, datetime]) -> list[int]:
        first = concerned(passed)
        if others and others.pop():
            due.order_passed_boundaries(timezone.now())  # the other one, just now
        return first

    monkeypatch.setattr(due, "_concerned", overtaken)
    with time_machine.travel(after(1.1), tick=False):
        assert due.order_passed_boundaries(timezone.now()) is None
    assert Rollout.objects.filter(kind="due").count() == 1
