"""A worker of a tenant's app that says "ok" to its rate and keeps another: the rollout is not done,
and says which worker it is. After tests/faults/test_altered_on_the_way_in.py, for Celery."""

from __future__ import annotations

import pytest

from console.audit.models import Entry
from quotas.enforcement.adapters.celery import read_back
from quotas.enforcement.models import (
    Condition,
    Drift,
    ItemState,
    PlacementState,
    Rollout,
    RolloutItem,
)
from quotas.enforcement.reconcile.queue import process_queue
from quotas.enforcement.reconcile.sweep import sweep
from tests.faults.installation import Installation
from tests.workers import celery_worker

HOST = "app@stubborn"


def test_a_worker_that_keeps_another_rate_is_named_and_nobodys_drift(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_back, "PATIENCE", 0.0)
    app = installation.broker.url.removesuffix("/0") + "/5"
    (tenant,) = installation.tenants(1, installation.plan(celery__queue_rate=2_500))
    with celery_worker(app, tenant.slug, name=HOST, processes=1, app="tests.faults.stubborn_app"):
        target = installation.celery(app)
        (placement,) = installation.place([tenant], target)
        rollout = installation.order([placement])
        process_queue(target.pk)

        item = RolloutItem.objects.get(rollout=rollout)
        assert (item.state, item.code) == (ItemState.REFUSED, "altered")
        assert f"queue_rate 2.5/s was sent, but {HOST} reports 99/s for " in item.message
        assert "reports.build" in item.message
        for _ in range(3):
            assert sweep(target.pk, force=True) is not None
            process_queue(target.pk)
        state = PlacementState.objects.get(placement=placement)
        assert (state.condition, state.code) == (Condition.REFUSED, "altered")
        assert f"{HOST} reports 99/s" in state.message
        assert state.limits["celery.queue_rate"]["enforced"] is None
        assert Rollout.objects.count() == 1
        assert not Drift.objects.exists()
        assert not Entry.objects.filter(action__startswith="drift").exists()
