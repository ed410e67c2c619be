"""Replays go 90 days after they ended; bundles, and replays under way, stay."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from observability.replays.models import Replay, ReplayResult, WorkflowBundle
from observability.replays.services.retention import prune_replays
from tests.observability.jobs.factories import make_run

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def ago(days: float) -> datetime:
    """So many days before now."""
    return NOW - timedelta(days=days)


def replay(finished: float | None) -> Replay:
    """One of long ago, of two runs."""
    bundle, _ = WorkflowBundle.objects.get_or_create(
        name="flows", version="1", defaults={"isolated": True, "created_at": ago(900)}
    )
    made = Replay.objects.create(
        bundle=bundle, selection="some", total=2, actor="ann", created_at=ago(400),
        finished_at=None if finished is None else ago(finished),
    )  # fmt: skip
    ReplayResult.objects.bulk_create([ReplayResult(replay=made, run=make_run()) for _ in range(2)])
    return made


def test_replays_go_with_their_results_and_without_their_bundle() -> None:
    replay(91)
    kept = [replay(89), replay(None)]
    assert prune_replays(NOW, math.inf) == 1
    assert list(Replay.objects.order_by("pk")) == kept
    assert ReplayResult.objects.count() == 4
    assert WorkflowBundle.objects.count() == 1
