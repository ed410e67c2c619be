"""Actions go 180 days after they ended; one that has no outcome stays."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from observability.actions.models import Action, ActionItem, ActionStatus
from observability.actions.services.retention import prune_actions
from tests.observability.jobs.factories import make_run, make_target

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def ago(days: float) -> datetime:
    """So many days before now."""
    return NOW - timedelta(days=days)


def action(status: str, *, finished: float | None, items: int = 0) -> Action:
    """One of half a year and more ago, with that many items."""
    made = Action.objects.create(
        selection="runs" if items else "", label="x", engine="temporal", verb="cancel",
        target=make_target(), reason="INC-1", actor_kind="person", actor="ann", status=status,
        created_at=ago(400), finished_at=None if finished is None else ago(finished),
    )  # fmt: skip
    ActionItem.objects.bulk_create(
        [ActionItem(action=made, run=make_run(), label="y") for _ in range(items)]
    )
    return made


def test_actions_go_with_their_items_180_days_after_they_ended() -> None:
    action(ActionStatus.DONE, finished=181, items=3)
    action(ActionStatus.FAILED, finished=181)
    kept = action(ActionStatus.DONE, finished=179, items=2)
    assert prune_actions(NOW, math.inf) == 2
    assert Action.objects.get() == kept
    assert set(ActionItem.objects.values_list("action_id", flat=True)) == {kept.pk}


@pytest.mark.parametrize("status", [ActionStatus.ASKED, ActionStatus.RUNNING])
def test_an_action_without_an_outcome_stays_however_old(status: str) -> None:
    action(status, finished=None)
    assert prune_actions(NOW, math.inf) == 0
