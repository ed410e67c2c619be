"""Planning: what would be written is said, and nothing is."""

from __future__ import annotations

import pytest
from django.utils import timezone

from quotas.enforcement.models import Rollout
from quotas.enforcement.reconcile.planning import plan_changes
from quotas.enforcement.selectors.loop import current_limits
from tenants.contracts import PlacementRef
from tenants.models import Placement
from tests.quotas.enforcement.conftest import one
from tests.quotas.enforcement.fakes import FakePlane, make_target, make_version, move, unreachable

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sent")]


def test_a_preview_says_what_would_change_and_writes_nothing(plane: FakePlane) -> None:
    placement = one(plane)
    rows = Rollout.objects.count()
    move([placement], make_version({"pods": 20}, 2))
    limits = current_limits(None, timezone.now())
    result = plan_changes(limits_by_tenant=limits, placements=[placement])
    change = result.plans[placement.pk].changes[0]
    assert [(item.path, item.before, item.after) for item in change.fields] == [
        ("hard[pods]", "10", "20")
    ]
    assert result.reads > 0
    assert plane.writes == []
    assert Rollout.objects.count() == rows


def test_a_preview_names_the_targets_that_cannot_be_seen(plane: FakePlane) -> None:
    placement = one(plane)
    away = make_target("away")
    plane.down[away.pk] = unreachable()
    other = Placement.objects.create(tenant=placement.tenant, target=away, location="t0")
    limits = current_limits(None, timezone.now())
    result = plan_changes(limits_by_tenant=limits, placements=[placement, other.pk])
    assert set(result.plans) == {placement.pk}
    assert result.failures == {away.pk: "connection refused"}


def test_a_preview_takes_placements_that_do_not_exist_yet(plane: FakePlane) -> None:
    placement = one(plane)
    limits = {-1: current_limits(None, timezone.now())[placement.tenant_id]}
    coming = PlacementRef(-1, "new", "prod", "kubernetes", "new")
    result = plan_changes(
        limits_by_tenant=limits, placements=[], extra={placement.target_id: (coming,)}
    )
    assert str(result.plans[-1].changes[0].ref) == "Quota new/headroom"
