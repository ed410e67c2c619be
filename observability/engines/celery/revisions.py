"""How far a task got, and how that is written into a run's revision.

`ENDED-ATTEMPT-PHASE-MICROSECONDS`: what ended stays ended; then counts the attempt, how far it got
(0 sent, 1 with a worker, 2 given up for another attempt, 3 ended), and last the time. So neither
clocks that differ between machines nor events that come late make a run go backwards, and a task
that is delivered again after its worker was lost goes on.

A worker that takes a task up later than it ended opens it again: it was delivered again, or its id
was used again. Twice the number of the ends before is added to ENDED then.
"""

from __future__ import annotations

from typing import Final, NamedTuple

SENT, WITH_WORKER, GIVEN_UP, ENDED = range(4)
LATE_BY: Final = 3_000_000
"""Microseconds by which the clocks of machines may differ."""


class Revision(NamedTuple):
    """`us` are microseconds, `ends` those after which the run was opened again."""

    attempt: int
    phase: int
    us: int
    ends: int = 0

    @property
    def has_ended(self) -> bool:
        """Whether it is an end."""
        return self.phase == ENDED


def late(revision: Revision) -> tuple[int, ...]:
    """Orders revisions: a greater one is later."""
    attempt, phase, us, ends = revision
    return (2 * ends + revision.has_ended, attempt, phase, us)


def ends_before(known: Revision | None, us: int, *, opens: bool) -> int:
    """How many ends came before what happened then, as far as is known; `opens` says whether it
    opens a run again that has ended."""
    if known is None:
        return 0
    if opens and known.has_ended and us > known.us:
        return known.ends + 1
    if known.ends and us < known.us - LATE_BY:
        return known.ends - 1
    return known.ends


def format_revision(revision: Revision) -> str:
    """How late a look is."""
    return "-".join(map(str, late(revision)))


def parse_revision(text: str) -> Revision | None:
    """What `format_revision` wrote; None for anything else."""
    parts = text.split("-")
    if len(parts) != 4 or not all(part.isdecimal() for part in parts):
        return None
    ends, attempt, phase, us = map(int, parts)
    return Revision(attempt, phase, us, ends // 2)


def with_worker(revision: Revision) -> Revision:
    """What the worker is at, from where the run is: a retry may have been sent that it has not told
    of yet."""
    if revision.phase == SENT and revision.attempt > 1:
        return revision._replace(attempt=revision.attempt - 1, phase=WITH_WORKER)
    return revision
