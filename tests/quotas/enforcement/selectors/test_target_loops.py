"""The loops of a target, from its rows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from console.loops.contracts import QUEUE, SWEEP
from quotas.enforcement.models import RolloutItem, TargetState
from quotas.enforcement.selectors.target_loops import as_of, target_loops
from tenants.models import Target
from tests.quotas.enforcement.conftest import order
from tests.quotas.enforcement.fakes import FakePlane, make_target, make_tenants, make_version

pytestmark = pytest.mark.django_db
LATER = timedelta(minutes=10)


def late(later: timedelta = LATER) -> set[str]:
    """Which loops are late so long from now."""
    now = timezone.now() + later
    return {status.name for status in target_loops(now) if status.late(now)}


def claimed(for_minutes: int) -> dict[str, Any]:
    """A claim that somebody holds."""
    return {"claim": "x", "claimed_until": timezone.now() + timedelta(minutes=for_minutes)}


def test_a_new_target_is_late_only_after_its_time(plane: FakePlane) -> None:
    make_target()
    assert late(timedelta(0)) == set()
    assert late() == {"probe", "sweep"}


def test_changes_that_wait_while_nobody_works_on_them_are_late(
    plane: FakePlane, sent: list[Any]
) -> None:
    order(make_tenants(make_target(), make_version({"pods": 1}), 2))
    assert QUEUE not in late(timedelta(seconds=20))
    assert QUEUE in late()


def test_of_many_that_wait_the_oldest_may_wait_long_while_others_are_settled(
    plane: FakePlane, sent: list[Any]
) -> None:
    order(make_tenants(make_target(), make_version({"pods": 1}), 2))
    first = RolloutItem.objects.earliest("pk")
    soon = timezone.now() + LATER - timedelta(seconds=5)
    RolloutItem.objects.filter(pk=first.pk).update(state="done", finished_at=soon)
    assert QUEUE not in late()


def test_whoever_holds_a_target_has_as_long_as_a_task_may_take(plane: FakePlane) -> None:
    TargetState.objects.update_or_create(target=make_target(), defaults=claimed(11))
    assert SWEEP not in late()
    TargetState.objects.update(**claimed(1))
    assert SWEEP in late()


def test_a_target_that_was_enabled_again_has_its_time(plane: FakePlane) -> None:
    target = make_target()
    old = timezone.now() - timedelta(days=2)
    TargetState.objects.update_or_create(
        target=target, defaults={"swept_at": old, "checked_at": old}
    )
    Target.objects.update(updated_at=timezone.now())
    assert late(timedelta(0)) == set()


def test_what_was_seen_in_parts_holds_as_of_the_oldest() -> None:
    now = timezone.now()
    assert as_of([now, now - LATER]) == now - LATER
    assert as_of([now, None]) is None
    assert as_of([]) is None
