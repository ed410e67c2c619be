"""What an engine holds a run back for, in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from console.unstructured import moment
from observability.engines.contracts import Status

_DAY: Final = timedelta(days=1)


def held_until(hold: Mapping[str, Any] | None, status: str, now: datetime) -> datetime | None:
    """Until when a run is held back; None when it is not, or no more. `hold` is JobRun.hold."""
    if not hold or status != Status.WAITING:
        return None
    until = moment(hold.get("until"))
    return until if until is not None and until > now else None


def describe_hold(hold: Mapping[str, Any] | None, status: str, now: datetime) -> str:
    """ "waits until 03:00 (cron)", in UTC, with its date where that is more than a day ahead; empty
    when nothing holds the run back (any more)."""
    until = held_until(hold, status, now)
    if hold is None or until is None:
        return ""
    reason = str(hold.get("reason") or "")
    form = "%H:%M" if until - now <= _DAY else "%Y-%m-%d %H:%M"
    return f"waits until {until.astimezone(UTC):{form}}{f' ({reason})' if reason else ''}"
