"""How long a run is kept. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

PLAN_KEY: Final = "trail.retentionSeconds"
TARGET_OPTION: Final = "trail_retention_days"


def retention(
    *, plan: Mapping[str, int | None], options: Mapping[str, Any], days: int
) -> timedelta | None:
    """What the tenant's plan says, else the target, else `days`; None keeps for ever.

    `plan` has the tenant's limits by key: unlimited (None) there keeps for ever too.
    """
    if PLAN_KEY in plan:
        seconds = plan[PLAN_KEY]
        return None if seconds is None else timedelta(seconds=seconds)
    chosen = options.get(TARGET_OPTION)
    if isinstance(chosen, int) and not isinstance(chosen, bool) and chosen > 0:
        return timedelta(days=chosen)
    return timedelta(days=days)


def cut_off(kept: timedelta | None, now: datetime) -> datetime | None:
    """Runs that ended before this moment go; None: none do."""
    return None if kept is None else now - kept
