"""Runs by visibility, oldest first: windows in time that hold about one page each, and the short
histories of closed runs, several fetched at once, which is what makes catching up fast."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from console.clients.temporal.history_reader import Fetching, HistoryReader
from console.clients.temporal.records import RunHistory, VisibilityRow
from observability.engines.contracts import RunSnapshot
from observability.engines.temporal import runs
from observability.engines.temporal.cursor import FULL, halved, is_narrow, narrower, wider, wire
from observability.engines.temporal.history import reduce_history

SHORT: Final = timedelta(seconds=60)
"""A window that is read without counting first: it is the usual one once we are up to date."""
MOST_RUNS: Final = 200
MOST_BYTES: Final = 4_000_000
"""Of history in one page."""
LONGEST: Final = 400
LARGEST: Final = 256_000
"""Events and bytes of a history that comes along; a larger one is fetched by itself."""


@dataclass(frozen=True, slots=True)
class VisibilityWindow:
    """Some rows; `ends_at` says that everything before it has been given, None: more to come."""

    rows: tuple[VisibilityRow, ...]
    ends_at: datetime | None


def visibility_pages(
    reader: HistoryReader, query: str, column: str, begin: datetime, end: datetime
) -> Iterator[VisibilityWindow]:
    """The rows that `query` finds with `column` (`CloseTime`, `StartTime`) from `begin` on.

    The last window has no end, so that runs from a clock ahead of ours are there too. Never holds
    more than one page.
    """
    at, width = begin, end - begin
    crowded = begin
    while True:
        last = at + width >= end
        where = f"{query} AND {column} >= '{wire(at)}'"
        if not last:
            where += f" AND {column} < '{wire(at + width)}'"
        held = -1 if width <= SHORT else reader.count(where)
        if held > FULL and not is_narrow(width):
            crowded = at + width
            width = min(narrower(width, held), halved(width))
            continue
        yield from _window(reader, where, end if last else at + width, empty=held == 0)
        if last:
            return
        at += width
        # What was too much for one window lies in the rest of it: halve that, rather than grow.
        narrowing = held == 0 and crowded > at
        width = halved(crowded - at) if narrowing else wider(width, max(held, 0))


def _window(
    reader: HistoryReader, where: str, ends_at: datetime, *, empty: bool
) -> Iterator[VisibilityWindow]:
    token = b""
    while not empty:
        page = reader.rows(where, size=FULL, token=token)
        token = page.token
        if not token:
            yield VisibilityWindow(page.rows, ends_at)
            return
        yield VisibilityWindow(page.rows, None)
    yield VisibilityWindow((), ends_at)


def batches(rows: Sequence[VisibilityRow]) -> Iterator[list[VisibilityRow]]:
    """Rows in their order, in parts whose histories are few enough to hold."""
    batch: list[VisibilityRow] = []
    size = 0
    for row in rows:
        if batch and (len(batch) >= MOST_RUNS or size + _weight(row) > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += _weight(row)
    if batch:
        yield batch


def _weight(row: VisibilityRow) -> int:
    return row.history_size if _comes_along(row) else 0


def _comes_along(row: VisibilityRow) -> bool:
    # Without a length it is unknown how much would come.
    return (
        row.closed_at is not None
        and 0 < row.history_length <= LONGEST
        and row.history_size <= LARGEST
    )


def with_histories(
    reader: HistoryReader, rows: Sequence[VisibilityRow], where: str
) -> Iterator[tuple[RunSnapshot, ...]]:
    """The rows as runs, in pages; short histories of closed ones come along. While a page is
    stored, the histories of the next one are on their way."""
    fetches: deque[tuple[list[VisibilityRow], list[VisibilityRow], Fetching]] = deque()
    try:
        for batch in batches(rows):
            short = [row for row in batch if _comes_along(row)]
            fetches.append((batch, short, reader.fetch([_ref(row) for row in short])))
            if len(fetches) > 1:
                yield _page(reader, *fetches.popleft(), where)
        while fetches:
            yield _page(reader, *fetches.popleft(), where)
    finally:
        for _, _, fetching in fetches:
            fetching.cancel()


def _ref(row: VisibilityRow) -> tuple[str, str]:
    return row.workflow_id, row.run_id


def _page(
    reader: HistoryReader,
    rows: Sequence[VisibilityRow],
    short: Sequence[VisibilityRow],
    fetching: Fetching,
    where: str,
) -> tuple[RunSnapshot, ...]:
    histories = {row.run_id: history for row, history in zip(short, fetching.result(), strict=True)}
    snapshots = [_run(row, histories.get(row.run_id), where) for row in rows]
    return (*snapshots, *_reset_bases(reader, snapshots, where))


def _reset_bases(
    reader: HistoryReader, snapshots: Sequence[RunSnapshot], where: str
) -> Iterator[RunSnapshot]:
    """The runs from which some of these were reset: nothing tells of it on their own side."""
    resets = [(run, event) for run in snapshots if (event := runs.reset_of(run)) is not None]
    bases = [(run.external_id, str(event.detail["base_run_id"])) for run, event in resets]
    for (run, event), base in zip(resets, reader.describe_all(bases), strict=True):
        if base is not None:
            yield runs.reset_base(base, run, event.at, where)


def _run(row: VisibilityRow, history: RunHistory | None, where: str) -> RunSnapshot:
    run = runs.snapshot(row, where)
    if history is None or not history.closed:
        return run
    state = reduce_history(history.events)
    events = sorted(state.events, key=lambda event: (event.seq, event.key))
    return replace(runs.refined(run, state), events=tuple(events), document=history.document)
