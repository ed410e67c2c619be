"""Amounts: what the API server takes, stores and refuses, and what people read and write."""

from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from console.errors import DomainError
from quotas.plans.contracts import LARGEST, Unit
from quotas.plans.quantities import (
    format_quantity,
    parse_quantity,
    to_base,
)
from tests.quotas.plans.stored import canonical

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
