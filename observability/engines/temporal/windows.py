"""Runs by visibility, oldest first: windows in time that hold about one page each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from console.clients.temporal.records import RunRow
from console.clients.temporal.trail import TrailReader
from observability.engines.temporal.cursor import (
    FULL,
    is_narrow,
    narrower,
    wider,
    wire,
)

SHORT: Final = timedelta(seconds=60)
"""A window that is read without counting first: it is the usual one once we are up to date."""


@dataclass(frozen=True, slots=True)
class Portion:
    """Some rows; `ends_at` says that everything before it has been given, None: more to come."""

    rows: tuple[RunRow, ...]
    ends_at: datetime | None


def portions(
    reader: TrailReader, query: str, column: str, begin: datetime, end: datetime
) -> Iterator[Portion]:
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
            width = min(narrower(width, held), width / 2)
            continue
        yield from _window(reader, where, end if last else at + width, empty=held == 0)
        if last:
            return
        at += width
        # What was too much for one window lies in the rest of it: halve that, rather than grow.
        narrowing = held == 0 and crowded > at
        width = (crowded - at) / 2 if narrowing else wider(width, max(held, 0))


def _window(
    reader: TrailReader, where: str, ends_at: datetime, *, empty: bool
) -> Iterator[Portion]:
    token = b""
    while not empty:
        page = reader.rows(where, size=FULL, token=token)
        token = page.token
        if not token:
            yield Portion(page.rows, ends_at)
            return
        yield Portion(page.rows, None)
    yield Portion((), ends_at)
