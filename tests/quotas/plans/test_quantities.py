"""Amounts: what the API server takes, stores and refuses, and what people read and write."""

from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from console.errors import DomainError
from quotas.plans.contracts import LARGEST, Unit
from quotas.plans.quantities import (
    canonical,
    format_amount,
    format_quantity,
    humanize,
    parse_amount,
    parse_quantity,
    to_base,
)

WIRE_UNITS = [Unit.MILLICORES, Unit.BYTES, Unit.COUNT, Unit.MILLI]
BASE_VALUES = st.one_of(
    st.integers(0, 5000),
    st.integers(0, LARGEST),
    st.builds(lambda n, p: min(n * 1024**p, LARGEST), st.integers(0, 2000), st.integers(0, 6)),
    st.builds(lambda n, p: min(n * 10**p, LARGEST), st.integers(0, 2000), st.integers(0, 18)),
)
DIGITS = st.text("0123456789", max_size=20)
QUANTITIES = st.builds(
    lambda sign, whole, fraction, suffix: f"{sign}{whole}{fraction}{suffix}",
    st.sampled_from(["", "+"]),
    DIGITS.filter(bool),
    st.one_of(st.just(""), DIGITS.map(lambda digits: f".{digits}")),
    st.sampled_from(
        [
            *("", "n", "u", "m", "k", "M", "G", "T", "P", "E"),
            *("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"),
            *("e3", "E6", "e-3", "e+2", "e1", "e-1", "e-9", "e-12", "e0", "e07"),
        ]
    ),
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("00", 0),
        ("-0", 0),
        ("1", 1),
        ("+5", 5),
        ("1.", 1),
        (".5", Fraction(1, 2)),
        ("007", 7),
        ("100n", Fraction(1, 10**7)),
        ("1u", Fraction(1, 10**6)),
        ("1500m", Fraction(3, 2)),
        ("2k", 2000),
        ("3M", 3 * 10**6),
        ("1G", 10**9),
        ("1T", 10**12),
        ("1P", 10**15),
        ("1E", 10**18),
        ("1Ki", 1024),
        ("0.5Mi", 2**19),
        ("1.5Gi", 3 * 2**29),
        ("1Ti", 2**40),
        ("1Pi", 2**50),
        ("8Ei", 2**63),
        ("1e3", 1000),
        ("12E6", 12 * 10**6),
        ("1e-3", Fraction(1, 1000)),
        ("1e+3", 1000),
    ],
)
def test_every_kubernetes_form_has_its_exact_value(text: str, value: Fraction) -> None:
    assert parse_quantity(text) == value


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", " 1", "1 ", "1 k", "1K", "1Kb", "1ki", "1e3Ki", "1e", "1E+", "abc", "0x1"),
        *("1_0", "1,5", "--1", "+-1", "1.2.3", ".", "+", "k", "e3", "١", "1\n", "1" * 65, "inf"),
    ],
)
def test_nonsense_is_refused_with_the_value_and_what_would_be_right(text: str) -> None:
    with pytest.raises(DomainError) as refusal:
        parse_quantity(text)

    assert refusal.value.code == "invalid_quantity"
    assert repr(text[:64]) in refusal.value.message
    assert "500m" in refusal.value.message


@pytest.mark.parametrize("text", ["-1", "-1m", "-0.5Gi", "-1e-9"])
def test_a_negative_quantity_is_refused_and_told_about_0_and_unlimited(text: str) -> None:
    with pytest.raises(DomainError, match="cannot be negative; use 0 for none or unlimited"):
        parse_quantity(text)


def test_an_exponent_that_would_only_cost_memory_is_refused() -> None:
    assert parse_quantity("1e999") == 10**999
    with pytest.raises(DomainError, match="exponent"):
        parse_quantity("1e1000")


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("1000m", "1"),
        ("1.5", "1500m"),
        ("0.1", "100m"),
        ("1000", "1k"),
        ("1024Ki", "1Mi"),
        ("2048Mi", "2Gi"),
        ("0.5Gi", "512Mi"),
        ("1.5Gi", "1536Mi"),
        ("1000000k", "1G"),
        ("1e20", "100e18"),
        ("00", "0"),
        ("-0k", "0"),
        ("100n", "1m"),
        ("1u", "1m"),
        ("0.1m", "1m"),
        ("1.0001", "1001m"),
        ("1e3", "1e3"),
        ("12E6", "12E6"),
        ("1e-3", "1e-3"),
        ("+5", "+5"),
        ("1.", "1."),
        ("3000Mi", "3000Mi"),
        ("+3000Mi", "3000Mi"),
        ("+3Gi", "+3Gi"),
        ("+1234Ti", "1234Ti"),
        ("1.500", "1.500"),
        ("1.000", "1"),
        ("10e2", "1e3"),
        ("10e-1", "1"),
        ("1e2", "100"),
        ("0.5Ki", "512"),
        ("1.3Ki", "1331200m"),
        ("0.0001Ki", "103m"),
        ("1e21", "1e21"),
        ("10Ei", "9223372036854775807"),
        ("+99999999999999999999", "99999999999999999999"),
    ],
)
def test_canonical_is_what_the_api_server_was_seen_to_store(text: str, stored: str) -> None:
    assert canonical(text) == stored


@pytest.mark.parametrize("text", ["1000E", "10000000E", "1000000000000000000000"])
def test_what_the_api_server_would_store_as_another_value_has_no_canonical_form(text: str) -> None:
    with pytest.raises(DomainError, match="999E"):
        canonical(text)


@given(QUANTITIES)
def test_canonical_of_canonical_is_canonical_and_differs_by_less_than_a_thousandth(
    text: str,
) -> None:
    try:
        stored = canonical(text)
    except DomainError:
        assume(False)

    assert canonical(stored) == stored
    if parse_quantity(text) <= LARGEST:
        assert 0 <= parse_quantity(stored) - parse_quantity(text) < Fraction(1, 1000)


@pytest.mark.parametrize(
    ("text", "unit", "base"),
    [
        ("1.5", Unit.MILLICORES, 1500),
        ("0.1m", Unit.MILLICORES, 1),
        ("40", Unit.MILLICORES, 40_000),
        ("1.0001", Unit.MILLICORES, 1001),
        ("12Gi", Unit.BYTES, 12 * 2**30),
        ("0.5", Unit.BYTES, 1),
        ("1k", Unit.COUNT, 1000),
        ("2.0", Unit.COUNT, 2),
        ("1.5", Unit.MILLI, 1500),
    ],
)
def test_base_units_round_up_as_the_server_does(text: str, unit: Unit, base: int) -> None:
    assert to_base(text, unit) == base


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("1500m", Unit.COUNT),
        ("0.0001", Unit.MILLI),
        ("0.0001", Unit.MILLI_PER_SECOND),
        ("8Ei", Unit.BYTES),
        ("9223372036854775807", Unit.MILLICORES),
    ],
)
def test_what_no_base_integer_can_hold_is_refused(text: str, unit: Unit) -> None:
    with pytest.raises(DomainError) as refusal:
        to_base(text, unit)

    assert text in refusal.value.message


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, Unit.BYTES, "0"),
        (0, Unit.MILLICORES, "0"),
        (1500, Unit.MILLICORES, "1500m"),
        (40_000, Unit.MILLICORES, "40"),
        (1_000_000, Unit.MILLICORES, "1k"),
        (2 * 2**30, Unit.BYTES, "2Gi"),
        (3000 * 2**20, Unit.BYTES, "3000Mi"),
        (1000, Unit.BYTES, "1k"),
        (1023, Unit.BYTES, "1023"),
        (1000, Unit.COUNT, "1k"),
        (1500, Unit.COUNT, "1500"),
        (2500, Unit.MILLI, "2500m"),
    ],
)
def test_the_wire_form_is_the_servers_own(value: int, unit: Unit, text: str) -> None:
    assert format_quantity(value, unit) == text


@given(BASE_VALUES, st.sampled_from(WIRE_UNITS))
def test_what_is_sent_is_stored_unchanged_and_means_the_same_value(value: int, unit: Unit) -> None:
    sent = format_quantity(value, unit)

    assert canonical(sent) == sent
    assert to_base(sent, unit) == value


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        (-1, Unit.COUNT),
        (LARGEST + 1, Unit.BYTES),
        (1, Unit.SECONDS),
        (1, Unit.MILLI_PER_SECOND),
    ],
)
def test_what_is_no_quantity_has_no_wire_form(value: int, unit: Unit) -> None:
    with pytest.raises(ValueError, match="not a Kubernetes quantity"):
        format_quantity(value, unit)


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
