"""REST claims of nothing that it is in sync while nobody compares it, as the pages do not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from console.access.models import Role
from console.loops.contracts import BEAT
from quotas.enforcement.models import TargetState
from tenants.models import Placement, Target
from tests.console.loops.rows import all_run, stopped
from tests.quotas.enforcement.fakes import FakePlane
from tests.quotas.enforcement.page_rows import tenant
from tests.rest import Rest


@pytest.fixture
def rest(lab: Target) -> Rest:
    """Somebody who reads, of acme on lab, which was compared a moment ago."""
    all_run()
    tenant("acme", lab)
    now = timezone.now()
    TargetState.objects.update(swept_at=now, checked_at=now)
    return Rest(Role.VIEWER)


def conditions(rest: Rest) -> dict[str, Any]:
    """What each endpoint says of acme on lab."""
    placement = Placement.objects.get()
    headroom = rest.get("tenants/acme/headroom/").json()
    return {
        "tenants": rest.get("tenants/").json()["results"][0]["condition"],
        "tenant": rest.get("tenants/acme/").json()["condition"],
        "headroom": headroom["condition"],
        "headroom of the placement": headroom["placements"][0]["condition"],
        "placements": rest.get("placements/").json()["results"][0]["condition"],
        "placement": rest.get(f"placements/{placement.pk}/").json()["condition"],
        "targets": rest.get("targets/").json()["results"][0]["condition"],
        "target": rest.get("targets/lab/").json()["condition"],
    }


def test_what_is_compared_again_and_again_is_in_sync(rest: Rest) -> None:
    assert set(conditions(rest).values()) == {"synced"}


def test_nothing_is_in_sync_while_the_scheduler_is_dead(rest: Rest) -> None:
    stopped(BEAT, "tick", "ingest")
    assert set(conditions(rest).values()) == {"unchecked"}


def test_nothing_is_in_sync_at_a_target_that_nobody_compares(rest: Rest) -> None:
    at = timezone.now() - timedelta(minutes=20)
    Target.objects.update(updated_at=at)
    TargetState.objects.update(swept_at=at)
    assert set(conditions(rest).values()) == {"unchecked"}


def test_a_connection_test_does_not_claim_it_either(rest: Rest, plane: FakePlane) -> None:
    operator = Rest(Role.OPERATOR)
    assert operator.post("targets/lab/test/").json()["condition"] == "synced"
    stopped(BEAT, "tick", "ingest")
    assert operator.post("targets/lab/test/").json()["condition"] == "unchecked"


def test_trouble_stays_what_it_is(rest: Rest) -> None:
    stopped(BEAT, "tick", "ingest")
    state = Placement.objects.get().state
    state.condition = "conflict"
    state.save()
    assert conditions(rest)["placement"] == "conflict"
