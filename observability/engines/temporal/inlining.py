"""Closed runs with their histories, several fetched at once: what makes catching up fast."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from console.clients.temporal.records import RunHistory, RunRow
from console.clients.temporal.trail import Fetching, TrailReader
from observability.engines.contracts import RunSeen
from observability.engines.temporal import runs
from observability.engines.temporal.telling import tell

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


def with_histories(
    reader: TrailReader, rows: Sequence[RunRow], where: str
) -> Iterator[tuple[RunSeen, ...]]:
    """The rows as runs, in pages; short histories of closed ones come along. While a page is
    stored, the histories of the next one are on their way."""
    ahead: deque[tuple[list[RunRow], list[RunRow], Fetching]] = deque()
    try:
        for batch in batches(rows):
            short = [row for row in batch if _comes_along(row)]
            ahead.append((batch, short, reader.fetch([_ref(row) for row in short])))
            if len(ahead) > 1:
                yield _page(reader, *ahead.popleft(), where)
        while ahead:
            yield _page(reader, *ahead.popleft(), where)
    finally:
        for _, _, fetching in ahead:
            fetching.cancel()


def _ref(row: RunRow) -> tuple[str, str]:
    return row.workflow_id, row.run_id


def _page(
    reader: TrailReader,
    rows: Sequence[RunRow],
    short: Sequence[RunRow],
    fetching: Fetching,
    where: str,
) -> tuple[RunSeen, ...]:
    told = {row.run_id: one for row, one in zip(short, fetching.result(), strict=True)}
    found = [_run(row, told.get(row.run_id), where) for row in rows]
    return (*found, *_bases(reader, found, where))


def _bases(reader: TrailReader, found: Sequence[RunSeen], where: str) -> Iterator[RunSeen]:
    """The runs from which some of these were reset: nothing tells of it on their own side."""
    resets = [(run, event) for run in found if (event := runs.reset_of(run)) is not None]
    bases = [(run.external_id, str(event.detail["base_run_id"])) for run, event in resets]
    for (run, event), base in zip(resets, reader.describe_all(bases), strict=True):
        if base is not None:
            yield runs.reset_base(base, run, event.at, where)


def _run(row: RunRow, told: RunHistory | None, where: str) -> RunSeen:
    run = runs.seen(row, where)
    if told is None or not told.closed:
        return run
    story = tell(told.events)
    events = sorted(story.events, key=lambda event: (event.seq, event.key))
    return replace(runs.refined(run, story), events=tuple(events), document=told.document)
