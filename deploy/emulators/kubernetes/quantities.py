"""Quantities as kube-apiserver reads and rewrites them.

Written from what a 1.37 server answers, and independent of the product's own parser, so that
each checks the other. Values are exact fractions; stored values are rounded up to 1/1000.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil

SUFFIX_MESSAGE = "unable to parse quantity's suffix"
FORMAT_MESSAGE = (
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
)
_DIGITS = "0123456789"
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_DECIMAL_NAMES = {power: suffix for suffix, power in _DECIMAL.items()}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_BINARY_NAMES = {power: suffix for suffix, power in _BINARY.items()} | {0: ""}
_LARGEST = 2**63 - 1
SI, EXPONENT, BINARY = "si", "exponent", "binary"


class QuantityError(ValueError):
    """A quantity that the server would refuse; the text is the server's."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value in base units and the family of suffixes that it is written in."""

    value: Fraction
    style: str = SI

    def text(self) -> str:
        """Return the canonical form."""
        if not self.value:
            return "0"
        if self.style == BINARY and self.value.denominator == 1 and abs(self.value) >= 1024:
            return _shortened(int(self.value), 1024, _BINARY_NAMES)
        return _decimal(self.value, self.style)


def _shortened(number: int, factor: int, names: dict[int, str]) -> str:
    power = 0
    while number % factor == 0 and power + 1 in names:
        number //= factor
        power += 1
    return f"{number}{names[power]}"


def _decimal(value: Fraction, style: str) -> str:
    power = 0
    while value.denominator != 1:
        value, power = value * 10, power - 1
    number, power = _shortest(int(value), power)
    if style == EXPONENT:
        return f"{number}e{power}" if power else str(number)
    return f"{number}{_DECIMAL_NAMES.get(power, '')}"  # the server, too, drops 10^21 and up


@dataclass(frozen=True, slots=True)
class _Parts:
    sign: int
    whole: str
    fraction: str
    suffix: str


def _span(text: str, start: int, allowed: str) -> int:
    end = start
    while end < len(text) and text[end] in allowed:
        end += 1
    return end


def _split(text: str) -> _Parts:
    if not text:
        raise QuantityError(FORMAT_MESSAGE)
    start = 1 if text[0] in "+-" else 0
    sign = -1 if text[0] == "-" else 1
    end = _span(text, start, _DIGITS)
    whole = text[start:end]
    fraction = ""
    if end < len(text) and text[end] == ".":
        after = _span(text, end + 1, _DIGITS)
        fraction, end = text[end + 1 : after], after
    rest = _span(text, end, "eEinumkKMGTP")
    if rest < len(text) and text[rest] in "+-":
        rest += 1
    if _span(text, rest, _DIGITS) != len(text):
        raise QuantityError(FORMAT_MESSAGE)
    return _Parts(sign, whole.lstrip("0") or "0", fraction, text[end:])


def _scale(suffix: str) -> tuple[Fraction, str, int]:
    """Return the factor, the style and the exponent of a suffix."""
    if suffix in _DECIMAL:
        power = _DECIMAL[suffix]
        return Fraction(10) ** power, SI, power
    if suffix in _BINARY:
        return Fraction(1024) ** _BINARY[suffix], BINARY, _BINARY[suffix]
    try:
        exponent = int(suffix[1:])
    except ValueError:
        raise QuantityError(SUFFIX_MESSAGE) from None
    if suffix[0] not in "eE":
        raise QuantityError(SUFFIX_MESSAGE)
    return Fraction(10) ** exponent, EXPONENT, exponent


def parse(text: object) -> Quantity:
    """Read a quantity; raise QuantityError with the server's words."""
    return _read(text)[0]


def _as_text(raw: object) -> str:
    if raw is None:
        return "0"
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        raise QuantityError(FORMAT_MESSAGE)
    return str(raw).strip()


def _read(raw: object) -> tuple[Quantity, str, _Parts, int]:
    text = _as_text(raw)
    parts = _split(text)
    factor, style, exponent = _scale(parts.suffix)
    value = Fraction(int(parts.whole + parts.fraction), 10 ** len(parts.fraction)) * factor
    if style == BINARY:
        value = min(value, Fraction(_LARGEST))
        if value < 1:
            style = SI
    rounded = Fraction(ceil(value * 1000), 1000)
    return Quantity(parts.sign * rounded, style), text, parts, exponent


def canonical(raw: object) -> str:
    """Return what the server stores: a text whose digits are already the shortest ones stays."""
    quantity, text, parts, exponent = _read(raw)
    return text if _stays(quantity, parts, exponent) else quantity.text()


def _stays(quantity: Quantity, parts: _Parts, exponent: int) -> bool:
    digits = parts.whole + parts.fraction
    if not quantity.value or parts.whole == "0":
        return False
    if quantity.style == BINARY:
        # Seen, not explained: short binary numbers stay unless they are multiples of eight.
        precision = 14 - len(parts.whole) - exponent * 10 * 3 // 10
        return not parts.fraction and precision >= 0 and int(digits) % 8 != 0
    number, power = int(digits), exponent - len(parts.fraction)
    if len(digits) > 18 or power < -3:
        return False
    return (number, power) == _shortest(number, power)


def _shortest(number: int, power: int) -> tuple[int, int]:
    while number % 10 == 0:
        number, power = number // 10, power + 1
    while power % 3:
        number, power = number * 10, power - 1
    return number, power


def add(left: str, right: str) -> str:
    """Return the sum in the left one's style."""
    first, second = parse(left), parse(right)
    return Quantity(first.value + second.value, first.style).text()
