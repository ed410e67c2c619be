"""How far a namespace has been read, as it is kept between looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

BEGINNING: Final = datetime(2015, 1, 1, tzinfo=UTC)
"""Before the first run of anything like Temporal."""
OVERLAP: Final = timedelta(seconds=15)
"""How much is read twice, because visibility is late and clocks differ. What was known then is
known by its revision, so that this costs one listing of 15 seconds."""
FULL: Final = 1000
"""Rows of one page; windows are cut so that they hold about as many."""
_WIDEST: Final = timedelta(days=365 * 40)
_NARROWEST: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Cursor:
    """Everything that closed before `closed` and everything that is open and began before
    `started` has been given out, the same for standalone activities; `current` says that the last
    round got to its end."""

    closed: datetime = BEGINNING
    started: datetime = BEGINNING
    activities_closed: datetime = BEGINNING
    activities_started: datetime = BEGINNING
    current: bool = False

    def stored(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "closed": self.closed.isoformat(),
            "started": self.started.isoformat(),
            "activities_closed": self.activities_closed.isoformat(),
            "activities_started": self.activities_started.isoformat(),
            "current": self.current,
        }

    def through(self) -> datetime | None:
        """Up to when nothing is missing; None while that is before anything."""
        both = min(self.closed, self.started)
        return both if both > BEGINNING else None

    def advanced(self, name: str, to: datetime) -> Cursor:
        """With the part of that name further on; a cursor never goes back."""
        fields: dict[str, Any] = {name: max(getattr(self, name), to)}
        return replace(self, **fields)


def read(stored: Mapping[str, Any]) -> Cursor:
    """A stored cursor; one that cannot be read begins anew, which only costs time."""
    try:
        return Cursor(
            closed=_moment(stored.get("closed")),
            started=_moment(stored.get("started")),
            activities_closed=_moment(stored.get("activities_closed")),
            activities_started=_moment(stored.get("activities_started")),
            current=stored.get("current") is True,
        )
    except (TypeError, ValueError):
        return Cursor()


def _moment(text: Any) -> datetime:
    if not text:
        return BEGINNING
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def wire(moment: datetime) -> str:
    """A point in time in a visibility query."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def narrower(width: timedelta, held: int) -> timedelta:
    """The next width to try for a window that holds too many runs."""
    return max(_NARROWEST, width * (0.7 * FULL / held))


def halved(width: timedelta) -> timedelta:
    """Half of a width; never so little that nothing is left to go on by."""
    return max(_NARROWEST, width / 2)


def wider(width: timedelta, held: int) -> timedelta:
    """The width for the window after one that held `held` runs."""
    if held == 0:
        return min(width * 4, _WIDEST)
    return min(width * 2, _WIDEST) if held < FULL // 2 else width


def is_narrow(width: timedelta) -> bool:
    """Whether a window is read page by page rather than cut any more."""
    return width <= _NARROWEST
