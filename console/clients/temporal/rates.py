"""Rates and weights: milli integers inside, float32 on the wire."""

from __future__ import annotations

import math
import struct

from console.errors import Refused

# Below this the server takes a per-key default for "no limit" (seen: 0; read: up to 1e-9).
LEAST_MILLI = 1


def to_wire(milli: int) -> float:
    """Requests/s as the server stores them. Refused when the value would come back as another.

    Every milli value up to 8,388 requests/s is exact, above that whole requests/s are up to
    16 million; the server's own ceiling is 1,000/s per partition.
    """
    if isinstance(milli, bool) or not isinstance(milli, int):
        raise Refused(
            f"a rate is a whole number of milli-requests/s, not {milli!r}", code="invalid"
        )
    if milli < 0:
        raise Refused(f"a rate is not negative ({milli})", code="invalid")
    try:
        wire: float = struct.unpack("<f", struct.pack("<f", milli / 1000))[0]
    except OverflowError:
        raise Refused(f"{milli} milli-requests/s is too large", code="invalid") from None
    if from_wire(wire) != milli:
        raise Refused(
            f"{milli} milli-requests/s cannot be stored exactly; use whole requests/s",
            code="invalid",
        )
    return wire


def from_wire(rate: float) -> int | None:
    """Milli-requests/s of a rate on the wire, to the nearest.

    None for infinity and NaN, which the server accepts from others and which limit nothing.
    """
    return round(rate * 1000) if math.isfinite(rate) else None


def key_default_to_wire(milli: int) -> float:
    """As to_wire, but never 0: the server reads a per-key default of 0 as unlimited."""
    wire = to_wire(milli)
    if milli < LEAST_MILLI:
        raise Refused(
            "a per-key default of 0 means unlimited to Temporal; pause the queue or lower the "
            "key's weight instead",
            code="key_default_zero",
        )
    return wire


def weight_to_wire(milli: int) -> float:
    """A fairness weight (1000 = 1.0). The server clamps below 0.001, so 1 is the least."""
    if milli < LEAST_MILLI:
        raise Refused(f"a weight is at least 1 milli, not {milli!r}", code="invalid")
    return to_wire(milli)
