"""The loop's reads say the same as the whole history does, only faster."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from quotas.enforcement.selectors.loop import current_limits
from quotas.plans.effective import effective_limits
from quotas.plans.models import Lease, Override, Subscription, Suspension
from quotas.plans.selectors import boundaries_between, load_histories
from tests.quotas.enforcement.fakes import make_target, make_tenants, make_version, move

pytestmark = pytest.mark.django_db


def test_limits_in_force_now_are_those_of_the_whole_history() -> None:
    now = timezone.now()
    placements = make_tenants(make_target(), make_version({"pods": 10, "services": None}), 6)
    move(placements[:2], make_version({"pods": 20}, 2))
    tenants = [placement.tenant for placement in placements]
    common: dict[str, Any] = {"reason": "r", "author": "ann"}
    Override.objects.create(tenant=tenants[1], key="pods", value=5, starts_at=now, **common)
    Lease.objects.create(
        tenant=tenants[2], key="pods", value=None, starts_at=now, ends_at=now + timedelta(hours=1),
        **common,
    )  # fmt: skip
    Suspension.objects.create(tenant=tenants[3], starts_at=now, **common)
    Subscription.objects.filter(tenant=tenants[4]).delete()
    tenants[5].created_at = now + timedelta(days=1)
    tenants[5].save()
    histories = load_histories(None)
    for at in (now - timedelta(hours=1), timezone.now(), now + timedelta(hours=2)):
        whole = {pk: effective_limits(history, at) for pk, history in histories.items()}
        assert current_limits(None, at) == whole
        few = {tenants[2].pk, tenants[4].pk}
        assert current_limits(few, at) == {pk: whole[pk] for pk in few}


@pytest.mark.parametrize("number", [2, 40])
def test_histories_are_loaded_in_seven_queries(number: int, django_assert_num_queries: Any) -> None:
    make_tenants(make_target(), make_version({"pods": 10}), number)
    with django_assert_num_queries(7):
        assert len(load_histories(None)) == number


def test_boundaries_name_the_tenants_and_the_last_moment() -> None:
    now = timezone.now()
    placement = make_tenants(make_target(), make_version({"pods": 10}), 2)[0]
    Lease.objects.create(
        tenant=placement.tenant, key="pods", value=1, reason="r", author="ann",
        starts_at=now - timedelta(hours=1), ends_at=now,
    )  # fmt: skip
    second = timedelta(seconds=1)
    assert boundaries_between(now - second, now) == {placement.tenant_id: now}
    assert boundaries_between(now, now + second) == {}


_NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
_AUTHORED = {"reason": "r", "author": "ann"}


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (Lease, {"key": "pods", "value": 1, **_AUTHORED}),
        (Override, {"key": "pods", "value": 1, **_AUTHORED}),
        (Suspension, _AUTHORED),
        (Subscription, {}),
    ],
)
def test_each_kind_of_interval_has_its_start_and_its_end_for_boundaries(
    model: Any, values: dict[str, Any]
) -> None:
    version = make_version({"pods": 10})
    tenant = make_tenants(make_target(), version, 1)[0].tenant
    hour, second = timedelta(hours=1), timedelta(seconds=1)
    more = {"version": version} if model is Subscription else {}
    model.objects.create(tenant=tenant, starts_at=_NOON, ends_at=_NOON + hour, **values, **more)
    for at in (_NOON, _NOON + hour):
        assert boundaries_between(at - second, at) == {tenant.pk: at}
        assert boundaries_between(at, at + second) == {}
        assert boundaries_between(at - 2 * second, at - second) == {}
