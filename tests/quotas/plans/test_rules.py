"""What makes a set of limits a sound plan."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from console.errors import DomainError
from quotas.plans.limits import format_limit, parse_key
from quotas.plans.rules import (
    Limits,
    Problem,
    Severity,
    parse_limits,
    require_valid,
    validate_limits,
    with_defaults,
)

SMALL = st.one_of(st.none(), st.integers(0, 5), st.integers(50, 700))
CPU_LIMITS = st.dictionaries(
    st.sampled_from(
        [
            *("requests.cpu", "limits.cpu", "requests.cpu@Terminating", "pod.max.cpu"),
            *(f"container.{name}.cpu" for name in ("min", "max", "default", "defaultRequest")),
        ]
    ),
    SMALL,
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
        ({"container.default.cpu": 500_000}, "unlikely_default"),
        (
            {"limits.cpu": 100, "container.default.cpu": 200},
            "default_above_quota",
        ),
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


def test_errors_come_before_warnings() -> None:
    limits = {"requests.cpu": 1000, "temporal.weight": 1000, "temporal.tenant_rate": 1000}

    assert _codes(limits) == ["rate_and_weight", "default_added"]


def test_a_ratio_needs_no_bound_where_the_minimum_is_0_or_missing() -> None:
    assert _codes({"container.maxLimitRequestRatio.cpu": 9000, "container.max.cpu": 1}) == []
    assert _codes({"container.maxLimitRequestRatio.cpu": 9000, "container.min.cpu": 0}) == []


def test_a_problem_says_the_values_as_people_write_them() -> None:
    problems = validate_limits({"pod.min.memory": 2 * 2**30, "pod.max.memory": 2**30})

    assert problems == [
        Problem(
            "pod.min.memory",
            "range_out_of_order",
            "pod.min.memory (2Gi) must not be above pod.max.memory (1Gi).",
        )
    ]


def test_a_quota_without_defaults_gets_the_side_that_it_needs() -> None:
    added = with_defaults({"requests.cpu": 40_000, "limits.memory": 2**40})

    assert added == {
        "requests.cpu": 40_000,
        "limits.memory": 2**40,
        "container.defaultRequest.cpu": 100,
        "container.default.memory": 512 * 2**20,
    }


@pytest.mark.parametrize(
    "limits",
    [
        {},
        {"pods": 3},
        {"requests.cpu": None},
        {"requests.cpu": 1000, "container.defaultRequest.cpu": 10},
        {"requests.cpu": 1000, "container.default.cpu": 10},
        {"requests.ephemeral-storage": 1},
    ],
)
def test_nothing_is_added_where_nothing_is_needed(limits: dict[str, int | None]) -> None:
    assert with_defaults(limits) == limits


def test_a_scoped_quota_needs_defaults_too() -> None:
    assert with_defaults({"limits.cpu@Terminating": 1000})["container.default.cpu"] == 500


def test_an_unlimited_default_counts_as_missing() -> None:
    limits = {"requests.cpu": 1000, "container.defaultRequest.cpu": None}

    assert with_defaults(limits)["container.defaultRequest.cpu"] == 100


@pytest.mark.parametrize(
    ("limits", "key", "value"),
    [
        ({"requests.cpu": 50}, "container.defaultRequest.cpu", 50),
        ({"requests.cpu": 0}, "container.defaultRequest.cpu", 100),
        ({"requests.cpu": 1000, "pod.max.cpu": 60}, "container.defaultRequest.cpu", 60),
        ({"requests.cpu": 1000, "container.min.cpu": 200}, "container.defaultRequest.cpu", 200),
        ({"limits.cpu": 9000, "container.max.cpu": 300}, "container.default.cpu", 300),
        ({"limits.cpu": 9000, "container.defaultRequest.cpu": 800}, "container.default.cpu", 800),
        (
            {
                "limits.cpu": 9000,
                "container.defaultRequest.cpu": 100,
                "container.maxLimitRequestRatio.cpu": 2000,
            },
            "container.default.cpu",
            200,
        ),
        (
            {
                "requests.cpu": 9000,
                "container.max.cpu": 1000,
                "container.maxLimitRequestRatio.cpu": 2000,
            },
            "container.defaultRequest.cpu",
            500,
        ),
    ],
)
def test_an_added_default_fits_the_plan(
    limits: dict[str, int | None], key: str, value: int
) -> None:
    assert with_defaults(limits)[key] == value


@given(CPU_LIMITS)
def test_added_defaults_never_break_a_plan_that_was_sound(limits: dict[str, int | None]) -> None:
    def errors(of: Limits) -> list[str]:
        return [p.message for p in validate_limits(of) if p.severity is Severity.ERROR]

    assume(not errors(limits))
    filled = with_defaults(limits)

    assert errors(filled) == []
    assert with_defaults(filled) == filled
    assert {key: filled[key] for key in limits if limits[key] is not None} == {
        key: value for key, value in limits.items() if value is not None
    }
