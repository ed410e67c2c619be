"""Amounts: reading, comparing and writing them, exactly, with no rounding that nobody sees.

A Kubernetes quantity is a decimal number with a suffix. The API server rewrites many of them before
it stores them (`1000m` becomes `1`, `2048Mi` becomes `2Gi`), keeps others as written (`1e3`, `+5`),
and rounds every resource up to a thousandth. Everything that Headroom sends is written by
`format_quantity`, whose output the server keeps as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from console.errors import DomainError
from quotas.plans.contracts import LARGEST, Unit

UNLIMITED = "unlimited"
_NAMES = {
    Unit.MILLICORES: "millicores",
    Unit.BYTES: "bytes",
    Unit.COUNT: "numbers",
    Unit.MILLI_PER_SECOND: "thousandths per second",
    Unit.SECONDS: "seconds",
    Unit.MILLI: "thousandths",
}
EXAMPLES = {
    Unit.MILLICORES: "40, 1.5, 500m or 40 cores",
    Unit.BYTES: "512Mi, 12Gi, 12 GiB or 5G",
    Unit.COUNT: "a whole number such as 20 or 1k",
    Unit.MILLI_PER_SECOND: "20/s, 20 or 0.5/s",
    Unit.SECONDS: "90, 90s, 2h or 1h30m",
    Unit.MILLI: "1, 1.5 or 0.25",
}

_FORM = re.compile(r"([+-]?)([0-9]*)(\.?)([0-9]*)([eE][+-]?[0-9]+|[numkMGTPE]|[KMGTPE]i|)")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_DECIMAL_SUFFIX = {power: suffix for suffix, power in _DECIMAL.items()}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_LONGEST_TEXT = 64
_LARGEST_EXPONENT = 999
_PER_UNIT = {Unit.MILLICORES: 1000, Unit.MILLI: 1000, Unit.MILLI_PER_SECOND: 1000}
_SECONDS_IN = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_DURATION = re.compile(r"(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m(?:in)?)?(?:([0-9]+)s)?")


@dataclass(frozen=True, slots=True)
class Written:
    """A quantity taken apart. `whole` has no leading zeros and is "0" when nothing is left."""

    text: str
    whole: str
    fraction: str
    suffix: str

    @property
    def binary(self) -> int:
        """The power of two that the suffix stands for; 0 for a decimal suffix."""
        return _BINARY.get(self.suffix, 0)

    @property
    def exponential(self) -> bool:
        """True for `1e3`, which the server keeps in that style; false for `1k` and `1E`."""
        return len(self.suffix) > 1 and not self.binary

    @property
    def power(self) -> int:
        """The power of ten that the suffix stands for; 0 for a binary suffix."""
        if self.exponential:
            return int(self.suffix[1:])
        return 0 if self.binary else _DECIMAL[self.suffix]

    @property
    def value(self) -> Fraction:
        """The exact value."""
        digits = Fraction(int(self.whole + self.fraction), 10 ** len(self.fraction))
        return digits * Fraction(2) ** self.binary * Fraction(10) ** self.power


def parse_quantity(text: str) -> Fraction:
    """The exact value of a Kubernetes quantity (`1.5`, `500m`, `12Gi`, `1e3`), never negative.

    Stricter than the API server where that accepts what nobody can mean: text with spaces around
    it, no digits at all (`.`), more than 64 characters, an exponent beyond 999.
    Raises DomainError("invalid_quantity") saying what would be right.
    """
    return _take_apart(text).value


def taken_apart(text: str, unit: Unit) -> Written:
    """What somebody wrote for an amount, without the unit that pages show behind it: `12 GiB` is
    12 with the suffix Gi. Raises DomainError("invalid_quantity"); durations are no quantities."""
    return _take_apart(_without_unit(text.strip(), unit))


def per_unit(unit: Unit) -> int:
    """How many base units there are in what people count by: 1000 millicores in a core."""
    return _PER_UNIT.get(unit, 1)


def to_base(text: str, unit: Unit) -> int:
    """`text` in whole base units: millicores, bytes, count, thousandths.

    Fractions of a base unit round up as the server does for millicores and bytes; a fraction of a
    count, which the server refuses, is refused. Raises DomainError("invalid_quantity").
    """
    exact = parse_quantity(text) * per_unit(unit)
    if exact.denominator != 1 and unit not in (Unit.MILLICORES, Unit.BYTES):
        raise _refusal(text, f"it must come to whole {_NAMES[unit]}: {EXAMPLES[unit]}")
    base = _round_up(exact)
    if base > LARGEST:
        raise _refusal(text, f"it is larger than {LARGEST} {_NAMES[unit]}, the most there can be")
    return base


def format_quantity(value: int, unit: Unit) -> str:
    """The Kubernetes wire form of a base value, which the server stores unchanged.

    Unlimited (None) has no wire form: leave the resource out instead. Raises ValueError for
    what is negative or too large, and for rates and durations, which are not quantities.
    """
    if not 0 <= value <= LARGEST or unit in (Unit.MILLI_PER_SECOND, Unit.SECONDS):
        raise ValueError(f"{value} {unit} is not a Kubernetes quantity")
    if unit is Unit.BYTES and value and value % 1024 == 0:
        return _in_binary(value)
    amount = Fraction(value, per_unit(unit))
    return _in_decimal(amount, str(value), exponential=False)


def parse_amount(text: str, unit: Unit) -> int | None:
    """What a person, a YAML file or an API client wrote for a limit, in base units.

    Takes every Kubernetes quantity, what pages show (`1.5 cores`, `12 GiB`, `20/s`, `2 h`) and
    `unlimited` or `∞`, which give None. Raises DomainError("invalid_quantity").
    """
    bare = text.strip()
    if bare.lower() in (UNLIMITED, "∞"):
        return None
    if unit is Unit.SECONDS:
        return _duration(bare)
    return to_base(_without_unit(bare, unit), unit)


def format_amount(value: int | None, unit: Unit) -> str:
    """The exact text of a base value, which `parse_amount` reads back to the same value. Counts and
    cores have all their digits: `1k` is what a cluster makes of 1000, not what people write."""
    if value is None:
        return UNLIMITED
    if unit is Unit.COUNT:
        return str(value)
    if unit is Unit.MILLICORES and value % 1000 == 0:
        return str(value // 1000)
    if unit in (Unit.MILLI_PER_SECOND, Unit.MILLI):
        return _decimal(Fraction(value, 1000)) + ("/s" if unit is Unit.MILLI_PER_SECOND else "")
    if unit is Unit.SECONDS:
        largest = next((u for u, size in _SECONDS_IN.items() if value % size == 0), "s")
        return f"{value // _SECONDS_IN[largest]}{largest}" if value else "0s"
    return format_quantity(value, unit)


def humanize(value: int | None, unit: Unit) -> str:
    """A base value as pages show it: `1.5 cores`, `12 GiB`, `20/s`, `2 h`, `∞`, `0`.

    Exact, or marked with `≈` where the exact number would be unreadable (bytes only). Negative
    values (more used than allowed) keep their sign.
    """
    if value is None:
        return "∞"
    if value < 0:
        return f"-{humanize(-value, unit)}"
    if value == 0:
        return "0"
    if unit is Unit.COUNT:
        return str(value)
    if unit is Unit.BYTES:
        return _human_bytes(value)
    if unit is Unit.SECONDS:
        return _human_duration(value)
    words = {Unit.MILLICORES: " core" if value == 1000 else " cores", Unit.MILLI_PER_SECOND: "/s"}
    return _decimal(Fraction(value, 1000)) + words.get(unit, "")


def _refusal(text: str, why: str) -> DomainError:
    return DomainError("invalid_quantity", f"{text[:_LONGEST_TEXT]!r} is not accepted: {why}.")


def _take_apart(text: str) -> Written:
    match = _FORM.fullmatch(text) if len(text) <= _LONGEST_TEXT else None
    if match is None or not (match[2] or match[4]):
        raise _refusal(
            text,
            "a quantity is a number with an optional suffix (m, k, M, G, T, P, E, Ki, Mi, Gi, Ti,"
            " Pi, Ei), such as 500m, 1.5 or 12Gi",
        )
    whole = match[2].lstrip("0") or "0"
    written = Written(text=text, whole=whole, fraction=match[4], suffix=match[5])
    if abs(written.power) > _LARGEST_EXPONENT:
        raise _refusal(text, f"the exponent must lie between ±{_LARGEST_EXPONENT}")
    if match[1] == "-" and written.value:
        raise _refusal(text, "a limit cannot be negative; use 0 for none or unlimited for no limit")
    return written


def _in_binary(value: int) -> str:
    power = 0
    while value % 1024 == 0:
        value //= 1024
        power += 10
    suffix = next((name for name, size in _BINARY.items() if size == power), "")
    return f"{value}{suffix}"


def _in_decimal(value: Fraction, text: str, *, exponential: bool) -> str:
    """`value`, a whole number of thousandths, with the largest power that leaves whole digits."""
    digits, power = int(value * 1000), -3
    while digits and digits % 1000 == 0:
        digits //= 1000
        power += 3
    if exponential and digits:
        return f"{digits}e{power}" if power else str(digits)
    if not digits:
        return "0"
    if power not in _DECIMAL_SUFFIX:
        raise _refusal(text, "the API server cannot hold amounts above 999E without an exponent")
    return f"{digits}{_DECIMAL_SUFFIX[power]}"


def _round_up(value: Fraction) -> int:
    return -(-value.numerator // value.denominator)


def _decimal(value: Fraction) -> str:
    """A fraction of thousandths as digits: 3/2 is `1.5`, 20 is `20`."""
    whole, thousandths = divmod(int(value * 1000), 1000)
    return f"{whole}.{thousandths:03d}".rstrip("0").rstrip(".")


def _without_unit(text: str, unit: Unit) -> str:
    """Drops the unit that pages show behind a number, leaving a Kubernetes quantity."""
    pattern = {
        Unit.MILLICORES: r"(.*[0-9.])\s*cores?",
        Unit.BYTES: r"(.*[0-9.])\s*([KMGTPE]i|[kMGTPE])?B?",
        Unit.MILLI_PER_SECOND: r"(.*?)\s*/\s*s",
    }.get(unit)
    match = re.fullmatch(pattern, text, re.ASCII) if pattern else None
    return "".join(part or "" for part in match.groups()) if match else text


def _duration(text: str) -> int:
    """Seconds, from a bare number or from parts such as `1h30m`, spaces between them allowed."""
    joined = re.sub(r"(?<=[0-9]) +(?=[a-z])|(?<=[a-z]) +(?=[0-9])", "", text[: _LONGEST_TEXT + 1])
    match = _DURATION.fullmatch(f"{joined}s" if re.fullmatch("[0-9]+", joined) else joined)
    if match is None or not any(match.groups()) or len(joined) > _LONGEST_TEXT:
        raise _refusal(text, f"a duration is {EXAMPLES[Unit.SECONDS]}")
    parts = zip(match.groups("0"), _SECONDS_IN.values(), strict=True)
    seconds = sum(int(number) * size for number, size in parts)
    if seconds > LARGEST:
        raise _refusal(text, f"it is longer than {LARGEST} seconds")
    return seconds


def _human_duration(value: int) -> str:
    parts = []
    for name, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, value = divmod(value, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts)


def _human_bytes(value: int) -> str:
    """Binary units where three decimals say it exactly, decimal units where those do, else ≈."""
    sizes = [("B", 1), *((f"{name}B", 2**power) for name, power in _BINARY.items())]
    name, size = next((n, s) for n, s in reversed(sizes) if value >= s)
    if value * 1000 % size == 0:
        return f"{_decimal(Fraction(value, size))} {name}"
    for power, suffix in reversed(_DECIMAL_SUFFIX.items()):
        if power > 0 and value >= 10**power and value * 100 % 10**power == 0:
            return f"{_decimal(Fraction(value, 10**power))} {suffix}B"
    return f"≈ {_decimal(Fraction(round(value * 100 / size), 100))} {name}"
