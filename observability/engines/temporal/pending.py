"""What pending activities tell, placed where their activities were scheduled."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from console.clients.temporal.records import RunDescription, RunHistory
from observability.engines.contracts import EventSeen
from observability.engines.temporal import attempts

_MOST: Final = 20_000


class Schedules:
    """Which event scheduled an activity that is pending. Only saves reading the same history
    again: what is not here is looked for in it."""

    def __init__(self) -> None:
        self._events: OrderedDict[tuple[str, str], int] = OrderedDict()

    def missing(self, run_id: str, found: RunDescription) -> frozenset[str]:
        """The ids of pending activities that are still to be looked for."""
        ids = {one.activity_id for one in found.activities}
        return frozenset(one for one in ids if (run_id, one) not in self._events)

    def learn(self, run_id: str, told: RunHistory) -> None:
        """Remember what a history says."""
        for event in told.events:
            if event.type == "activity_task_scheduled":
                self._events[(run_id, event.subject)] = event.id
                self._events.move_to_end((run_id, event.subject))
        while len(self._events) > _MOST:
            self._events.popitem(last=False)

    def of(self, run_id: str, activity_id: str) -> int | None:
        """The id of the scheduling event."""
        return self._events.get((run_id, activity_id))


def pending_events(
    found: RunDescription, schedules: Schedules, created_at: datetime
) -> Iterator[EventSeen]:
    """Attempts, retries and checkpoints of the activities that have not ended."""
    for activity in found.activities:
        scheduled = schedules.of(found.row.run_id, activity.activity_id)
        if scheduled is not None:
            yield from attempts.pending(activity, scheduled=scheduled, now=created_at)
