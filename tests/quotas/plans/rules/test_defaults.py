"""What containers are given that name nothing: only where it is needed, and always what fits."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from quotas.plans.rules.defaults import Limits, defaults, limit_effects, with_defaults
from quotas.plans.rules.soundness import Severity, validate_limits

MI = 2**20
SMALL = st.one_of(st.none(), st.integers(0, 5), st.integers(50, 700))
RATIO = st.one_of(st.none(), st.integers(1000, 5000))
CPU_LIMITS = st.builds(
    lambda plain, ratios: plain | ratios,
    st.dictionaries(
        st.sampled_from(
            [
                *("requests.cpu", "limits.cpu", "requests.cpu@Terminating"),
                *("pod.min.cpu", "pod.max.cpu"),
                *(f"container.{name}.cpu" for name in ("min", "max", "default", "defaultRequest")),
            ]
        ),
        SMALL,
    ),
    st.dictionaries(
        st.sampled_from(
            ["container.maxLimitRequestRatio.cpu", "pod.maxLimitRequestRatio.cpu"]
        ),
        RATIO,
    ),
)  # fmt: skip
SMALL_DISK = {
    "limits.ephemeral-storage": 600 * MI,
    "pod.max.ephemeral-storage": 512 * MI,
}
"""The plan of kubernetes#110956."""


def server_gives(limits: Limits, resource: str) -> tuple[int | None, int | None]:
    """Request and limit of a container that names nothing, as the API server fills them in."""
    filled = with_defaults(limits)
    least, most, limit, request = (
        filled.get(f"container.{name}.{resource}")
        for name in ("min", "max", "default", "defaultRequest")
    )
    limit = most if limit is None else limit
    request = limit if request is None else request
    return (least if request is None else request), limit


def test_a_quota_without_defaults_gets_the_side_that_it_needs() -> None:
    added = with_defaults({"requests.cpu": 40_000, "limits.memory": 2**40})

    assert added == {
        "requests.cpu": 40_000,
        "limits.memory": 2**40,
        "container.defaultRequest.cpu": 100,
        "container.default.memory": 256 * MI,
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
        # Only quotas on CPU and memory make requests mandatory.
        {"limits.ephemeral-storage": 10 * 2**30, "requests.ephemeral-storage": 2**30},
        {"requests.storage": 2**40, "requests.nvidia.com/gpu": 4},
        # What names nothing is not counted there.
        {"requests.cpu@NotBestEffort": 4000, "pods@BestEffort": 5},
        # Nobody can start anyway.
        {"requests.cpu": 0, "limits.memory": 0},
        # The API server's own completion does.
        {"limits.cpu": 9000, "container.max.cpu": 300},
        {"requests.cpu": 1000, "container.min.cpu": 200},
        {"requests.cpu": 9000, "container.max.cpu": 1000,
         "container.maxLimitRequestRatio.cpu": 2000},
    ],
)  # fmt: skip
def test_nothing_is_added_where_nothing_is_needed(limits: dict[str, int | None]) -> None:
    assert with_defaults(limits) == limits
    assert defaults(limits).notes == ()


def test_a_scoped_quota_needs_defaults_too() -> None:
    assert with_defaults({"limits.cpu@Terminating": 1000})["container.default.cpu"] == 500


def test_an_unlimited_default_counts_as_missing() -> None:
    limits = {"requests.cpu": 1000, "container.defaultRequest.cpu": None}

    assert with_defaults(limits)["container.defaultRequest.cpu"] == 100


@pytest.mark.parametrize(
    ("limits", "request_given", "limit_given"),
    [
        ({"requests.cpu": 50}, 50, None),
        ({"requests.cpu": 1000, "pod.max.cpu": 60}, 60, 60),
        ({"requests.cpu": 1000, "pod.min.cpu": 300}, 300, None),
        ({"requests.cpu": 1000, "container.min.cpu": 200}, 200, None),
        ({"limits.cpu": 9000, "container.max.cpu": 300}, 300, 300),
        ({"limits.cpu": 9000, "container.defaultRequest.cpu": 800}, 800, 800),
        # The server would give the maximum, which is more than the quota has.
        ({"requests.cpu": 400, "container.max.cpu": 4000}, 100, 4000),
        ({"requests.cpu": 400, "limits.cpu": 3000, "container.max.cpu": 4000}, 100, 500),
        ({"requests.cpu": 400, "container.max.cpu": 4000, "pod.max.cpu": 300}, 300, 300),
        (
            {
                "requests.cpu": 400,
                "container.max.cpu": 4000,
                "container.maxLimitRequestRatio.cpu": 5000,
            },
            100,
            500,
        ),
        ({"requests.cpu": 4000, "limits.cpu": 2000}, 100, 500),
        ({"requests.cpu": 4000, "limits.cpu": 2000, "container.min.cpu": 200}, 500, 500),
        ({"limits.cpu": 400, "container.max.cpu": 4000}, 400, 400),
        ({"limits.cpu": 4000, "container.max.cpu": 4000, "pod.max.cpu": 3000}, 500, 500),
        (
            {
                "limits.cpu": 9000,
                "container.defaultRequest.cpu": 100,
                "container.maxLimitRequestRatio.cpu": 2000,
            },
            100,
            200,
        ),
        ({"limits.cpu": 9000, "pod.maxLimitRequestRatio.cpu": 2000}, 500, 500),
        ({"requests.cpu": 100, "pod.maxLimitRequestRatio.cpu": 2000}, 100, 200),
        (
            {
                "requests.cpu": 9000,
                "container.max.cpu": 1000,
                "container.maxLimitRequestRatio.cpu": 2000,
            },
            1000,
            1000,
        ),
    ],
)
def test_an_added_default_fits_the_plan(
    limits: dict[str, int | None], request_given: int | None, limit_given: int | None
) -> None:
    assert server_gives(limits, "cpu") == (request_given, limit_given)


def test_a_small_disk_gets_the_default_that_its_pods_may_have_and_is_told_of_eviction() -> None:
    result = defaults(SMALL_DISK)

    assert result.added == {"container.default.ephemeral-storage": 512 * MI}
    (note,) = result.notes
    assert note.message == (
        "pod.max.ephemeral-storage refuses pods that name no limit, and the plan gives no default"
        " that fits, so containers are given 512Mi by container.default.ephemeral-storage; a pod"
        " that writes more to its local disk, logs included, is evicted."
    )
    assert "quota" not in note.message


def test_a_default_limit_of_memory_says_that_more_kills() -> None:
    (note,) = defaults({"limits.memory": 2**33}).notes

    assert note.message.startswith("limits.memory refuses pods that name no limit, and the plan")
    assert note.message.endswith(
        "given 256Mi by container.default.memory; a container that uses more is killed."
    )


@pytest.mark.parametrize(
    ("limits", "field", "reason"),
    [
        (
            {"requests.memory": 2**30, "container.min.memory": 2**31},
            "requests.memory",
            "requests.memory (1Gi) refuses pods that are given 2Gi, and no default fits the plan",
        ),
        (
            {"limits.memory": 2**33, "container.default.memory": 2**32, "pod.max.memory": 2**30},
            "pod.max.memory",
            "pod.max.memory (1Gi) refuses pods that are given 4Gi, and the plan's own default is",
        ),
    ],
)
def test_where_no_default_fits_none_is_added_and_it_is_told(
    limits: dict[str, int | None], field: str, reason: str
) -> None:
    result = defaults(limits)

    assert result.added == {}
    (note,) = result.notes
    assert (note.code, note.field) == ("no_default_fits", field)
    assert note.message.startswith(reason)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"pod.max.memory": 2**30}, "pod.max.memory refuses pods that name no limit"),
        ({"pod.min.memory": 2**30}, "pod.min.memory refuses pods that name no request"),
        (
            {"pod.maxLimitRequestRatio.memory": 2000},
            "pod.maxLimitRequestRatio.memory refuses pods that name no request",
        ),
    ],
)
def test_where_nothing_is_counted_people_name_what_they_use(
    limits: dict[str, int | None], reason: str
) -> None:
    result = defaults(limits)

    assert result.added == {}
    (note,) = result.notes
    assert note.code == "names_demanded"
    assert note.message == (
        f"{reason}, and the plan gives no default: pods that name no memory are refused."
    )


def test_who_is_killed_or_evicted_for_using_more_than_a_default_is_told() -> None:
    limits = {
        "container.default.memory": 2**30,
        "container.max.ephemeral-storage": 2 * 2**30,
        "container.default.cpu": 500,
    }

    assert limit_effects(limits) == {
        "container.default.memory": "container.default.memory (1Gi): containers that name no memory"
        " limit get this one, and a container that uses more is killed.",
        "container.max.ephemeral-storage": "container.max.ephemeral-storage (2Gi): containers that"
        " name no ephemeral-storage limit get this one, and a pod that writes more to its local"
        " disk, logs included, is evicted.",
    }


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


@given(CPU_LIMITS)
def test_every_added_default_has_a_reason_and_is_necessary(limits: dict[str, int | None]) -> None:
    assume(not [p for p in validate_limits(limits) if p.severity is Severity.ERROR])
    result = defaults(limits)

    assert [note.field for note in result.notes if note.code == "default_added"] == [*result.added]
    for key in result.added:
        others = {other: value for other, value in result.added.items() if other != key}
        quotas = any(limits.get(name) for name in ("requests.cpu", "requests.cpu@Terminating"))
        kept = ".defaultRequest." in key and quotas and not defaults({**limits, **others}).notes
        assert kept or defaults({**limits, **others}).notes


@given(CPU_LIMITS)
def test_an_added_default_is_within_every_quota_and_range(limits: dict[str, int | None]) -> None:
    assume(not [p for p in validate_limits(limits) if p.severity is Severity.ERROR])
    added = defaults(limits).added
    if not added:
        return
    request, limit = server_gives(limits, "cpu")

    def of(name: str, otherwise: int) -> int:
        value = limits.get(name)
        return otherwise if value is None else value

    if request is not None:
        quotas = [of(key, 10**9) or 10**9 for key in ("requests.cpu", "requests.cpu@Terminating")]
        assert request <= min(*quotas, of("pod.max.cpu", 10**9))
        assert request >= max(of("container.min.cpu", 0), of("pod.min.cpu", 0))
    if limit is not None:
        assert limit <= (of("limits.cpu", 10**9) or 10**9)
        assert limit <= min(of("container.max.cpu", 10**9), of("pod.max.cpu", 10**9))
    if request is not None and limit is not None:
        assert request <= limit
        for kind in ("container", "pod"):
            ratio = limits.get(f"{kind}.maxLimitRequestRatio.cpu")
            assert ratio is None or limit * 1000 <= ratio * request
