"""How far a task got, and how that is written into a run's revision.

`ENDED-ATTEMPT-PHASE-MICROSECONDS`: what ended stays ended; then counts the attempt, how far it got
(0 sent, 1 with a worker, 2 given up for another attempt, 3 ended), and last the time. So neither
clocks that differ between machines nor events that come late make a run go backwards, and a task
that is delivered again after its worker was lost goes on.
"""

from __future__ import annotations

SENT, WITH_WORKER, GIVEN_UP, ENDED = range(4)
Revision = tuple[int, int, int]
"""Attempt, phase, microseconds."""


def late(revision: Revision) -> tuple[int, ...]:
    """Orders revisions: a greater one is later."""
    return (int(revision[1] == ENDED), *revision)


def format_revision(revision: Revision) -> str:
    """How late a look is."""
    return "-".join(map(str, late(revision)))


def parse_revision(text: str) -> Revision | None:
    """What `format_revision` wrote; None for anything else."""
    parts = text.split("-")
    if len(parts) != 4 or not all(part.isdecimal() for part in parts):
        return None
    return int(parts[1]), int(parts[2]), int(parts[3])


def with_worker(revision: Revision) -> Revision:
    """What the worker is at, from where the run is: a retry may have been sent that it has not told
    of yet."""
    attempt, phase, us = revision
    return (attempt - 1, WITH_WORKER, us) if phase == SENT and attempt > 1 else revision
