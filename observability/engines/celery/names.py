"""What a task was called before: it may be replaced by another one that goes on under its id. Pure,
and bounded, whatever a task is called."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from observability.engines.contracts import LONGEST_TITLE

MOST_NAMES: Final = 10
"""Names of one task that are remembered; further ones are counted."""
LONGEST_NAME: Final = LONGEST_TITLE


@dataclass(frozen=True, slots=True)
class TaskNames:
    """The `first` names that a task had, the one that it has `now`, and how often it was called
    otherwise after them."""

    first: tuple[str, ...]
    now: str
    more: int = 0

    @property
    def is_full(self) -> bool:
        """Whether further names are only counted."""
        return len(self.first) >= MOST_NAMES

    def renamed(self, name: str) -> TaskNames:
        """With another name now."""
        if name in self.first:
            return replace(self, now=name)
        if self.is_full:
            return replace(self, now=name, more=self.more + (name != self.now))
        return replace(self, first=(*self.first, name), now=name)

    @property
    def earlier(self) -> str:
        """The names before the one that it has now, for people; empty where there are none."""
        names = ", ".join(name for name in self.first if name != self.now)
        more = self.more - (self.now not in self.first)
        return f"{names} and {more:,} more" if more > 0 else names
