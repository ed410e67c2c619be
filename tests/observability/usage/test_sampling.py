"""Samples of use: slots, gaps, and running twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from observability.usage import charts, sampling
from observability.usage.models import SLOT_SECONDS, SLOTS, UsageSamples
from quotas.enforcement.models import PlacementState
from quotas.plans.contracts import Unit
from tenants.models import Placement, Target, Tenant

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
def placed(db: None) -> PlacementState:
    tenant = Tenant.objects.create(slug="acme", name="Acme")
    target = Target.objects.create(slug="prod", name="Prod", kind="kubernetes")
    placement = Placement.objects.create(tenant=tenant, target=target, location="acme")
    return PlacementState.objects.create(
        placement=placement,
        observed_at=NOON,
        limits={"pods": {"enforced": 10, "used": 4}, "limits.cpu": {"enforced": 1, "used": None}},
    )


def test_a_first_look_starts_samples_of_known_values_only(placed: PlacementState) -> None:
    assert sampling.sample(now=NOON) == 1
    assert UsageSamples.objects.get().values == {"pods": [4]}


def test_two_runs_in_one_slot_keep_the_largest_value(placed: PlacementState) -> None:
    sampling.sample(now=NOON)
    PlacementState.objects.update(limits={"pods": {"used": 2}})
    sampling.sample(now=NOON + timedelta(minutes=5))
    assert UsageSamples.objects.get().values == {"pods": [4]}


def test_what_is_no_news_is_not_written(
    placed: PlacementState, django_assert_num_queries: Any
) -> None:
    assert sampling.sample(now=NOON) == 1
    with django_assert_num_queries(2):
        assert sampling.sample(now=NOON) == 0
    later = NOON + timedelta(seconds=SLOT_SECONDS)
    PlacementState.objects.update(observed_at=later)
    assert sampling.sample(now=later) == 1


def test_slots_in_which_nobody_looked_are_gaps(placed: PlacementState) -> None:
    sampling.sample(now=NOON)
    later = NOON + timedelta(minutes=45)
    PlacementState.objects.update(limits={"pods": {"used": 9}}, observed_at=later)
    sampling.sample(now=later)
    assert UsageSamples.objects.get().values == {"pods": [4, None, None, 9]}


def test_a_placement_nobody_looked_at_lately_is_left_alone(placed: PlacementState) -> None:
    assert sampling.sample(now=NOON + timedelta(hours=2)) == 0
    assert not UsageSamples.objects.exists()


def test_samples_are_never_longer_than_a_day() -> None:
    line: list[int | None] = [1] * SLOTS
    assert sampling.merged({"pods": line}, {"pods": 7}, shift=1)["pods"] == [1] * (SLOTS - 1) + [7]
    assert sampling.merged({"pods": line}, {}, shift=10_000) == {}


def test_a_clock_that_went_back_writes_into_the_newest_slot() -> None:
    assert sampling.merged({"pods": [1, 2]}, {"pods": 5}, shift=-3) == {"pods": [1, 5]}


def test_a_line_is_aligned_to_now() -> None:
    assert charts.aligned([1, 2], missing=1, slots=5) == [None, None, 1, 2, None]
    assert charts.aligned([1, 2, 3], missing=0, slots=2) == [2, 3]


def test_a_sparkline_says_its_range_in_words() -> None:
    assert charts.spark([None, 1500, 2000], unit=Unit.MILLICORES, limit=4000).text == (
        "24 h: 1.5 cores to 2 cores"
    )
    assert charts.spark([None], unit=Unit.COUNT, limit=None).text == "No history yet"
