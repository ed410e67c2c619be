"""Closed runs with their histories, several fetched at once: what makes catching up fast."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from console.clients.temporal.records import RunHistory, RunRow
from console.clients.temporal.trail import TrailReader
from observability.jobs.adapters.temporal import runs
from observability.jobs.adapters.temporal.story import tell
from observability.jobs.contracts import RunSeen

MOST_RUNS: Final = 200
MOST_BYTES: Final = 4_000_000
"""Of history in one page."""
LONGEST: Final = 400
LARGEST: Final = 256_000
"""Events and bytes of a history that comes along; a larger one is fetched by itself."""


def batches(rows: Sequence[RunRow]) -> Iterator[list[RunRow]]:
    """Rows in their order, in parts whose histories are few enough to hold."""
    batch: list[RunRow] = []
    size = 0
    for row in rows:
        if batch and (len(batch) >= MOST_RUNS or size + _weight(row) > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += _weight(row)
    if batch:
        yield batch


def _weight(row: RunRow) -> int:
    return row.history_size if _comes_along(row) else 0


def _comes_along(row: RunRow) -> bool:
    # Without a length it is unknown how much would come.
    return (
        row.closed_at is not None
        and 0 < row.history_length <= LONGEST
        and row.history_size <= LARGEST
    )


def with_histories(reader: TrailReader, rows: Sequence[RunRow], where: str) -> tuple[RunSeen, ...]:
    """The rows as runs; short histories of closed ones come along."""
    short = [row for row in rows if _comes_along(row)]
    told = reader.histories([(row.workflow_id, row.run_id) for row in short])
    found = {row.run_id: history for row, history in zip(short, told, strict=True)}
    return tuple(_run(row, found.get(row.run_id), where) for row in rows)


def _run(row: RunRow, told: RunHistory | None, where: str) -> RunSeen:
    run = runs.seen(row, where)
    if told is None or not told.closed:
        return run
    story = tell(told.events)
    events = sorted(story.events, key=lambda event: (event.seq, event.key))
    return replace(runs.refined(run, story), events=tuple(events), document=told.document)
