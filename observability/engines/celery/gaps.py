"""What has to be said of runs after nobody listened for a while. Pure.

A broker keeps no events for those who are away. So a run that was open then is told that something
may be missing; and one that ran then, and that no worker has any more, has ended without our
knowing how.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from console.chunks import chunks
from console.clients.celery.records import TaskOnWorker
from observability.engines.celery.events import microseconds, moment
from observability.engines.celery.revisions import WITH_WORKER, format_revision, parse_revision
from observability.engines.celery.workers import Silence
from observability.engines.contracts import (
    EventKind,
    FailureKind,
    RunEvent,
    RunRef,
    RunSnapshot,
    Status,
    TrailGap,
)

MOST: Final = 500
"""Runs in one page."""
UNKNOWN_END: Final = "Ended while its events were not being read: how is not known."


def pages(runs: Iterable[RunSnapshot]) -> Iterator[tuple[RunSnapshot, ...]]:
    """Runs in pages of bounded size."""
    return map(tuple, chunks(runs, MOST))


def gap_notes(open_runs: Iterable[RunRef], gap: TrailGap) -> Iterator[RunSnapshot]:
    """The runs that were open in a gap, each with an event that says so."""
    us = microseconds(gap.starts_at)
    event = RunEvent(
        key=f"gap:{us}",
        seq=us,
        at=gap.starts_at,
        kind=EventKind.GAP,
        title=f"Events were not read until {gap.ends_at:%Y-%m-%d %H:%M:%S} UTC",
        message=gap.cause[:2000],
    )
    for run in open_runs:
        if run.created_at <= gap.ends_at:
            yield _again(run, (event,))


def _again(run: RunRef, events: tuple[RunEvent, ...]) -> RunSnapshot:
    return RunSnapshot(
        external_id=run.external_id,
        run_id=run.run_id,
        location=run.location,
        type="",
        status=run.status,
        created_at=run.created_at,
        revision=run.revision,
        events=events,
    )


def ended_unseen(
    open_runs: Iterable[RunRef],
    there: Mapping[str, TaskOnWorker],
    *,
    reported: Iterable[str],
    at_us: int,
) -> Iterator[RunSnapshot]:
    """Runs that ran when we last knew of them and that no worker has any more, nor has told of
    since (`reported` are the tasks of which events came)."""
    alive = set(reported)
    for run in open_runs:
        strange = run.external_id not in there and run.external_id not in alive
        revision = parse_revision(run.revision)
        if run.status is not Status.RUNNING or not strange or revision is None:
            continue
        event = RunEvent(
            key=f"unseen-end:{revision[2]}",
            seq=revision[2] + 1,
            at=moment(at_us),
            kind=EventKind.LOST,
            title="No worker has it any more",
            message=UNKNOWN_END,
        )
        yield RunSnapshot(
            external_id=run.external_id,
            run_id=run.run_id,
            location=run.location,
            type="",
            status=Status.LOST,
            created_at=run.created_at,
            closed_at=moment(at_us),
            revision=format_revision((revision[0], WITH_WORKER, revision[2] + 1)),
            failure=UNKNOWN_END,
            failure_kind=FailureKind.OTHER,
            events=(event,),
        )


def silenced(lost: Silence, attempt: int, location: str) -> RunSnapshot:
    """A run whose worker went silent while it ran. Delivered again, it goes on."""
    what = "went offline" if lost.went_offline else "went silent"
    message = f"Worker {lost.hostname} {what} while it ran."
    event = RunEvent(
        key=f"silent:{lost.started_us}:{lost.hostname}"[:160],
        seq=lost.heard_us,
        at=moment(lost.heard_us),
        kind=EventKind.LOST,
        title=f"The worker {what}",
        attempt=attempt,
        actor=lost.hostname[:255],
        message=message,
        detail={"delivered_again": "where the task acknowledges late"},
    )
    return RunSnapshot(
        external_id=lost.uuid,
        run_id="",
        location=location,
        type="",
        status=Status.LOST,
        created_at=moment(lost.started_us),
        closed_at=moment(max(lost.heard_us, lost.started_us)),
        revision=format_revision((attempt, WITH_WORKER, max(lost.heard_us, lost.started_us + 1))),
        worker=lost.hostname,
        failure=message,
        failure_kind=FailureKind.WORKER_LOST,
        events=(event,),
    )
