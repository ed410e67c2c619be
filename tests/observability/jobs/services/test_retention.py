"""Gaps go long after they ended, and no sooner than runs of that time."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from observability.jobs.models import IngestGap
from observability.jobs.services.retention import prune_gaps
from tests.observability.jobs.factories import make_target

NOW = timezone.now()


@pytest.mark.django_db
@pytest.mark.parametrize(("jobs", "left"), [(90, [364]), (500, [364, 366])])
def test_gaps_are_kept_for_a_year_or_as_long_as_jobs(
    settings: Settings, jobs: int, left: list[int]
) -> None:
    settings.JOB_RETENTION_DAYS = jobs
    for days in (364, 366, 501):
        ends = NOW - timedelta(days=days)
        IngestGap.objects.create(
            target=make_target(), starts_at=ends - timedelta(hours=1), ends_at=ends, cause="x"
        )
    prune_gaps(NOW, math.inf)
    ages = [(NOW - gap.ends_at).days for gap in IngestGap.objects.order_by("-ends_at")]
    assert ages == left
