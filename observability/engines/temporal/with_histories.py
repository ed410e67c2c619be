"""Rows of visibility as runs, with the short histories of closed ones: several fetched at once, and
while a page is stored, those of the next one are on their way. Catching up is fast by that."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import structlog

from console.clients.temporal.declared import OURS, declared, unread
from console.clients.temporal.history_reader import Fetching, HistoryReader
from console.clients.temporal.records import RunDescription, RunHistory, VisibilityRow
from console.errors import own
from console.repeats import Repeats
from observability.engines.contracts import TENANT_ATTRIBUTE, RunSnapshot
from observability.engines.temporal import runs
from observability.engines.temporal.history import reduce_history
from tenants.contracts import Unreadable

MOST_RUNS: Final = 200
MOST_BYTES: Final = 4_000_000
"""Of history in one page."""
LONGEST: Final = 400
LARGEST: Final = 256_000
"""Events and bytes of a history that comes along; a larger one is fetched by itself."""
KIND: Final = "Workflow"

log = structlog.get_logger(__name__)
_logged = Repeats()


@dataclass(frozen=True, slots=True)
class RunPage:
    """Some runs, and what of them could not be read."""

    runs: tuple[RunSnapshot, ...]
    unreadable: tuple[Unreadable, ...] = ()


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
) -> Iterator[RunPage]:
    """The rows as runs, in pages; short histories of closed ones come along."""
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
) -> RunPage:
    histories = {row.run_id: history for row, history in zip(short, fetching.result(), strict=True)}
    unreadable: list[Unreadable] = []
    snapshots = []
    for row in rows:
        run = made(partial(runs.snapshot, row, where), KIND, row.queue or where, row.workflow_id)
        unreadable += unread_declarations(row, where)
        if isinstance(run, Unreadable):
            unreadable.append(run)
            continue
        run, problem = _with_history(run, histories.get(row.run_id))
        snapshots.append(run)
        if problem:
            place = row.queue or where
            unreadable.append(Unreadable(KIND, place, row.workflow_id, problem, run.tenant))
    bases = _reset_bases(reader, snapshots, where)
    return RunPage((*snapshots, *bases), tuple(unreadable))


def unread_declarations(row: VisibilityRow, where: str, kind: str = KIND) -> Iterator[Unreadable]:
    """What somebody said to us of a run in a way that we cannot read."""
    places = (row.attributes, row.memo)
    for name in OURS:
        why = "" if declared(name, *places) else unread(name, *places)
        if why:
            tenant = declared(TENANT_ATTRIBUTE, row.attributes)
            problem = f"its {name} is {why}"
            yield Unreadable(kind, row.queue or where, row.workflow_id, problem, tenant)


def _reset_bases(
    reader: HistoryReader, snapshots: Sequence[RunSnapshot], where: str
) -> Iterator[RunSnapshot]:
    """The runs from which some of these were reset: nothing tells of it on their own side."""
    resets = [(run, event) for run in snapshots if (event := runs.reset_of(run)) is not None]
    if not resets:
        return
    bases = [(run.external_id, str(event.detail["base_run_id"])) for run, event in resets]
    for (run, event), base in zip(resets, reader.describe_all(bases), strict=True):
        if isinstance(base, RunDescription):
            translate = partial(runs.reset_base, base, run, event.at, where)
            reset = made(translate, KIND, where, run.external_id)
            if isinstance(reset, RunSnapshot):
                yield reset


def made(
    translate: Callable[[], RunSnapshot], kind: str, place: str, name: str
) -> RunSnapshot | Unreadable:
    """The run that `translate` makes; where a mistake of ours meets it, what to show in its place.
    Its neighbours are read, and the traceback is in the log."""
    try:
        return translate()
    except Exception as error:
        if _logged.is_new(kind, place, name, type(error).__name__):
            log.exception("run.unreadable", kind=kind, name=name)
        return Unreadable(kind, place, name, own(error).message)


def _with_history(run: RunSnapshot, history: RunHistory | None) -> tuple[RunSnapshot, str]:
    """A run with its history; and what is wrong where only its row could be read."""
    if history is None or not history.closed:
        return run, ""
    try:
        state = reduce_history(history.events)
        events = sorted(state.events, key=lambda event: (event.seq, event.key))
        return replace(
            runs.refined(run, state), events=tuple(events), document=history.document
        ), ""
    except Exception as error:
        # A mistake of ours with one history costs the others nothing.
        log.exception("history.unreadable", run=run.run_id)
        return run, f"its history cannot be read: {type(error).__name__}: {error}"
