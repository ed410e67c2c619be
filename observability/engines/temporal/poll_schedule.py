"""When each open run is described again: Temporal cannot be watched, and most of its open runs wait
for hours."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from observability.engines.contracts import RunRef

FIRST_PAUSE: Final = 1.0
"""Seconds between two descriptions of a run that has just changed."""
LONGEST_PAUSE: Final = 15.0
"""The same of one that did not change for long: what visibility does not tell of it (a retry, a
heartbeat, a signal) is shown so much later at worst."""


@dataclass(frozen=True, slots=True)
class _Poll:
    revision: str
    pause: float
    next_at: float


class PollSchedule:
    """The open runs of one namespace, each with a pause that doubles while the run does not change.
    Kept in memory only: after a start every run is due. `clock` is in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._polls: dict[str, _Poll] = {}

    def due(self, refs: Iterable[RunRef], *, most: int, all_of_them: bool = False) -> list[RunRef]:
        """Of all open runs at most so many, those that wait for longest first. One whose revision
        is not that of its last description is due at once: somebody else has read it since. Runs
        that are not among `refs` are forgotten."""
        now = self._clock()
        before, self._polls = self._polls, {}

        def next_at(ref: RunRef) -> float:
            poll = before.get(ref.run_id)
            if poll is None:
                return 0.0
            self._polls[ref.run_id] = poll
            return poll.next_at if poll.revision == ref.revision else now

        times = ((next_at(ref), ref.id, ref) for ref in refs)
        waiting = (entry for entry in times if entry[0] <= now or all_of_them)
        return [ref for *_, ref in heapq.nsmallest(most, waiting, key=lambda entry: entry[:2])]

    def note(self, ref: RunRef, revision: str) -> None:
        """It was described, and this is the revision that it has now."""
        poll = self._polls.get(ref.run_id)
        changed = poll is None or revision != ref.revision
        pause = FIRST_PAUSE if changed or poll is None else min(2 * poll.pause, LONGEST_PAUSE)
        self._polls[ref.run_id] = _Poll(revision, pause, self._clock() + pause)
