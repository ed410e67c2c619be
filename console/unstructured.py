"""Values out of untyped JSON: the readers of whatever comes from outside. Pure.

Objects, events and messages come from whoever may write them, so nothing here trusts a type or a
size, and nothing raises: what is not what it should be counts as absent.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

LARGEST: Final = 2**63 - 1
"""The largest whole number that every database column takes."""
EARLIEST: Final = datetime(1970, 1, 2, tzinfo=UTC)
LATEST: Final = datetime(9998, 1, 1, tzinfo=UTC)
"""Times outside of these are somebody's zero or infinity, and overflow in other time zones."""
_WHOLE: Final = re.compile(r"-?[0-9]{1,19}")
_BAD: Final = re.compile("[\x00\ud800-\udfff]")


def mapping(value: object) -> dict[str, Any]:
    """`value` when it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def sequence(value: object) -> list[Any]:
    """`value` when it is a JSON array, else an empty one."""
    return value if isinstance(value, list) else []


def mappings(value: object) -> list[dict[str, Any]]:
    """The JSON objects of an array."""
    return [item for item in sequence(value) if isinstance(item, dict)]


def texts(value: object) -> dict[str, str]:
    """The entries of a JSON object whose values are strings."""
    return {key: item for key, item in mapping(value).items() if isinstance(item, str)}


def clean(text: str) -> str:
    """A text without what databases refuse: NUL and halves of surrogate pairs become �."""
    if text.isascii():
        return text.replace("\0", "\ufffd") if "\0" in text else text
    return _BAD.sub("\ufffd", text)


def text(value: object, longest: int) -> str:
    """`value` when it is a string, cut to `longest` and fit for a database; else empty."""
    if not isinstance(value, str):
        return ""
    if len(value) > longest:
        value = value[:longest]
    return value if value.isascii() and "\0" not in value else clean(value)


def whole(value: object) -> int | None:
    """`value` when it is a whole number of at most 64 bits, or a string of ASCII digits that says
    one (Argo's exit codes are strings); else None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        value = int(value)
    if isinstance(value, int) and -LARGEST <= value <= LARGEST:
        return value
    return None


def number(value: object) -> float | None:
    """`value` when it is a finite number; else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        as_float = float(value)
    except OverflowError:
        return None
    return as_float if math.isfinite(as_float) else None


def moment(value: object) -> datetime | None:
    """An RFC 3339 time, in UTC where it names no zone; None for anything else: null, Go's zero
    time, and what no calendar or database takes."""
    if not isinstance(value, str) or not 19 <= len(value) <= 64:
        return None
    try:
        at = datetime.fromisoformat(value)
        at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return at if EARLIEST <= at <= LATEST else None


def moment_after(at: datetime, seconds: float) -> datetime | None:
    """The time so many seconds after another; None where no calendar or database takes it."""
    try:
        after = at + timedelta(seconds=seconds)
    except (ValueError, OverflowError):
        return None
    return after if EARLIEST <= after <= LATEST else None


def moment_of_seconds(value: object) -> datetime | None:
    """A time given as seconds since 1970; None for anything else."""
    seconds = number(value)
    if seconds is None or not EARLIEST.timestamp() <= seconds <= LATEST.timestamp():
        return None
    return datetime.fromtimestamp(seconds, tz=UTC)
