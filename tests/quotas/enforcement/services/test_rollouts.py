"""Orders: what they write (the outbox) and what they do not (anything else)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from django.utils import timezone

from console.audit.models import Entry
from quotas.enforcement.models import PlacementState, RolloutItem, TenantState
from quotas.enforcement.ports import PlacementChanges
from quotas.enforcement.reconcile.queue import process_queue
from quotas.enforcement.services.rollouts import bump_generations, sync_now
from tenants.models import Placement
from tests.quotas.enforcement.conftest import ANN, one, order
from tests.quotas.enforcement.fakes import (
    FakePlane,
    make_target,
    make_tenants,
    make_version,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sent")]


def test_an_order_says_progressing_at_once(plane: FakePlane) -> None:
    placements = make_tenants(make_target(), make_version({"pods": 1}), 2)
    rollout = order(placements)
    assert (rollout.total, rollout.finished_at) == (2, None)
    assert set(PlacementState.objects.values_list("condition", flat=True)) == {"progressing"}
    assert set(TenantState.objects.values_list("condition", flat=True)) == {"progressing"}


def test_an_order_of_nothing_is_finished(plane: FakePlane) -> None:
    assert order([]).finished_at


@pytest.mark.parametrize("number", [3, 300])
def test_an_order_of_hundreds_takes_a_few_statements(
    plane: FakePlane, number: int, django_assert_max_num_queries: Any
) -> None:
    placements = make_tenants(make_target(), make_version({"pods": 1}), number)
    with django_assert_max_num_queries(24):
        order(placements)


def test_a_new_intent_is_a_new_generation_of_tenant_and_placements(plane: FakePlane) -> None:
    placements = make_tenants(make_target(), make_version({"pods": 1}), 2)
    bump_generations(tenant_ids=[placements[0].tenant_id])
    generations = Placement.objects.order_by("pk").values_list("generation", "tenant__generation")
    assert list(generations) == [(2, 2), (1, 1)]
    order(placements)
    items = RolloutItem.objects.order_by("placement").values_list("generation", flat=True)
    assert list(items) == [2, 1]


def test_sync_now_is_in_the_ledger(plane: FakePlane) -> None:
    placement = one(plane)
    plane.things.clear()
    sync_now(placements=[placement], actor=ANN, reason="looks wrong", at=timezone.now())
    process_queue(placement.target_id)
    assert plane.value(placement, "pods") == 10
    entry = Entry.objects.get(action="rollout.sync")
    assert (entry.actor, entry.reason) == ("ann", "looks wrong")


def test_the_persons_reason_and_name_go_along_to_the_plane(
    plane: FakePlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    placement = make_tenants(make_target(), make_version({"pods": 1}), 1)[0]
    reasons: list[tuple[str, str]] = []
    write = plane.apply

    def note(*, work: Sequence[PlacementChanges], **rest: Any) -> None:
        reasons.extend((item.reason, item.identity) for item in work)
        write(work=work, **rest)

    monkeypatch.setattr(plane, "apply", note)
    order([placement], reason="TICKET-7")
    process_queue(placement.target_id)
    assert reasons == [("TICKET-7", "headroom:ann")]
