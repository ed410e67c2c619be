"""Limits as somebody enters them: what nobody can mean is refused, with what was probably meant."""

import contextlib
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from console.errors import DomainError
from quotas.plans.contracts import LARGEST, LimitKey
from quotas.plans.limits import check_value, format_limit, parse_key
from quotas.plans.rules.entered import read_limit, read_rate
from tests.quotas.plans.test_limits import KEYS

ANY_KEY = st.sampled_from([parse_key(text) for text, _, _ in KEYS])


@pytest.mark.parametrize(
    ("key", "written", "answer"),
    [
        # The plan of kubernetes#79950 and Yatai#485.
        ("requests.memory", "400m", "400m is 0.4 bytes; did you mean 400Mi?"),
        ("container.default.memory", "512m", "512m is 0.512 bytes; did you mean 512Mi?"),
        (
            "requests.cpu",
            "100Mi",
            "100Mi is 104,857,600 cores; did you mean requests.memory 100Mi?",
        ),
        ("limits.cpu", "4G", "4G is 4,000,000,000 cores; did you mean 4?"),
        # Milli-bytes, however they come to be.
        ("memory", "4000u", "4000u is 0.004 bytes; did you mean 4000Mi?"),
        ("requests.storage", "500m", "500m is 0.5 bytes; did you mean 500Mi?"),
        ("pod.max.ephemeral-storage", "1500m", "1500m is 1.5 bytes; did you mean 1500Mi?"),
        ("limits.memory", "128974848000m", "128974848000m is 128,974,848 bytes; write 123Mi."),
        # Less than anybody can start with, or than one unit.
        ("requests.memory", 512, "512 is 512 bytes; did you mean 512Mi?"),
        ("requests.memory", "16", "16 is 16 bytes; did you mean 16Gi?"),
        ("requests.memory", 0.5, "0.5 is 0.5 bytes; did you mean 0.5Gi?"),
        ("limits.memory", "64Ki", "64Ki is 65,536 bytes; did you mean 64Mi?"),
        ("requests.hugepages-2Mi", 4, "4 is less than one page of 2 MiB"),
        ("requests.hugepages-2Mi", "3Mi", "3Mi is no whole number of pages of 2 MiB; write 2Mi"),
        ("requests.hugepages-2Mi", "100M", "100M is no whole number of pages of 2 MiB; write 94Mi"),
        ("requests.memory", 1_000_000, "1000000 is 1,000,000 bytes, less than the 1Mi"),
        ("limits.memory", "1048575", "1048575 is 1,048,575 bytes, less than the 1Mi"),
        ("requests.cpu", "0.1m", "0.1m is 0.0001 cores, less than the 1m"),
        # kubernetes#97765: taken by Kubernetes, and counts nothing.
        (
            "count/jobs",
            5,
            "counts nothing, as there are no jobs in the core group; did you mean"
            " count/jobs.batch?",
        ),
        ("count/deployments", 5, "did you mean count/deployments.apps?"),
        ("count/workflows", "0", "did you mean count/workflows.argoproj.io?"),
        ("count/widgets", None, "no widgets in the core group; write count/widgets.GROUP"),
        ("requests.cpu", 0.0004, "0.0004 is 0.0004 cores, less than the 1m"),
        ("limits.cpu", "100n", "100n is 0.0000001 cores, less than the 1m"),
        ("temporal.queue_rate", "0.1m", "0.1m is 0.0001 a second, less than the 0.001/s"),
        # Binary, mega and giga cores; the wrong case.
        ("container.max.cpu", "2Gi", "did you mean container.max.memory 2Gi?"),
        ("requests.cpu", "500M", "500M is 500,000,000 cores; did you mean 500m?"),
        ("requests.cpu", 4_000_000_000, "4,000,000,000 cores, more than anybody can mean"),
        ("container.default.cpu", 5000, "5,000 cores, more than anybody can mean; use at most"),
        # Absurdly large for the unit.
        ("requests.memory", "1E", "more than anybody can mean; use at most 128 PiB"),
        ("container.max.memory", "2Pi", "more than anybody can mean; use at most 1 PiB"),
        ("pods", "10G", "10G is 10,000,000,000, more than anybody can mean"),
        ("argo.parallelism", "100M", "100M is 100,000,000, more than anybody can mean"),
        ("requests.nvidia.com/gpu", "4G", "4G is 4,000,000,000, more than anybody can mean"),
        ("celery.queue_rate", "5M/s", "5M/s is 5,000,000 a second, more than anybody can mean"),
        ("job.activeDeadlineSeconds", 9_999_999_999, "more than anybody can mean"),
        ("trail.retentionSeconds", "99999d", "more than anybody can mean; use at most 36500 d"),
        ("container.maxLimitRequestRatio.cpu", "4G", "more than anybody can mean"),
        # Counts, rates and ratios with suffixes of something else.
        ("pods", "1Ki", "1Ki is 1,024, and nobody counts in powers of two; did you mean 1k?"),
        ("count/jobs.batch", "2Mi", "nobody counts in powers of two"),
        ("pods", "10m", "10m is 0.01; did you mean 10?"),
        ("argo.semaphore.gpu", "2Ki", "nobody counts in powers of two"),
        ("temporal.queue_rate", "5Gi/s", "5Gi/s is 5,368,709,120 a second; did you mean 5/s?"),
        ("celery.queue_rate", "100m", "100m is 0.1 a second; write 0.1/s."),
        ("celery.queue_rate", "10/m", "a rate is per second; did you mean 0.167/s for 10/m?"),
        ("celery.queue_rate", "600/h", "a rate is per second; did you mean 0.167/s for 600/h?"),
        ("temporal.weight", "2Ki", "2Ki is 2,048; did you mean 2?"),
        # Exponents: YAML, JSON and Kubernetes read them each in another way.
        ("pods", "1e3", "1e3 is 1,000; write it without an exponent."),
        ("requests.memory", "129e6", "129e6 is 129,000,000 bytes; write it without an exponent."),
        ("requests.cpu", "1E2", "1E2 is 100 cores; write it without an exponent."),
        # Beyond what a double holds, and below.
        ("pods", "1e309", "1e309 is about 1e+309; write it without an exponent."),
        ("requests.memory", "9e999", "9e999 is about 9e+999 bytes; write it without an exponent."),
        ("requests.cpu", "1e-400", "1e-400 is less than 0.000000001 cores; write it without"),
        ("celery.queue_rate", "1e309/s", "1e309/s is about 1e+309 a second; write it without"),
        ("requests.memory", "1099511627776m", "1,099,511,627.776 bytes; write 1099511628."),
        ("requests.memory", "1073741824.5", "is 1,073,741,824.5 bytes; write 1073741825."),
    ],
)
def test_what_nobody_can_mean_is_refused_with_what_was_meant(
    key: str, written: str | float, answer: str
) -> None:
    with pytest.raises(DomainError, match=re.escape(answer)) as refusal:
        read_limit(parse_key(key), written)

    assert refusal.value.code == "invalid_limit"
    assert refusal.value.field == parse_key(key).key
    assert refusal.value.message.startswith(f"{refusal.value.field}: ")


@pytest.mark.parametrize(
    ("key", "written", "value"),
    [
        ("requests.cpu", "500m", 500),
        ("requests.cpu", "250000000n", 250),  # as metrics say it
        ("requests.cpu", "1k", 1_000_000),  # as the API server stores 1000
        ("requests.cpu", 0.1, 100),
        ("requests.cpu", "40 cores", 40_000),
        ("limits.cpu", "1.0001", 1001),
        ("requests.memory", "1Mi", 2**20),
        ("requests.memory", "0.7Gi", 751_619_277),
        ("requests.memory", "5G", 5 * 10**9),
        ("requests.memory", 0, 0),
        ("requests.memory", None, None),
        ("requests.memory", "unlimited", None),
        ("requests.memory", 1e16, 10**16),
        ("requests.storage", "64Pi", 2**56),
        ("requests.hugepages-64Ki", "64Ki", 2**16),
        ("pods", "10k", 10_000),
        ("pods", 2.0, 2),
        ("count/pods", 5, 5),
        ("count/services", 5, 5),
        ("count/widgets.example.org", 5, 5),
        ("requests.hugepages-2Mi", "100Mi", 100 * 2**20),
        ("requests.sgx.intel.com/epc", "512Ki", 2**19),
        ("requests.nvidia.com/gpumem", "40G", 40 * 10**9),
        ("container.maxLimitRequestRatio.cpu", "1500m", 1500),  # as the API server stores 1.5
        ("container.default.cpu", "64", 64_000),
        ("celery.queue_rate", "0.5/s", 500),
        ("temporal.weight", "0.001", 1),
        ("job.ttlSecondsAfterFinished", "2h", 7200),
    ],
)
def test_what_somebody_can_mean_is_taken_as_it_stands(
    key: str, written: str | float | None, value: int | None
) -> None:
    assert read_limit(parse_key(key), written) == value


@given(ANY_KEY, st.one_of(st.none(), st.integers(0, 3000), st.integers(0, LARGEST)))
def test_what_is_taken_can_be_written_out_and_taken_again(key: LimitKey, value: int | None) -> None:
    try:
        check_value(key, value)
        read = read_limit(key, format_limit(key, value))
    except DomainError:
        assume(False)

    assert read == value


QUANTITIES = st.from_regex(
    r"[0-9]{0,30}(\.[0-9]{0,20})?([eE][+-]?[0-9]{1,4}|[numkMGTPE]|[KMGTPE]i)?(/s|/m| cores)?",
    fullmatch=True,
)


@given(ANY_KEY, st.one_of(st.floats(), st.integers(), st.text(max_size=70), st.none(), QUANTITIES))
def test_whatever_is_entered_it_is_read_or_refused(key: LimitKey, written: str | float) -> None:
    with contextlib.suppress(DomainError):
        value = read_limit(key, written)
        assert value is None or 0 <= value <= LARGEST


@pytest.mark.parametrize("written", ["10000000000000000000.5", "10000000000000000000001m", "9e30m"])
@pytest.mark.parametrize("name", ["requests.memory", "requests.ephemeral-storage", "pods"])
def test_more_than_there_can_be_is_refused_however_it_is_spelled(name: str, written: str) -> None:
    with pytest.raises(DomainError, match=name):
        read_limit(parse_key(name), written)


def test_the_rate_of_a_queue_is_read_alike_and_names_no_limit() -> None:
    assert read_rate("10/s") == 10_000
    with pytest.raises(DomainError, match=r"^a rate is per second; did you mean 0\.167/s"):
        read_rate("10/m")
