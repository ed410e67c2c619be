"""What makes a set of limits a sound plan."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.errors import DomainError
from quotas.plans.limits import format_limit, parse_key
from quotas.plans.rules.soundness import (
    Limits,
    Problem,
    Severity,
    parse_limits,
    require_valid,
    validate_limits,
)


def _codes(limits: Limits) -> list[str]:
    return [problem.code for problem in validate_limits(limits)]


def test_a_whole_plan_is_read_in_base_units_under_normalised_keys() -> None:
    assert parse_limits(
        {
            "cpu": 40,
            "memory": "96Gi",
            "limits.memory": "∞",
            "pods": 0,
            "temporal.tenant_rate": "20/s",
            "job.ttlSecondsAfterFinished": "2h",
        }
    ) == {
        "requests.cpu": 40_000,
        "requests.memory": 96 * 2**30,
        "limits.memory": None,
        "pods": 0,
        "temporal.tenant_rate": 20_000,
        "job.ttlSecondsAfterFinished": 7200,
    }


def test_every_problem_of_a_plan_is_named_at_once() -> None:
    with pytest.raises(DomainError) as refusal:
        parse_limits({"cpu": "1K", "requests.cpu": 2, "pods@X": 2, "pods": "1.5", "secrets": 3})

    assert refusal.value.code == "invalid_limits"
    assert refusal.value.field == "requests.cpu"
    assert [(p["field"], p["code"]) for p in refusal.value.detail["problems"]] == [
        ("requests.cpu", "invalid_limit"),
        ("requests.cpu", "duplicate_limit"),
        ("pods@X", "invalid_limit_key"),
        ("pods", "invalid_limit"),
    ]


def test_two_spellings_of_one_limit_are_refused() -> None:
    with pytest.raises(DomainError, match=r"memory sets requests\.memory a second time"):
        parse_limits({"requests.memory": "1Gi", "memory": "1Gi"})


@given(
    st.dictionaries(
        st.sampled_from(["requests.cpu", "limits.memory", "pods", "temporal.queue_rate"]),
        # As much as anybody can mean of each; entry refuses the rest.
        st.one_of(st.none(), st.just(0), st.integers(2**20, 10_000_000)),
    )
)
def test_a_plan_written_out_reads_back_exactly(limits: dict[str, int | None]) -> None:
    written = {key: format_limit(parse_key(key), value) for key, value in limits.items()}

    assert parse_limits(written) == limits


def test_a_sound_plan_has_no_problems() -> None:
    limits = {
        "requests.cpu": 40_000,
        "container.default.cpu": 1000,
        "container.defaultRequest.cpu": 500,
        "container.min.cpu": 10,
        "container.max.cpu": 8000,
        "container.maxLimitRequestRatio.cpu": 4000,
        "container.maxLimitRequestRatio.memory": None,
        "temporal.weight": 1500,
    }

    assert validate_limits(limits) == []
    require_valid(limits)


@pytest.mark.parametrize(
    ("limits", "field", "code"),
    [
        ({"bogus": 1}, "bogus", "invalid_limit_key"),
        ({"cpu": 1000}, "cpu", "invalid_limit_key"),
        ({"pods": -1}, "pods", "invalid_limit"),
        (
            {"container.min.cpu": 200, "container.max.cpu": 100},
            "container.min.cpu",
            "range_out_of_order",
        ),
        (
            {"container.defaultRequest.cpu": 200, "container.default.cpu": 100},
            "container.defaultRequest.cpu",
            "range_out_of_order",
        ),
        ({"pvc.min.storage": 2, "pvc.max.storage": 1}, "pvc.min.storage", "range_out_of_order"),
        (
            {"pod.maxLimitRequestRatio.cpu": 999},
            "pod.maxLimitRequestRatio.cpu",
            "ratio_below_one",
        ),
        (
            {
                "container.maxLimitRequestRatio.cpu": 1500,
                "container.min.cpu": 3000,
                "container.max.cpu": 4000,
            },
            "container.maxLimitRequestRatio.cpu",
            "ratio_above_range",
        ),
        (
            {"temporal.weight": 1000, "temporal.tenant_rate": 1000},
            "temporal.weight",
            "rate_and_weight",
        ),
    ],
)
def test_a_contradiction_is_an_error_of_the_limit_to_change(
    limits: dict[str, int | None], field: str, code: str
) -> None:
    problems = validate_limits(limits)

    assert [(p.field, p.code, p.severity) for p in problems] == [(field, code, Severity.ERROR)]
    with pytest.raises(DomainError) as refusal:
        require_valid(limits)
    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"requests.cpu": 1000}, "default_added"),
        ({"temporal.tenant_rate": 0}, "rate_of_none"),
        ({"container.default.cpu": 500_000}, "unlikely_rule"),
        ({"container.min.cpu": 100_000}, "unlikely_rule"),
        ({"container.max.cpu": 2_000_000, "container.default.cpu": 100}, "unlikely_rule"),
        ({"pvc.max.storage": 0}, "rule_of_none"),
        ({"pvc.min.storage": 2**31, "requests.storage": 2**30}, "min_above_quota"),
        (
            {"pod.min.cpu": 4000, "requests.cpu": 2000, "container.defaultRequest.cpu": 100},
            "min_above_quota",
        ),
        (
            {"limits.cpu": 100, "container.default.cpu": 200},
            "default_above_quota",
        ),
        ({"container.default.ephemeral-storage": 2**30}, "default_evicts"),
        ({"pod.max.memory": 2**30}, "names_demanded"),
        ({"limits.memory": 2**30, "container.min.memory": 2**31}, "min_above_quota"),
        ({"requests.memory": 2**30, "container.min.memory": 2**31}, "min_above_quota"),
        (
            {
                "container.maxLimitRequestRatio.cpu": 1000,
                "container.default.cpu": 200,
                "container.defaultRequest.cpu": 100,
            },
            "ratio_below_defaults",
        ),
    ],
)
def test_a_surprise_is_a_warning_and_does_not_stop_the_plan(
    limits: dict[str, int | None], code: str
) -> None:
    assert [(p.code, p.severity) for p in validate_limits(limits)] == [(code, Severity.WARNING)]
    require_valid(limits)


@pytest.mark.parametrize(
    ("written", "question"),
    [
        ({"container.default.cpu": "500"}, "did you mean 500m?"),
        ({"container.min.cpu": "100"}, "did you mean 100m?"),
        ({"container.max.cpu": "2000"}, "did you mean 2000m?"),
        ({"pod.max.cpu": "2000"}, "did you mean 2000m?"),
        ({"container.default.memory": "1Pi"}, "did you mean 1Gi?"),
        ({"container.min.memory": "2000Gi"}, "did you mean 2000Mi?"),
        ({"container.max.memory": "0"}, "no container that requests any memory is accepted; leave"),
        ({"container.default.memory": "0"}, "is accepted unless it names a limit; leave it out"),
        ({"pvc.max.storage": "0"}, "no volume claim that requests any storage is accepted; leave"),
        ({"pod.max.cpu": "0"}, "no pod that requests any cpu is accepted"),
        ({"pvc.min.storage": "10Gi", "requests.storage": "5Gi"}, "no volume claim fits"),
        (
            {"container.min.memory": "2Gi", "limits.memory@PriorityClass=high": "1Gi"},
            "no container in its scope fits",
        ),
        (
            {"container.default.cpu": "2", "limits.cpu@Terminating": "1"},
            "no pod in its scope that relies on the default can start",
        ),
    ],
)
def test_what_nobody_can_mean_for_one_container_is_asked_about(
    written: dict[str, str], question: str
) -> None:
    messages = [problem.message for problem in validate_limits(parse_limits(written))]

    assert any(question in message for message in messages), messages


@pytest.mark.parametrize(
    "written",
    [
        {"container.min.cpu": "0", "container.min.memory": "0"},
        {"container.max.cpu": "512", "container.max.memory": "12Ti"},
        {"pvc.min.storage": "1Gi", "requests.storage": "5Gi"},
        {"pvc.max.storage": "200Ti"},
    ],
)
def test_what_somebody_can_mean_is_not_asked_about(written: dict[str, str]) -> None:
    codes = _codes(parse_limits(written))

    assert not {"unlikely_rule", "rule_of_none", "min_above_quota"} & set(codes)


def test_errors_come_before_warnings() -> None:
    limits = {"requests.cpu": 1000, "temporal.weight": 1000, "temporal.tenant_rate": 1000}

    assert _codes(limits) == ["rate_and_weight", "default_added"]


def test_a_ratio_needs_no_bound_where_the_minimum_is_0_or_missing() -> None:
    assert _codes({"container.maxLimitRequestRatio.cpu": 9000, "container.max.cpu": 1}) == []
    no_bound = {"container.maxLimitRequestRatio.cpu": 9000, "container.min.cpu": 0}
    # That ratio demands a request and a limit, which is another matter.
    assert _codes(no_bound) == ["names_demanded"]


def test_a_problem_says_the_values_as_people_write_them() -> None:
    problems = validate_limits({"pod.min.memory": 2 * 2**30, "pod.max.memory": 2**30})

    assert problems == [
        Problem(
            "pod.min.memory",
            "range_out_of_order",
            "pod.min.memory (2Gi) must not be above pod.max.memory (1Gi).",
        )
    ]
