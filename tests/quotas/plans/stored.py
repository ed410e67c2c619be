"""What the API server makes of an amount: a model to hold our amounts against, pinned by the real
server in tests/contract/test_quantities_real.py."""

from __future__ import annotations

from fractions import Fraction

from quotas.plans.contracts import LARGEST
from quotas.plans.quantities import Written, _in_binary, _in_decimal, _round_up, _take_apart


def canonical(text: str) -> str:
    """What the API server stores when it is sent `text` as an amount in a ResourceQuota.

    Raises DomainError("invalid_quantity") as `parse_quantity` does, and for what the server is
    known to corrupt: above 999E it has no suffix left and drops the exponent (`1000E` would be
    stored as `1`).
    """
    written = _take_apart(text)
    if _kept_as_written(written):
        return text
    value = Fraction(_round_up(written.value * 1000), 1000)
    if written.binary:
        value = min(value, Fraction(LARGEST))
        if value >= 1024 and value.denominator == 1:
            return _in_binary(int(value))
    return _in_decimal(value, text, exponential=written.exponential)


def _kept_as_written(written: Written) -> bool:
    """True when the server takes the text for canonical already and never looks again.

    Its test is a quick one on the digits, so signs, leading zeros and `1.` slip through. Numbers
    too long for its fast path are always rewritten, and so is what has to be rounded to milli.
    """
    digits = written.whole + written.fraction
    if written.binary:
        room = 14 - len(written.whole) - written.binary * 3 // 10
        return room >= 0 and not written.fraction and int(digits) % 8 != 0
    scale = written.power - len(written.fraction)
    tidy = scale % 3 == 0 and not digits.endswith("000") and digits[0] != "0"
    return tidy and len(digits) <= 18 and scale >= -3
