"""Rate limits as Celery takes and shows them. Pure.

What we write begins with `+`: Celery reads the same number, and we recognise our own writes. A
worker keeps its rates as text, per task type, until it ends.
"""

from __future__ import annotations

from typing import Final

from quotas.plans.contracts import Unit
from quotas.plans.quantities import humanize

OURS: Final = "+"
_MOST: Final = 1e9
"""Tasks a second that no worker starts: no limit."""
_SECONDS: Final = {"s": 1, "": 1, "m": 60, "h": 3600}


def written(milli: int, workers: int) -> str:
    """What each of so many workers is told, so that together they start `milli`/1000 tasks of one
    type a second."""
    return f"{OURS}{milli / 1000 / max(workers, 1):.9f}/s"


def is_ours(rate: str) -> bool:
    """Whether we wrote it."""
    return rate.startswith(OURS)


def per_second(rate: str) -> float | None:
    """Tasks a second; None for no limit (also where Celery would not understand it)."""
    number, _, unit = rate.partition("/")
    try:
        value = float(number) / _SECONDS[unit.strip()]
    except (ValueError, KeyError, OverflowError):
        return None
    return value if 0 < value < _MOST else None


def shown(rate: str) -> str:
    """As people read it."""
    value = per_second(rate)
    return "no rate" if value is None else humanize(round(value * 1000), Unit.MILLI_PER_SECOND)


def together(rates: list[str]) -> int | None:
    """Milli-requests a second of all workers for one task type, each with its own rate; None as
    soon as one of them has no limit."""
    each_rate = [per_second(rate) for rate in rates]
    if not each_rate or any(rate is None for rate in each_rate):
        return None
    return round(sum(rate for rate in each_rate if rate is not None) * 1000)
