"""What a plan becomes on a task queue, before anything is sent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quotas.enforcement.adapters.temporal.adapter import TemporalAdapter
from quotas.enforcement.ports import Compiled, Scalar
from quotas.plans.contracts import EffectiveLimits
from tenants.contracts import PlacementRef, TargetRef
from tests.contract.adapter_harness import limits

ADAPTER = TemporalAdapter()
TARGET = TargetRef(
    1, "jobs", "temporal", "localhost:7233", "",
    options={"queues": {"fair": {"base_rate": 2_000, "queue_rate": 90_000}, "open": {}}},
    features={"fairness": True},
)  # fmt: skip
OWN = PlacementRef(1, "acme", "jobs", "temporal", "acme-jobs")
FAIR = PlacementRef(2, "acme", "jobs", "temporal", "fair", "shared", "acme")
OPEN = replace(FAIR, location="open")
SUSPENDED = replace(limits({"temporal.tenant_rate": 8_000}), suspended=True)


def compiled(
    wanted: EffectiveLimits | None, placement: PlacementRef, target: TargetRef = TARGET
) -> Compiled:
    """What the adapter makes of it."""
    return ADAPTER.compile(limits=wanted, placement=placement, target=target)


def fields(result: Compiled) -> dict[str, Scalar]:
    """The fields of the only object."""
    (item,) = result.objects
    return dict(item.fields)


def codes(result: Compiled) -> list[tuple[str, str]]:
    """What is refused, and why."""
    return [(item.key, item.code) for item in result.refusals]


@pytest.mark.parametrize(
    ("values", "rate"),
    [
        ({"temporal.queue_rate": 20_000}, 20_000),
        ({"temporal.tenant_rate": 500}, 500),
        ({"temporal.queue_rate": 20_000, "temporal.tenant_rate": 5_000}, 5_000),
        ({"temporal.queue_rate": None, "temporal.tenant_rate": 5_000}, 5_000),
        ({"temporal.queue_rate": 0}, 0),
    ],
)
def test_a_dedicated_queue_gets_the_smaller_rate(values: dict[str, int | None], rate: int) -> None:
    result = compiled(limits(values), OWN)
    assert fields(result) == {"queue_rate": rate}
    keys = {key for key, value in values.items() if value is not None}
    assert result.objects[0].limits == dict.fromkeys(keys, "queue_rate")
    assert result.objects[0].ref.part == ""


@pytest.mark.parametrize("values", [{}, {"temporal.queue_rate": None}, {"temporal.weight": 2_000}])
def test_a_dedicated_queue_without_a_rate_is_left_without_one(
    values: dict[str, int | None],
) -> None:
    assert compiled(limits(values), OWN) == Compiled()


@pytest.mark.parametrize("values", [{}, {"temporal.queue_rate": 5_000}])
def test_suspending_pauses_a_dedicated_queue(values: dict[str, int | None]) -> None:
    result = compiled(replace(limits(values), suspended=True), OWN)
    assert fields(result) == {"queue_rate": 0}
    assert result.objects[0].shown == {"queue_rate": "paused"}


def test_a_rate_beyond_the_servers_precision_is_rounded_aloud() -> None:
    result = compiled(limits({"temporal.queue_rate": 8_400_001}), OWN)
    assert fields(result) == {"queue_rate": 8_400_000}
    assert "8400/s" in result.warnings[0]


@pytest.mark.parametrize(
    ("values", "weight"),
    [
        ({"temporal.tenant_rate": 20_000}, 10_000),
        ({"temporal.tenant_rate": 2_000}, 1_000),
        ({"temporal.tenant_rate": 100}, 50),
        ({"temporal.tenant_rate": 6_000, "temporal.weight": 9_000}, 3_000),
        ({"temporal.weight": 9_000}, 9_000),
        ({}, 1_000),
    ],
)
def test_a_share_of_a_queue_is_rate_over_base_rate(
    values: dict[str, int | None], weight: int
) -> None:
    result = compiled(limits(values), FAIR)
    assert fields(result) == {"weight": weight, "base_rate": 2_000, "queue_rate": 90_000}
    assert result.objects[0].ref.part == "acme"
    assert result.refusals == ()


def test_a_weight_beside_a_rate_has_no_effect_and_that_is_said() -> None:
    result = compiled(limits({"temporal.tenant_rate": 6_000, "temporal.weight": 9_000}), FAIR)
    assert "has no effect" in result.warnings[0]


def test_unlimited_cannot_be_said_where_there_is_a_base_rate() -> None:
    result = compiled(limits({"temporal.tenant_rate": None}), FAIR)
    assert codes(result) == [("temporal.tenant_rate", "unlimited")]
    assert fields(result)["weight"] == 1_000


def test_suspending_a_share_is_the_least_weight_and_the_leak_is_said() -> None:
    result = compiled(SUSPENDED, FAIR)
    assert fields(result)["weight"] == 1
    assert "one task per partition" in result.warnings[0]


def test_none_is_the_least_weight_and_the_leak_is_said() -> None:
    result = compiled(limits({"temporal.tenant_rate": 0}), FAIR)
    assert fields(result)["weight"] == 1
    assert "one task per partition" in result.warnings[0]


def test_a_rate_below_the_least_weight_is_raised_to_it_aloud() -> None:
    coarse = replace(TARGET, options={"queues": {"fair": {"base_rate": 9_000_000}}})
    result = compiled(limits({"temporal.tenant_rate": 1_000}), FAIR, coarse)
    assert fields(result)["weight"] == 1
    assert result.warnings == ("1/s is less than the least rate on this queue; 9/s is set.",)


def test_a_rate_that_is_no_multiple_of_the_base_is_rounded_aloud() -> None:
    thirds = replace(TARGET, options={"queues": {"fair": {"base_rate": 3_000}}})
    result = compiled(limits({"temporal.tenant_rate": 10_000}), FAIR, thirds)
    assert fields(result)["weight"] == 3_333
    assert "9.999/s" in result.warnings[0]


def test_without_a_base_rate_a_tenant_can_have_a_share_but_no_rate() -> None:
    result = compiled(limits({"temporal.weight": 3_000}), OPEN)
    assert fields(result) == {"weight": 3_000}
    assert result.refusals == ()
    rated = compiled(limits({"temporal.tenant_rate": 5_000}), OPEN)
    assert codes(rated) == [("temporal.tenant_rate", "no_base_rate")]


def test_without_a_base_rate_a_tenant_cannot_be_suspended() -> None:
    assert ("", "cannot_suspend") in codes(compiled(SUSPENDED, OPEN))


def test_a_base_rate_of_zero_is_none_because_the_server_takes_it_for_unlimited() -> None:
    zero = replace(TARGET, options={"queues": {"fair": {"base_rate": 0}}})
    result = compiled(limits({"temporal.tenant_rate": 5_000}), FAIR, zero)
    assert "base_rate" not in fields(result)
    assert codes(result) == [("temporal.tenant_rate", "no_base_rate")]


def test_a_server_without_fairness_refuses_shared_queues_only() -> None:
    unfair = replace(TARGET, features={"fairness": False})
    wanted = limits({"temporal.tenant_rate": 5_000})
    result = compiled(wanted, FAIR, unfair)
    assert result.objects == ()
    assert codes(result) == [("temporal.tenant_rate", "no_fairness")]
    assert compiled(wanted, OWN, unfair).refusals == ()
    assert codes(compiled(limits({}), FAIR, unfair)) == [("", "no_fairness")]


def test_a_queue_that_the_target_does_not_declare_is_refused() -> None:
    result = compiled(limits({}), replace(FAIR, location="nowhere"))
    assert codes(result) == [("", "queue_not_declared")]


@pytest.mark.parametrize("placement", [OWN, FAIR])
def test_who_may_start_nothing_starts_nothing_by_leaving(placement: PlacementRef) -> None:
    result = compiled(None, replace(placement, leaving=True, stopped=True))
    (warning,) = result.warnings
    if placement is OWN:
        assert fields(result) == {"queue_rate": 0}
        assert "stays paused" in warning
    else:  # a queue holds 1000 keys: this one makes room
        assert result.objects == ()
        assert "cancel its workflows first" in warning


@pytest.mark.parametrize("placement", [OWN, FAIR])
def test_leaving_wants_nothing(placement: PlacementRef) -> None:
    assert compiled(SUSPENDED, replace(placement, leaving=True)) == Compiled()
    assert compiled(None, placement) == Compiled()


@pytest.mark.parametrize(
    ("location", "sharing", "key", "wrong"),
    [
        ("acme-jobs", "dedicated", "", set()),
        ("fair", "shared", "acme", set()),
        ("", "dedicated", "", {"location"}),
        (" acme", "dedicated", "", {"location"}),
        ("/_sys/x", "dedicated", "", {"location"}),
        ("x" * 1001, "dedicated", "", {"location"}),
        ("nowhere", "shared", "acme", {"location"}),
        ("fair", "shared", "", {"fairness_key"}),
        ("fair", "shared", "é" * 33, {"fairness_key"}),
        ("fair", "dedicated", "", {"sharing"}),
        ("acme-jobs", "dedicated", "acme", {"fairness_key"}),
    ],
)
def test_a_placement_is_checked_before_the_server_would_take_it_silently(
    location: str, sharing: str, key: str, wrong: set[str]
) -> None:
    faults = ADAPTER.validate(location=location, sharing=sharing, fairness_key=key, target=TARGET)
    assert set(faults) == wrong


@pytest.mark.parametrize(("calls", "least"), [(0, 0), (1, 0.1), (100, 0.6), (110, 1), (1_100, 100)])
def test_what_it_costs_respects_what_the_server_takes(calls: int, least: float) -> None:
    seconds = ADAPTER.seconds(calls=calls, latency_ms=2, concurrency=16)
    assert least <= seconds <= least * 1.2
