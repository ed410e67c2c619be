from __future__ import annotations

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.clients import bridge
from console.clients.temporal.name_checks import (
    check_keys,
    check_namespace,
    check_queue,
    shorten,
)
from console.clients.temporal.rates import (
    from_wire,
    key_default_to_wire,
    to_wire,
    weight_to_wire,
)
from console.clients.temporal.token_bucket import TokenBucket
from console.errors import Refused, Throttled
from tests.waiting import PATIENCE


@given(st.integers(min_value=0, max_value=8_388_000))
def test_every_milli_rate_up_to_8388_a_second_survives_the_wire(milli: int) -> None:
    assert from_wire(to_wire(milli)) == milli


@given(st.integers(min_value=0, max_value=16_000_000))
def test_every_whole_rate_survives_the_wire(rate: int) -> None:
    assert from_wire(to_wire(rate * 1000)) == rate * 1000


@pytest.mark.parametrize("milli", [-1, 20_000_001_001, 10**50, 1.5, True, float("nan"), "5"])
def test_rates_that_would_come_back_as_another_are_refused(milli: int) -> None:
    with pytest.raises(Refused):
        to_wire(milli)


def test_infinity_and_nan_set_by_others_are_read_as_no_limit() -> None:
    assert (from_wire(float("inf")), from_wire(float("nan"))) == (None, None)


def test_a_key_default_of_zero_is_refused_because_it_means_unlimited() -> None:
    with pytest.raises(Refused) as caught:
        key_default_to_wire(0)
    assert caught.value.code == "key_default_zero"
    assert from_wire(key_default_to_wire(1)) == 1


@pytest.mark.parametrize("milli", [0, -5])
def test_weights_are_positive(milli: int) -> None:
    with pytest.raises(Refused):
        weight_to_wire(milli)


@pytest.mark.parametrize("name", ["", "  ", "q" * 1001, "é" * 501, "/_sys/q/1"])
def test_queue_names_that_the_server_should_refuse_are_refused(name: str) -> None:
    with pytest.raises(Refused):
        check_queue(name)


@pytest.mark.parametrize("name", ["", "bad name/1", "-x", "n" * 256])
def test_namespace_names_that_the_server_should_refuse_are_refused(name: str) -> None:
    with pytest.raises(Refused):
        check_namespace(name)


def test_names_in_use_everywhere_are_accepted() -> None:
    assert check_namespace("team-a.prod_1") == "team-a.prod_1"
    assert check_queue("batch/high prio") == "batch/high prio"


def test_keys_are_checked_by_bytes_and_for_contradictions() -> None:
    check_keys({"é" * 32: 1}, ["b"])
    for keys, unset in (({"é" * 33: 1}, []), ({"": 1}, []), ({}, [""]), ({"a": 1}, ["a"])):
        with pytest.raises(Refused):
            check_keys(keys, unset)


@given(st.text(max_size=2000))
def test_a_shortened_reason_fits_and_is_whole_characters(text: str) -> None:
    short = shorten(text.encode("utf-8", "ignore").decode())
    assert len(short.encode()) <= 1000


def test_a_shortened_reason_keeps_its_beginning() -> None:
    assert shorten("fits") == "fits"
    assert shorten("é" * 600) == "é" * 498 + "…"


def test_a_bucket_gives_its_burst_at_once_and_then_its_rate() -> None:
    async def take(bucket: TokenBucket, count: int) -> None:
        end = asyncio.get_running_loop().time() + PATIENCE
        await asyncio.gather(*(bucket.take(end) for _ in range(count)))

    slow = TokenBucket(burst=5, rate=0.001)  # a sixth would come in a quarter of an hour
    bridge.run(lambda: take(slow, 5), PATIENCE)
    with pytest.raises(Throttled):
        bridge.run(lambda: take(slow, 1), PATIENCE)
    quick, begun = TokenBucket(burst=5, rate=50), time.monotonic()
    bridge.run(lambda: take(quick, 15), PATIENCE)
    assert time.monotonic() - begun >= 0.15


def test_a_bucket_says_at_once_when_a_token_would_come_too_late() -> None:
    bucket = TokenBucket(burst=1, rate=0.001)

    async def take() -> None:
        await bucket.take(asyncio.get_running_loop().time() + 1)

    bridge.run(take, PATIENCE)
    with pytest.raises(Throttled) as caught:
        bridge.run(take, PATIENCE)
    assert caught.value.retry_after == pytest.approx(1000, abs=30)
