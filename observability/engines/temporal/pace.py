"""When the next look at a namespace is: visibility cannot be watched, so it is asked again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

PAUSE: Final = 1.0
"""Seconds between two rounds: three queries of visibility each, of ten a second."""
IDLE_PAUSE: Final = 4.0
"""The same where nothing has happened for QUIET seconds."""
QUIET: Final = 6.0


class Pace:
    """By target: soon after the last round while something happens there, also where that round
    was of an earlier call. `clock` and `sleep` are in seconds."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock, self._sleep = clock, sleep
        self._moved: dict[int, float] = {}
        self._last: dict[int, float] = {}

    def note(self, target_id: int, *, moved: bool) -> None:
        """A round has ended, and something was new in it or nothing."""
        now = self._last[target_id] = self._clock()
        if moved or target_id not in self._moved:
            self._moved[target_id] = now

    def is_idle(self, target_id: int) -> bool:
        """Whether nothing has happened for a while."""
        return self._clock() - self._moved.get(target_id, self._clock()) > QUIET

    def wait(self, target_id: int, at_most: float) -> None:
        """Until it is time for the next round, but not longer than so many seconds."""
        last = self._last.get(target_id)
        if last is None:
            return
        pause = IDLE_PAUSE if self.is_idle(target_id) else PAUSE
        left = min(last + pause - self._clock(), at_most)
        if left > 0:
            self._sleep(left)
