"""The catalogue of limit keys: what a plan can set, and why the rest is refused."""

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from console.errors import DomainError
from quotas.plans.contracts import LARGEST, Group, LimitKey, Plane, Unit
from quotas.plans.limits import check_value, format_limit, parse_key, parse_limit

KEYS = [
    ("requests.cpu", Group.QUOTA, Unit.MILLICORES),
    ("limits.memory", Group.QUOTA, Unit.BYTES),
    ("requests.ephemeral-storage", Group.QUOTA, Unit.BYTES),
    ("requests.storage", Group.QUOTA, Unit.BYTES),
    ("requests.hugepages-2Mi", Group.QUOTA, Unit.BYTES),
    ("pods", Group.QUOTA, Unit.COUNT),
    ("services.loadbalancers", Group.QUOTA, Unit.COUNT),
    ("count/jobs.batch", Group.QUOTA, Unit.COUNT),
    ("count/workflows.argoproj.io", Group.QUOTA, Unit.COUNT),
    ("requests.nvidia.com/gpu", Group.QUOTA, Unit.COUNT),
    ("requests.nvidia.com/mig-1g.18gb", Group.QUOTA, Unit.COUNT),
    ("gpu.deviceclass.resource.k8s.io/devices", Group.QUOTA, Unit.COUNT),
    ("gold.storageclass.storage.k8s.io/requests.storage", Group.QUOTA, Unit.BYTES),
    ("gold.storageclass.storage.k8s.io/persistentvolumeclaims", Group.QUOTA, Unit.COUNT),
    ("pods@BestEffort", Group.QUOTA, Unit.COUNT),
    ("requests.memory@PriorityClass=high,low", Group.QUOTA, Unit.BYTES),
    ("container.default.cpu", Group.LIMIT_RANGE, Unit.MILLICORES),
    ("container.maxLimitRequestRatio.memory", Group.LIMIT_RANGE, Unit.MILLI),
    ("pod.max.ephemeral-storage", Group.LIMIT_RANGE, Unit.BYTES),
    ("pvc.min.storage", Group.LIMIT_RANGE, Unit.BYTES),
    ("job.ttlSecondsAfterFinished", Group.EXECUTION, Unit.SECONDS),
    ("job.activeDeadlineSeconds", Group.EXECUTION, Unit.SECONDS),
    ("temporal.queue_rate", Group.TEMPORAL, Unit.MILLI_PER_SECOND),
    ("temporal.tenant_rate", Group.TEMPORAL, Unit.MILLI_PER_SECOND),
    ("temporal.weight", Group.TEMPORAL, Unit.MILLI),
    ("argo.parallelism", Group.ARGO, Unit.COUNT),
    ("argo.semaphore.gpu", Group.ARGO, Unit.COUNT),
    ("argo.semaphore.license.solver-2", Group.ARGO, Unit.COUNT),
    ("celery.queue_rate", Group.CELERY, Unit.MILLI_PER_SECOND),
    ("trail.retentionSeconds", Group.TRAIL, Unit.SECONDS),
]
PLANES = {
    Group.QUOTA: Plane.KUBERNETES,
    Group.LIMIT_RANGE: Plane.KUBERNETES,
    Group.EXECUTION: Plane.KUBERNETES,
    Group.TEMPORAL: Plane.TEMPORAL,
    Group.ARGO: Plane.ARGO,
    Group.CELERY: Plane.CELERY,
    Group.TRAIL: Plane.HEADROOM,
}
ANY_KEY = st.sampled_from([parse_key(text) for text, _, _ in KEYS])
ANY_VALUE = st.one_of(st.none(), st.integers(0, 3000), st.integers(0, LARGEST))


@pytest.mark.parametrize(("text", "group", "unit"), KEYS)
def test_every_limit_has_its_object_and_its_unit(text: str, group: Group, unit: Unit) -> None:
    key = parse_key(text)

    assert (key.key, key.group, key.unit) == (text, group, unit)
    assert key.plane is PLANES[group]
    assert key.label
    assert key.help


@pytest.mark.parametrize(
    ("text", "normalised"),
    [
        ("cpu", "requests.cpu"),
        ("memory", "requests.memory"),
        ("ephemeral-storage", "requests.ephemeral-storage"),
        ("hugepages-1Gi", "requests.hugepages-1Gi"),
        ("cpu@Terminating", "requests.cpu@Terminating"),
        ("pods@PriorityClass=low,high,low", "pods@PriorityClass=high,low"),
        (
            "pods@PriorityClass!=low@NotBestEffort",
            "pods@NotBestEffort@PriorityClass!=low",
        ),
    ],
)
def test_one_limit_has_one_spelling(text: str, normalised: str) -> None:
    assert parse_key(text).key == normalised
    assert parse_key(normalised) == parse_key(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is not a limit"),
        ("bogus", "is not a limit"),
        ("requests.bogus", "is not a limit"),
        ("Pods", "is not a limit"),
        (" pods", "is not a limit"),
        ("count/", "is no kind of object"),
        ("count/Jobs", "is no kind of object"),
        ("count/a/b", "is no kind of object"),
        (f"count/{'a' * 64}", "is no kind of object"),
        ("requests.count/jobs.batch", "is no kind of object"),
        ("requests.hugepages-", "is not a limit"),
        ("job.backoffLimit", "is not a limit"),
        ("temporal.rate", "is not a limit"),
        ("temporal.weight@Terminating", "is not a limit"),
        ("argo.semaphore.", "is not a limit"),
        ("argo.semaphore.GPU", "is not a limit"),
        (f"argo.semaphore.{'a' * 64}", "is not a limit"),
        ("argo.semaphore.gpu@Terminating", "is not a limit"),
        ("argo.parallelism@Terminating", "is not a limit"),
        ("celery.rate", "is not a limit"),
        ("trail.retention", "is not a limit"),
        ("limits.nvidia.com/gpu", "never overcommitted"),
        ("limits.hugepages-2Mi", "never overcommitted"),
        ("nvidia.com/gpu", "use requests.nvidia.com/gpu"),
        ("pod.default.cpu", "only containers have a default"),
        ("pod.defaultRequest.cpu", "only containers have a defaultRequest"),
        ("container.max.storage", "is not a LimitRange limit"),
        ("container.least.cpu", "is not a LimitRange limit"),
        ("container.max.cpu@Terminating", "is not a LimitRange limit"),
        ("pvc.max.cpu", "is not a LimitRange limit"),
        ("pvc.maxLimitRequestRatio.storage", "is not a LimitRange limit"),
        ("pods@", "unknown scope"),
        ("pods@Sleeping", "unknown scope"),
        ("pods@PriorityClass=", "unknown scope"),
        ("pods@PriorityClass=High", "unknown scope"),
        ("pods@Terminating=yes", "asks too much"),
        ("pods@!Terminating", "asks too much"),
        ("pods@!PriorityClass=low", "asks too much"),
        ("requests.cpu@BestEffort", "BestEffort only tracks pods"),
        ("services@Terminating", "Terminating only tracks pods and their CPU"),
        ("requests.ephemeral-storage@Terminating", "only tracks"),
        ("pods@VolumeAttributesClass", "only tracks volume claims"),
        ("requests.storage@VolumeAttributesClass=a@Terminating", "only tracks"),
        ("pods@Terminating@NotTerminating", "exclude each other"),
        ("pods@BestEffort@NotBestEffort", "exclude each other"),
        ("pods@PriorityClass=a@PriorityClass=b", "twice"),
        ("x" * 254, "longer than 253"),
    ],
)
def test_a_key_that_cannot_be_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(DomainError, match=re.escape(reason)) as refusal:
        parse_key(text)

    assert refusal.value.code == "invalid_limit_key"
    assert refusal.value.field == text


def test_a_range_key_says_where_in_the_limit_range_it_stands() -> None:
    key = parse_key("container.defaultRequest.memory")

    assert (key.range_type, key.range_field, key.resource) == (
        "Container",
        "defaultRequest",
        "memory",
    )


@given(ANY_KEY, ANY_VALUE)
def test_what_is_written_reads_back_exactly(key: LimitKey, value: int | None) -> None:
    try:
        check_value(key, value)
    except DomainError:
        assume(False)

    assert parse_limit(key, format_limit(key, value)) == value


@pytest.mark.parametrize(
    ("text", "written", "value"),
    [
        ("requests.cpu", 40, 40_000),
        ("requests.cpu", 1.5, 1500),
        ("requests.cpu", "40", 40_000),
        ("requests.cpu", 0, 0),
        ("requests.cpu", None, None),
        ("requests.cpu", "unlimited", None),
        ("pods", 20, 20),
        ("temporal.tenant_rate", 20, 20_000),
        ("temporal.weight", 0.25, 250),
        ("job.ttlSecondsAfterFinished", 0, 0),
        ("job.activeDeadlineSeconds", "2h", 7200),
        ("trail.retentionSeconds", "90d", 90 * 86400),
        ("trail.retentionSeconds", None, None),
        ("celery.queue_rate", "1.5", 1500),
        ("celery.queue_rate", 0, 0),
        ("argo.parallelism", 0, 0),
        ("argo.semaphore.gpu", 2, 2),
    ],
)
def test_a_number_means_what_it_means_in_a_manifest(
    text: str, written: str | float | None, value: int | None
) -> None:
    assert parse_limit(parse_key(text), written) == value


@pytest.mark.parametrize(
    ("text", "written", "reason"),
    [
        ("requests.cpu", "1K", "'1K' is not accepted"),
        ("requests.cpu", -1, "cannot be negative"),
        ("requests.cpu", True, "is not a number"),
        ("pods", "1500m", "whole numbers"),
        ("pods", float("nan"), "'nan' is not accepted"),
        ("temporal.weight", "unlimited", "unlimited is not accepted"),
        ("temporal.weight", 0, "0 is not accepted"),
        ("argo.semaphore.gpu", 0, "0 is not accepted"),
        ("argo.semaphore.gpu", "unlimited", "unlimited is not accepted"),
        ("container.maxLimitRequestRatio.cpu", 0, "0 is not accepted"),
        ("job.activeDeadlineSeconds", 0, "0 is not accepted"),
        ("trail.retentionSeconds", 0, "0 is not accepted"),
        ("argo.parallelism", 2**31, "the most is 2147483647"),
        ("temporal.weight", 1001, "the most is 1000"),
        ("argo.semaphore.gpu", 1.5, "whole numbers"),
        ("job.ttlSecondsAfterFinished", 2**31, "the most is 2147483647s"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_naming_the_limit(
    text: str, written: str | float | None, reason: str
) -> None:
    with pytest.raises(DomainError, match=re.escape(reason)) as refusal:
        parse_limit(parse_key(text), written)

    assert refusal.value.code == "invalid_limit"
    assert refusal.value.field == text
    assert text in refusal.value.message


def test_a_negative_base_value_is_refused() -> None:
    with pytest.raises(DomainError, match="-1 is negative"):
        check_value(parse_key("pods"), -1)


def test_none_and_0_are_kept_apart() -> None:
    key = parse_key("pods")

    assert format_limit(key, None) == "unlimited"
    assert format_limit(key, 0) == "0"
    assert parse_limit(key, "unlimited") is None
    assert parse_limit(key, "0") == 0
