"""Why a default is added: each is said to be because of the limit that makes it necessary."""

import pytest

from quotas.plans.rules.defaults import Defaults, defaults
from quotas.plans.rules.soundness import parse_limits


def reasons(limits: dict[str, str]) -> dict[str, str]:
    """Why each default is added to limits as people write them: the sentence up to what it ends
    in for all of them, and who is given how much."""
    notes = defaults(parse_limits(limits)).notes
    assert {note.code for note in notes} == {"default_added"}
    return {
        note.field: note.message.replace(", and the plan gives no default that fits, so ", " → ")
        for note in notes
    }


def test_a_default_that_would_do_is_not_denied_where_nothing_makes_it_necessary() -> None:
    (note,) = defaults(parse_limits({"pod.max.memory": "1Gi", "container.max.memory": "2Gi"})).notes

    assert note.code == "names_demanded"
    assert note.message == (
        "pod.max.memory (1Gi) refuses pods that are given 2Gi, and the plan gives no default that"
        " fits: pods that name no memory are refused."
    )


def test_a_maximum_stays_the_limit_of_whoever_names_none_under_a_quota_on_requests() -> None:
    amounts = {"memory": ("1Gi", "4Gi", "128Mi"), "ephemeral-storage": ("600Mi", "2Gi", "256Mi"),
               "cpu": ("1", "8", "100m")}  # fmt: skip
    for resource, (quota, most, given_) in amounts.items():
        key, most_key = f"requests.{resource}", f"container.max.{resource}"
        added = f"container.defaultRequest.{resource}"

        assert reasons({key: quota, most_key: most}) == {
            added: f"{key} ({quota}) refuses pods that are given {most} → containers are given"
            f" {given_} by {added}."
        }


@pytest.mark.parametrize(
    ("limits", "default", "request_"),
    [
        (
            {"requests.cpu": "4", "limits.cpu": "2"},
            "limits.cpu refuses pods that name no limit → containers are given 500m",
            "requests.cpu refuses pods that name no request → containers are given 100m",
        ),
        (
            {"requests.memory": "4Gi", "limits.memory@PriorityClass=high": "1Gi"},
            "limits.memory@PriorityClass=high refuses the pods in its scope that name no limit →"
            " all containers, in that scope or not, are given 256Mi",
            "requests.memory refuses pods that name no request → containers are given 128Mi",
        ),
        (
            {"requests.cpu@Terminating": "50m", "limits.cpu@PriorityClass!=low": "2"},
            "limits.cpu@PriorityClass!=low refuses the pods in its scope that name no limit → all",
            "requests.cpu@Terminating (50m) refuses the pods in its scope that are given 500m →",
        ),
        (
            {"requests.memory": "100Mi", "requests.memory@Terminating": "90Mi",
             "limits.memory": "1Gi", "limits.memory@Terminating": "200Mi"},
            "limits.memory refuses pods that name no limit → containers are given 200Mi",
            "requests.memory (100Mi) refuses pods that are given 200Mi → containers are given 90Mi",
        ),
        (
            {"limits.cpu@Terminating": "1", "pod.max.cpu": "2"},
            "limits.cpu@Terminating refuses the pods in its scope that name no limit → all",
            None,
        ),
        (
            {"requests.cpu": "8", "requests.cpu@Terminating": "1", "container.max.cpu": "4"},
            None,
            "requests.cpu@Terminating (1) refuses the pods in its scope that are given 4 → all",
        ),
        (
            {"requests.cpu": "100m", "limits.cpu": "2", "container.max.cpu": "3"},
            "limits.cpu (2) refuses pods that are given 3 → containers are given 500m",
            "requests.cpu (100m) refuses pods that are given 500m → containers are given 100m",
        ),
        (
            {"requests.cpu": "1", "container.max.cpu": "8",
             "container.maxLimitRequestRatio.cpu": "4"},
            "container.maxLimitRequestRatio.cpu (4) refuses pods with a request of 1 and a limit of"
            " 8 → containers are given 500m",
            None,
        ),
        (
            {"requests.ephemeral-storage": "300Mi", "pod.max.ephemeral-storage": "512Mi"},
            "pod.max.ephemeral-storage refuses pods that name no limit → containers are given 512M",
            "requests.ephemeral-storage (300Mi) refuses pods that are given 512Mi → containers are",
        ),
    ],
)  # fmt: skip
def test_each_added_default_has_the_reason_of_the_limit_that_makes_it_necessary(
    limits: dict[str, str], default: str | None, request_: str | None
) -> None:
    expected = {"default": default, "defaultRequest": request_}

    added = {key.split(".")[1]: reason for key, reason in reasons(limits).items()}

    assert set(added) == {field for field, reason in expected.items() if reason}
    assert all(reason.startswith(expected[field] or "") for field, reason in added.items())


def test_whoever_is_given_memory_is_counted_by_the_quotas_on_pods_that_are_not_best_effort() -> (
    None
):
    limits = {"limits.cpu@NotBestEffort": "2"}
    for given_ in ({"requests.memory": "4Gi"}, {"container.default.memory": "1Gi"}):
        assert "container.default.cpu" in reasons({**limits, **given_})
    assert reasons({"requests.cpu": "4", "requests.cpu@NotBestEffort": "50m"}) == {
        "container.defaultRequest.cpu": "requests.cpu refuses pods that name no request →"
        " containers are given 50m by container.defaultRequest.cpu."
    }


@pytest.mark.parametrize(
    "limits",
    [
        # Whoever is given local disk alone is still BestEffort.
        {"container.default.ephemeral-storage": "1Gi", "limits.cpu@NotBestEffort": "2"},
        {"container.defaultRequest.memory": "0", "limits.cpu@NotBestEffort": "2"},
        {"requests.nvidia.com/gpu@PriorityClass=high": "4", "requests.hugepages-2Mi": "1Gi"},
        {"requests.memory@PriorityClass=high": "4Gi", "container.max.memory": "2Gi"},
        {"requests.memory": "1Gi", "container.default.memory": "2Gi",
         "container.defaultRequest.memory": "1Gi"},
    ],
)  # fmt: skip
def test_what_is_accepted_as_it_is_gets_no_default(limits: dict[str, str]) -> None:
    assert defaults(parse_limits(limits)) == Defaults({})


def test_a_scoped_quota_that_no_default_fits_refuses_the_pods_in_its_scope() -> None:
    written = {"requests.memory@Terminating": "1Gi", "pod.min.memory": "2Gi"}
    (note,) = defaults(parse_limits(written | {"container.max.memory": "4Gi"})).notes

    assert note.message == (
        "requests.memory@Terminating (1Gi) refuses the pods in its scope that are given 4Gi, and no"
        " default fits the plan: pods in its scope that name no memory are refused."
    )
    (note,) = defaults(parse_limits(written)).notes
    assert note.message == (
        "pod.min.memory refuses pods that name no request, and no default fits the plan: pods that"
        " name no memory are refused."
    )
