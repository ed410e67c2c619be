"""How long a part may take to start: long when the machine is slow, not for ever when it hangs.

Seconds of the clock say little on a machine that does sixty other things. A part that works, or
would work if it got a processor, is left alone until it has used its limit in processor time; the
limit in seconds is for the time in which it neither worked nor wanted to.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Final

WORKING_SHARE: Final = 0.1
"""A part works when it ran, or waited for a processor, for this share of the time. One that asks
once a second whether somebody answers stays far below it."""
WRITING_WEIGHT: Final = 0.25
"""What a second counts in which it only wrote its log: it may be a loop that gets nowhere."""
SLOWEST: Final = 20.0
DISK_SLEEP: Final = "D"


@dataclass(frozen=True, slots=True)
class Activity:
    """What a part has done since its start: seconds on processors, seconds that its threads waited
    for one, bytes of its log; and whether a thread waits for a disk at this moment."""

    processor: float = 0.0
    starved: float = 0.0
    log: int = 0
    on_disk: bool = False


@dataclass(slots=True)
class Patience:
    """One part's. `limit` is in seconds; it doubles with each try that took too long."""

    limit: float
    tries: int = 0
    idle: float = field(default=0.0, init=False)
    latest: Activity = field(default_factory=Activity, init=False)
    _at: float = field(default=0.0, init=False)

    def begin(self, now: float) -> None:
        """It is started (again)."""
        self.idle, self.latest, self._at = 0.0, Activity(), now

    def observe(self, now: float, activity: Activity, *, slowness: float, waits: bool) -> str:
        """Takes in what it has done until now; why it is not to be waited for any longer, or "".

        `waits`: for another part, which is not ready. `slowness`: of the machine, at least 1.
        """
        passed, before = now - self._at, self.latest
        self._at, self.latest = now, activity
        if not waits and not _works(before, activity, passed):
            self.idle += passed * (WRITING_WEIGHT if activity.log > before.log else 1.0)
        limit = self.limit * 2**self.tries
        if self.idle > limit * slowness:
            return f"was not ready and did nothing for {self.idle:.0f} s"
        if activity.processor > limit:
            return f"was not ready after {activity.processor:.0f} s of processor time"
        return ""

    def note(self, age: float) -> str:
        """What is known of a start that takes long: seconds since it, and how it spent them."""
        text = f"{age:.0f} s, of which {self.latest.processor:.1f} s on a processor"
        if self.latest.starved > self.latest.processor:
            text += f" and {self.latest.starved:.0f} s waiting for one"
        return text


def _works(before: Activity, after: Activity, passed: float) -> bool:
    # Programs that ended between take their figures with them.
    ran = max(after.processor - before.processor, 0.0)
    wanted = max(after.starved - before.starved, 0.0)
    return after.on_disk or ran + wanted >= WORKING_SHARE * passed


def machine_load() -> tuple[float, int]:
    """Programs that run or want to (over a minute), and processors."""
    return os.getloadavg()[0], os.cpu_count() or 1


def machine_slowness() -> float:
    """How many times longer things take than on a machine with nothing else to do."""
    load, processors = machine_load()
    return min(max(load / processors, 1.0), SLOWEST)
