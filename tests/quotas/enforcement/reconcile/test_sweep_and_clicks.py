"""A long look at a target, and whoever clicks meanwhile."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from console.audit.models import Entry
from quotas.enforcement import tasks
from quotas.enforcement.models import (
    Condition,
    Drift,
    ItemState,
    PlacementState,
    RolloutItem,
    TargetState,
)
from quotas.enforcement.reconcile.due import take_probe
from quotas.enforcement.reconcile.sweep import sweep
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

pytestmark = pytest.mark.django_db


def test_a_click_does_not_wait_for_a_sweep_that_looks(plane: FakePlane) -> None:
    clicked, other = make_tenants(make_target(), make_version({"pods": 4}), 2)
    sweep(clicked.target_id, force=True)
    plane.edit(other, "pods", 9, KUBECTL)
    move([clicked], make_version({"pods": 5}, 2))
    order([clicked])
    written = threading.Event()
    plane.on_apply = written.set
    in_time: list[bool] = []

    def slow() -> None:
        if threading.current_thread().name.startswith("sweep"):
            in_time.append(written.wait(PATIENCE))

    plane.on_observe = slow
    swept = sweep(clicked.target_id, force=True)
    assert in_time == [True]
    assert plane.value(clicked, "pods") == 5
    assert swept is not None
    assert (swept.due, swept.drifted) == (0, 1)
    # The look may have seen the clicked placement before or after: it says nothing about it.
    assert set(Drift.objects.values_list("placement_id", flat=True)) == {other.pk}
    assert set(PlacementState.objects.values_list("condition", flat=True)) == {Condition.SYNCED}
    assert set(RolloutItem.objects.values_list("state", flat=True)) == {ItemState.DONE}
    assert plane.value(other, "pods") == 4


def test_a_look_that_fails_while_somebody_clicks_loses_nothing(plane: FakePlane) -> None:
    (clicked,) = make_tenants(make_target(), make_version({"pods": 4}), 1)
    sweep(clicked.target_id, force=True)
    order([clicked])

    def fail() -> None:
        if threading.current_thread().name.startswith("sweep"):
            raise unreachable()

    plane.on_observe = fail
    assert sweep(clicked.target_id, force=True) is not None
    assert TargetState.objects.get().condition == Condition.UNREACHABLE
    assert RolloutItem.objects.latest("pk").state in (ItemState.WAITING, ItemState.DONE)
    assert Entry.objects.filter(action="drift.found").count() == 0


def test_of_many_told_to_probe_a_target_one_does(
    plane: FakePlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, probes = make_target(), []
    now = timezone.now()
    assert take_probe(target.pk, now)
    assert not take_probe(target.pk, now + timedelta(seconds=1))
    resting = now - timedelta(seconds=1)
    before = resting - timedelta(seconds=1)
    TargetState.objects.update(failures=3, not_before=resting, checked_at=before)
    monkeypatch.setattr(tasks, "probe", lambda *_, **__: probes.append(1))
    for _ in range(3):
        tasks.probe_target(target.pk)
    assert probes == [1]
    with time_machine.travel(now + timedelta(minutes=2), tick=False):
        tasks.probe_target(target.pk)  # the worker that took it died
    assert probes == [1, 1]
