"""The beat's tick, and how tasks are told: what is due is found from the rows alone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from kombu.exceptions import OperationalError

from console import celery
from console.audit.models import Entry
from console.request import current_request_id
from quotas.enforcement import tasks
from quotas.enforcement.models import Rollout, RolloutItem, TargetState
from quotas.enforcement.reconcile.queue import process_queue
from quotas.enforcement.services.rollouts import give_up_items, retry_items
from quotas.plans.models import Lease
from tenants.models import Target
from tests.quotas.enforcement.conftest import ANN, order
from tests.quotas.enforcement.fakes import (
    FakePlane,
    make_target,
    make_tenants,
    make_version,
    unreachable,
)

Sent = list[tuple[str, tuple[Any, ...]]]
pytestmark = pytest.mark.django_db


def test_a_new_target_is_probed_and_swept(sent: Sent) -> None:
    target = make_target()
    TargetState.objects.all().delete()
    tasks.tick()
    assert sent == [("probe_target", (target.pk,)), ("sweep_target", (target.pk,))]


def test_nothing_is_due_right_after_everything_was_done(plane: FakePlane, sent: Sent) -> None:
    target = make_target()
    tasks.probe_target(target.pk)
    tasks.sweep_target(target.pk)
    sent.clear()
    tasks.tick()
    assert sent == []
    with time_machine.travel(timezone.now() + timedelta(seconds=70), tick=False):
        tasks.tick()
    assert sent == [("probe_target", (target.pk,)), ("sweep_target", (target.pk,))]


def test_a_disabled_target_is_due_for_nothing(sent: Sent) -> None:
    make_target()
    Target.objects.update(enabled=False)
    tasks.tick()
    assert sent == []


def test_an_order_whose_message_was_lost_is_found(plane: FakePlane, sent: Sent) -> None:
    placement = make_tenants(make_target(), make_version({"pods": 1}), 1)[0]
    tasks.probe_target(placement.target_id)
    tasks.sweep_target(placement.target_id)
    order([placement])
    sent.clear()
    tasks.tick()
    assert sent == [("drain_target", (placement.target_id,))]


def test_a_target_that_rests_is_only_probed_and_only_when_its_time_has_come(
    plane: FakePlane, sent: Sent
) -> None:
    placement = make_tenants(make_target(), make_version({"pods": 1}), 1)[0]
    plane.down[placement.target_id] = unreachable()
    order([placement])
    tasks.process_target_queue(placement.target_id)
    sent.clear()
    tasks.tick()
    assert sent == []
    with time_machine.travel(timezone.now() + timedelta(minutes=2), tick=False):
        tasks.tick()
    assert ("probe_target", (placement.target_id,)) in sent


def test_a_lease_that_ends_is_noticed_by_the_next_tick(plane: FakePlane, sent: Sent) -> None:
    placement = make_tenants(make_target(), make_version({"pods": 10}), 1)[0]
    now = timezone.now()
    Lease.objects.create(
        tenant=placement.tenant, key="pods", value=50, reason="load test", author="ann",
        starts_at=now, ends_at=now + timedelta(minutes=1),
    )  # fmt: skip
    order([placement])
    process_queue(placement.target_id)
    tasks.tick()
    assert not Rollout.objects.filter(kind="due").exists()
    with time_machine.travel(now + timedelta(seconds=61), tick=False):
        tasks.tick()
        tasks.tick()
        assert Rollout.objects.filter(kind="due").count() == 1
        process_queue(placement.target_id)
        tasks.tick()
    assert plane.value(placement, "pods") == 10
    assert Rollout.objects.filter(kind="due").count() == 1


def test_items_that_a_person_leaves_end_their_rollout(plane: FakePlane, sent: Sent) -> None:
    placement = make_tenants(make_target(), make_version({"pods": 1}), 1)[0]
    rollout = order([placement])
    assert give_up_items(rollout=rollout, actor=ANN, reason="not now", at=timezone.now()) == 1
    tasks.tick()
    rollout.refresh_from_db()
    assert rollout.finished_at
    assert RolloutItem.objects.get().message == "Given up by ann: not now"
    assert Entry.objects.get(action="rollout.leave").reason == "not now"


def test_a_person_retries_what_ended_badly(plane: FakePlane, sent: Sent) -> None:
    placement = make_tenants(make_target(), make_version({"pods": 1}), 1)[0]
    plane.failing["t0"] = [ValueError("a bug")]
    rollout = order([placement])
    process_queue(placement.target_id)
    assert Rollout.objects.get().finished_at
    assert retry_items(rollout=rollout, actor=ANN, reason="fixed", at=timezone.now()) == 1
    assert Rollout.objects.filter(finished_at=None).exists()
    process_queue(placement.target_id)
    assert RolloutItem.objects.get().state == "done"


@pytest.mark.django_db(transaction=True)
def test_workers_are_told_once_the_order_is_committed(sent: Sent) -> None:
    placements = make_tenants(make_target(), make_version({"pods": 1}), 3)
    order(placements)
    assert sent == [("drain_target", (placements[0].target_id,))]


def test_a_broker_that_is_away_breaks_nothing() -> None:
    def away(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("connection refused")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(celery.app, "send_task", away)
        assert celery.enqueue("quotas.enforcement.tasks.tick") is False


def test_a_task_runs_under_the_id_of_the_request_that_caused_it() -> None:
    request_ids: list[str] = []

    @celery.app.task(name="tests.note_request")
    def note() -> None:
        request_ids.append(current_request_id.get())

    note.apply(headers={"request_id": "from-the-request"})
    assert request_ids == ["from-the-request"]
    assert current_request_id.get() == ""
