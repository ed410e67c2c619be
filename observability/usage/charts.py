"""Samples of use as sparklines. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from console.pages.charts import Sparkline
from quotas.plans.contracts import Unit
from quotas.plans.quantities import humanize

HOURS = 24


def spark(values: Sequence[int | None], *, unit: Unit, limit: int | None) -> Sparkline:
    """The last 24 h of one limit; `limit` in the same base units draws a hairline."""
    known = [value for value in values if value is not None]
    if not known:
        return Sparkline(values=(), text="No history yet")
    low, high = min(known), max(known)
    span = (
        humanize(high, unit) if low == high else f"{humanize(low, unit)} to {humanize(high, unit)}"
    )
    return Sparkline(values=tuple(values), text=f"24 h: {span}", limit=limit)


def aligned(line: Sequence[int | None], *, missing: int, slots: int) -> list[int | None]:
    """Samples as exactly `slots` values that end now: `missing` slots nobody looked at."""
    ended = [*line, *([None] * missing)][-slots:]
    return [None] * (slots - len(ended)) + ended


def limits_of(state: Mapping[str, Mapping[str, object]]) -> dict[str, int | None]:
    """The enforced limit by key, as PlacementState.limits has it."""
    limits: dict[str, int | None] = {}
    for key, entry in state.items():
        value = entry.get("enforced")
        limits[key] = value if isinstance(value, int) else None
    return limits
