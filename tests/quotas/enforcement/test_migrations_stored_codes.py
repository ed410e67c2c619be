"""Codes that older versions stored are those of this one: the data migration of enforcement."""

from __future__ import annotations

from importlib import import_module

import pytest
from django.apps import apps

from quotas.enforcement.models import PlacementState, RolloutItem
from tests.quotas.enforcement.conftest import order
from tests.quotas.enforcement.fakes import make_target, make_tenants, make_version

migration = import_module("quotas.enforcement.migrations.0002_codes_in_standard_terms")


@pytest.mark.django_db
@pytest.mark.usefixtures("sent")
def test_stored_codes_follow_and_can_be_taken_back() -> None:
    placements = make_tenants(make_target(), make_version({"pods": 1}), 3)
    order(placements)
    states = PlacementState.objects.filter(placement=placements[0])
    states.update(code="war")
    items = RolloutItem.objects.order_by("pk")
    for item, code in zip(items, ("unseen", "left", "conflict"), strict=True):
        RolloutItem.objects.filter(pk=item.pk).update(code=code)
    migration.upgrade(apps, None)
    assert states.get().code == "contested"
    assert list(items.values_list("code", flat=True)) == ["unobserved", "given_up", "conflict"]
    migration.downgrade(apps, None)
    assert states.get().code == "war"
    assert list(items.values_list("code", flat=True)) == ["unseen", "left", "conflict"]
