"""What late loops mean, in words: what is not done, since when, why, and what to do."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from console.loops.contracts import (
    BEAT,
    BROKER,
    INGEST,
    PROBE,
    QUEUE,
    SWEEP,
    TICK,
    WORKER,
    LoopStatus,
)

_START_BEAT: Final = "celery -A console beat"
_START_WORKER: Final = "celery -A console worker"
_START_INGEST: Final = "manage.py ingest"
_NO_BEAT: Final = "the scheduler is not running"
_UNCHECKED: Final = (
    "Leases that end, changes made by others and what waits to be pushed are not noticed."
)
_ROUNDS: Final[Mapping[str, str]] = {
    "finish-offboarding": "Off-boarding has not been finished",
    "replays": "Replays that were interrupted have not been resumed",
    "job-archive": "Records of jobs that could not be archived at once have not been tried again",
    "job-retention": "Jobs whose retention is over have not been removed",
    "usage": "No sample of use has been taken",
    "actions": "Actions that were interrupted have not been looked after",
    "retention": "Old records have not been removed",
}
"""What has not happened when a scheduled round is late, by its name in CELERY_BEAT_SCHEDULE."""


@dataclass(frozen=True, slots=True)
class LoopNote:
    """One thing that stands still: "`what` since 13:41: `why`." `since` is None where it never
    began. `start` is the command that helps, `tone` "bad" where limits are concerned."""

    what: str
    since: datetime | None
    why: str
    more: str = ""
    start: str = ""
    tone: str = "bad"

    @property
    def at(self) -> str:
        """The moment for people who compare it with a log: "13:41 UTC"."""
        return f"{self.since:%H:%M} UTC" if self.since else ""


_INTERRUPTIONS: Final[Mapping[str, str]] = {
    BEAT: "the scheduler was started",
    BROKER: "the worker lost its connection to the broker",
    INGEST: "the ingest process was started",
    WORKER: "a worker was started",
}
RECENT: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class InterruptionNote:
    """Something that happened in the last ten minutes and is over, most likely: "`what` at
    13:41:07 UTC, 3 s ago"."""

    what: str
    at: datetime

    @property
    def clock(self) -> str:
        """The moment for people who compare it with a log."""
        return f"{self.at:%H:%M:%S} UTC"


def interruption_notes(
    moments: Mapping[str, datetime | None], now: datetime
) -> tuple[InterruptionNote, ...]:
    """What was interrupted in the last ten minutes, the latest first; `moments` are by name."""
    recent = [
        InterruptionNote(_INTERRUPTIONS[name], at)
        for name, at in moments.items()
        if at is not None and name in _INTERRUPTIONS and now - RECENT <= at
    ]
    return tuple(sorted(recent, key=lambda note: note.at, reverse=True))


class LoopReport:
    """How all loops are at one moment."""

    def __init__(self, statuses: Sequence[LoopStatus], now: datetime) -> None:
        self.statuses = tuple(statuses)
        self.now = now
        self._late = [status for status in statuses if status.late(now)]
        self._named = {status.name: status for status in self._late if not status.target}

    @property
    def late(self) -> Sequence[LoopStatus]:
        """Those that are late."""
        return self._late

    @property
    def unchecked(self) -> frozenset[str]:
        """Targets, by slug, of which nobody can say now that they are as intended: they were
        compared too long ago, or the round that has them compared has stopped."""
        stopped = TICK in self._named and self._named[TICK].last is not None
        return frozenset(
            status.target
            for status in (self.statuses if stopped else self._late)
            if status.name == SWEEP
        )

    def notes(self, targets: Collection[str] | None = None) -> tuple[LoopNote, ...]:
        """What to tell people; with `targets` (slugs) only what concerns the limits there."""
        return (
            *self._limits(),
            *(() if TICK in self._named else self._of_targets(targets)),
            *(self._beside() if targets is None else ()),
        )

    def _limits(self) -> Iterator[LoopNote]:
        tick, beat = self._named.get(TICK), self._named.get(BEAT)
        if tick is not None and (beat is not None or self._is_silent(BEAT)):
            # Whoever stands in begins once it is late: until then nothing is known of workers.
            why = _NO_BEAT if beat is None else self._nobody()
            yield LoopNote(
                "Nothing has checked the limits", tick.last, why, _UNCHECKED, _START_BEAT
            )
        elif tick is not None:
            yield LoopNote(
                "Nothing has checked the limits",
                tick.last,
                "no worker takes the scheduler's tasks",
                f"{_UNCHECKED} The worker is not running, is held up, or the broker is away.",
                _START_WORKER,
            )
        elif beat is not None:
            yield LoopNote(
                "The scheduler has not run",
                beat.last,
                "its process is not running",
                "The ingest process stands in for it: limits are still checked, less often.",
                _START_BEAT,
                tone="warn",
            )

    def _is_silent(self, name: str) -> bool:
        """Whether it has missed two of its periods: too little to be late, and enough to be the
        cause where another loop is."""
        return any(
            (age := status.age(self.now)) is not None and age > 2 * status.every
            for status in self.statuses
            if status.name == name
        )

    def _nobody(self) -> str:
        if self._runs(INGEST):
            # It would have told a worker.
            return "neither the scheduler nor a worker is running, or the broker is away"
        return _NO_BEAT

    def _runs(self, name: str) -> bool:
        return name not in self._named and any(
            status.name == name and not status.target for status in self.statuses
        )

    def _of_targets(self, targets: Collection[str] | None) -> Iterator[LoopNote]:
        texts = {
            SWEEP: ("has not been compared with what is intended", "comparing fails or hangs"),
            PROBE: ("has not been probed", "probing fails or hangs"),
            QUEUE: ("has changes that nobody has pushed", "nobody works on what waits for it"),
        }
        for status in self._late:
            if status.name not in texts or (targets is not None and status.target not in targets):
                continue
            what, why = texts[status.name]
            yield LoopNote(
                f"{status.target} {what}",
                status.last,
                why,
                "The scheduler runs; the log of the worker says more.",
            )

    def _beside(self) -> Iterator[LoopNote]:
        """What concerns no limit."""
        if (ingest := self._named.get(INGEST)) is not None:
            yield LoopNote(
                "Jobs have not been read",
                ingest.last,
                "the ingest process is not running",
                "Pages of jobs show what was known then.",
                _START_INGEST,
                tone="warn",
            )
        if BEAT in self._named and TICK in self._named:
            return  # whatever the scheduler wakes is late then, and that is said above
        for status in self._late:
            if not status.target and status.name not in (BEAT, TICK, INGEST):
                what = _ROUNDS.get(status.name, f"The round {status.name} has not run")
                why = "the task fails, or waits for a worker"
                yield LoopNote(what, status.last, why, tone="warn")
