"""Which limits held long ago goes; what holds, will hold, or held while kept runs ran stays."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from django.utils import timezone
from pytest_django import Settings

from quotas.plans.models import Lease, Subscription, Suspension
from quotas.plans.selectors import limits_kept_since
from quotas.plans.services.retention import prune_past_limits

NOW = timezone.now()


def ago(days: float) -> datetime:
    """So many days before now."""
    return NOW - timedelta(days=days)


def lease(dataset: SimpleNamespace, ended: float) -> Lease:
    """One that ended so many days ago."""
    return Lease.objects.create(
        tenant=dataset.acme, key="pods", value=50, reason="load test", author="ann",
        starts_at=ago(ended + 1), ends_at=ago(ended),
    )  # fmt: skip


def test_leases_and_suspensions_go_800_days_after_they_ended(dataset: SimpleNamespace) -> None:
    lease(dataset, 801)
    kept = [lease(dataset, days).pk for days in (799, 1, -5)]
    for ended in (801, 799):
        Suspension.objects.create(
            tenant=dataset.acme, reason="debt", author="ann",
            starts_at=ago(ended + 1), ends_at=ago(ended),
        )  # fmt: skip
    assert prune_past_limits(NOW, math.inf) == 2
    assert sorted(Lease.objects.values_list("pk", flat=True)) == sorted(kept)
    assert Suspension.objects.count() == 1


def test_the_subscription_that_is_in_force_stays_however_old(dataset: SimpleNamespace) -> None:
    Subscription.objects.update(starts_at=ago(5000))
    open_ones = Subscription.objects.count()
    held = Subscription.objects.filter(tenant=dataset.acme).get()
    Subscription.objects.create(
        tenant=dataset.acme, version=held.version, starts_at=ago(9000), ends_at=ago(5000)
    )
    assert prune_past_limits(NOW, math.inf) == 1
    assert Subscription.objects.filter(ends_at=None).count() == open_ones


def test_past_limits_are_kept_at_least_as_long_as_runs(settings: Settings) -> None:
    settings.LIMIT_RETENTION_DAYS, settings.JOB_RETENTION_DAYS = 30, 400
    assert limits_kept_since(NOW) == ago(400)


@pytest.mark.django_db
def test_nothing_goes_where_nothing_is() -> None:
    assert prune_past_limits(NOW, math.inf) == 0
