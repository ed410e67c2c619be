"""Amounts as people write and read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.errors import DomainError
from quotas.plans.contracts import LARGEST, Unit
from quotas.plans.quantities import (
    format_amount,
    humanize,
    parse_amount,
    parse_quantity,
)

BASE_VALUES = st.one_of(
    st.integers(0, 5000),
    st.integers(0, LARGEST),
    st.builds(lambda n, p: min(n * 1024**p, LARGEST), st.integers(0, 2000), st.integers(0, 6)),
    st.builds(lambda n, p: min(n * 10**p, LARGEST), st.integers(0, 2000), st.integers(0, 18)),
)


@pytest.mark.parametrize(
    ("text", "unit", "base"),
    [
        ("40 cores", Unit.MILLICORES, 40_000),
        ("1 core", Unit.MILLICORES, 1000),
        ("500m", Unit.MILLICORES, 500),
        ("12 GiB", Unit.BYTES, 12 * 2**30),
        ("12 Gi", Unit.BYTES, 12 * 2**30),
        ("5 GB", Unit.BYTES, 5 * 10**9),
        ("1000 B", Unit.BYTES, 1000),
        (" 20/s ", Unit.MILLI_PER_SECOND, 20_000),
        ("0.5 / s", Unit.MILLI_PER_SECOND, 500),
        ("20", Unit.MILLI_PER_SECOND, 20_000),
        ("1.25", Unit.MILLI, 1250),
        ("20", Unit.COUNT, 20),
        ("0", Unit.COUNT, 0),
        ("90", Unit.SECONDS, 90),
        ("90s", Unit.SECONDS, 90),
        ("90 min", Unit.SECONDS, 5400),
        ("2 h", Unit.SECONDS, 7200),
        ("1h30m", Unit.SECONDS, 5400),
        ("1 d 1 h 1 min 1 s", Unit.SECONDS, 90_061),
        ("0", Unit.SECONDS, 0),
    ],
)
def test_people_may_write_what_pages_show(text: str, unit: Unit, base: int) -> None:
    assert parse_amount(text, unit) == base


@pytest.mark.parametrize("text", ["unlimited", "Unlimited", " ∞ "])
@pytest.mark.parametrize("unit", list(Unit))
def test_unlimited_is_none_and_never_0(text: str, unit: Unit) -> None:
    assert parse_amount(text, unit) is None
    assert parse_amount("0", unit) == 0


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("", Unit.SECONDS),
        ("h", Unit.SECONDS),
        ("1 2", Unit.SECONDS),
        ("2h30", Unit.SECONDS),
        ("1.5h", Unit.SECONDS),
        ("-5", Unit.SECONDS),
        ("30s 2h", Unit.SECONDS),
        ("9" * 64, Unit.SECONDS),
        ("9" * 65, Unit.SECONDS),
        ("20/min", Unit.MILLI_PER_SECOND),
        ("40 cores", Unit.BYTES),
        ("≈ 64 GiB", Unit.BYTES),
        ("-1/s", Unit.MILLI_PER_SECOND),
        ("", Unit.COUNT),
    ],
)
def test_amounts_that_could_mean_two_things_are_refused(text: str, unit: Unit) -> None:
    with pytest.raises(DomainError) as refusal:
        parse_amount(text, unit)

    assert refusal.value.code == "invalid_quantity"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, Unit.BYTES, "unlimited"),
        (20_000, Unit.MILLI_PER_SECOND, "20/s"),
        (1, Unit.MILLI_PER_SECOND, "0.001/s"),
        (1500, Unit.MILLI, "1.5"),
        (0, Unit.SECONDS, "0s"),
        (7200, Unit.SECONDS, "2h"),
        (90, Unit.SECONDS, "90s"),
        (172_800, Unit.SECONDS, "2d"),
        (1500, Unit.MILLICORES, "1500m"),
        (2_000_000, Unit.MILLICORES, "2000"),
        (10_000, Unit.COUNT, "10000"),
    ],
)
def test_amounts_are_written_short_and_exact(value: int | None, unit: Unit, text: str) -> None:
    assert format_amount(value, unit) == text


@given(st.one_of(st.none(), BASE_VALUES), st.sampled_from(list(Unit)))
def test_every_amount_reads_back_to_itself(value: int | None, unit: Unit) -> None:
    assert parse_amount(format_amount(value, unit), unit) == value


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, Unit.MILLICORES, "∞"),
        (0, Unit.MILLICORES, "0"),
        (0, Unit.SECONDS, "0"),
        (1500, Unit.MILLICORES, "1.5 cores"),
        (1000, Unit.MILLICORES, "1 core"),
        (250, Unit.MILLICORES, "0.25 cores"),
        (1, Unit.MILLICORES, "0.001 cores"),
        (-500, Unit.MILLICORES, "-0.5 cores"),
        (12 * 2**30, Unit.BYTES, "12 GiB"),
        (3 * 2**29, Unit.BYTES, "1.5 GiB"),
        (5 * 10**9, Unit.BYTES, "5 GB"),
        (1_500_000, Unit.BYTES, "1.5 MB"),
        (1, Unit.BYTES, "1 B"),
        (1000, Unit.BYTES, "1000 B"),
        (2**36 - 1, Unit.BYTES, "≈ 64 GiB"),
        (1_234_567, Unit.BYTES, "≈ 1.18 MiB"),
        (20_000, Unit.MILLI_PER_SECOND, "20/s"),
        (16_900, Unit.MILLI_PER_SECOND, "16.9/s"),
        (7200, Unit.SECONDS, "2 h"),
        (5400, Unit.SECONDS, "1 h 30 min"),
        (90, Unit.SECONDS, "1 min 30 s"),
        (86_400, Unit.SECONDS, "1 d"),
        (1500, Unit.MILLI, "1.5"),
        (1500, Unit.COUNT, "1500"),
    ],
)
def test_pages_show_units_that_people_read(value: int | None, unit: Unit, text: str) -> None:
    assert humanize(value, unit) == text


@given(st.one_of(st.none(), BASE_VALUES), st.sampled_from(list(Unit)))
def test_what_pages_show_is_exact_unless_it_says_so(value: int | None, unit: Unit) -> None:
    shown = humanize(value, unit)

    if shown.startswith("≈"):
        assert unit is Unit.BYTES
        assert value is not None
        near = parse_quantity(shown.removeprefix("≈").removesuffix("B").replace(" ", ""))
        assert abs(near - value) <= value / 100
    else:
        assert parse_amount(shown, unit) == value
