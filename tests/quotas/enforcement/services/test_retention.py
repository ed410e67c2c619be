"""Rollouts, findings and samples go after their time; what is under way stays, however old."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from quotas.enforcement.models import Drift, Rollout, RolloutItem, TargetSample
from quotas.enforcement.reconcile.queue import process_queue
from quotas.enforcement.services import retention
from tenants.models import Placement, Target
from tests.quotas.enforcement.conftest import order
from tests.quotas.enforcement.fakes import FakePlane, make_target, make_tenants, make_version

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def ago(days: float) -> datetime:
    """So many days before now."""
    return NOW - timedelta(days=days)


@pytest.fixture
def placements(plane: FakePlane, sent: list[Any]) -> list[Placement]:
    """Three tenants."""
    return make_tenants(make_target(), make_version({"pods": 10}), 3)


def rollout(placements: list[Placement], *, created: float, finished: float | None) -> Rollout:
    """One that began and ended so many days ago; None while it is under way."""
    made = order(placements)
    if finished is not None:
        process_queue(placements[0].target_id)
    ended = ago(finished) if finished is not None else None
    Rollout.objects.filter(pk=made.pk).update(created_at=ago(created), finished_at=ended)
    return made


def test_rollouts_go_with_their_items_180_days_after_they_ended(
    placements: list[Placement],
) -> None:
    rollout(placements, created=300, finished=181)
    kept = rollout(placements, created=300, finished=179)
    assert retention.prune_rollouts(NOW, math.inf) == 1
    assert Rollout.objects.get().pk == kept.pk
    assert set(RolloutItem.objects.values_list("rollout_id", flat=True)) == {kept.pk}


def test_a_rollout_under_way_stays_however_old(placements: list[Placement]) -> None:
    rollout(placements, created=900, finished=None)
    assert retention.prune_rollouts(NOW, math.inf) == 0
    # Nor one that is marked as ended while a part of it waits.
    Rollout.objects.update(finished_at=ago(800))
    assert retention.prune_rollouts(NOW, math.inf) == 0


def test_many_items_go_a_chunk_at_a_time(
    placements: list[Placement], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.database.pruning.CHUNK", 2)
    for _ in range(3):
        rollout(placements, created=300, finished=200)
    assert retention.prune_rollouts(NOW, math.inf) == 3
    assert not RolloutItem.objects.exists()


def test_findings_go_after_they_ended_and_open_ones_stay(placements: list[Placement]) -> None:
    for placement, ended in zip(placements, (181, 179, None), strict=True):
        Drift.objects.create(
            placement=placement,
            tenant=placement.tenant,
            target=placement.target,
            found_at=ago(400),
            ended_at=None if ended is None else ago(ended),
        )
    assert retention.prune_drifts(NOW, math.inf) == 1
    assert Drift.objects.count() == 2


def test_samples_of_a_target_that_is_probed_no_more_go_too(db: None) -> None:
    target = Target.objects.create(slug="off", name="Off", kind="kubernetes", enabled=False)
    for age in (0.5, 1.5, 90):
        TargetSample.objects.create(target=target, at=ago(age))
    assert retention.prune_samples(NOW, math.inf) == 2
