"""Runs by visibility, oldest first, in windows of time that hold about one page each.

A run may be of a shape that nothing can decode, and then no page that holds it can be read. Windows
around it are halved until it stands alone, so that it costs its neighbours nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from console.clients.temporal.connection import UNDECODABLE
from console.clients.temporal.records import VisibilityPage, VisibilityRow
from console.errors import Refused
from observability.engines.temporal.cursor import FULL, halved, is_narrow, narrower, wider, wire

SHORT: Final = timedelta(seconds=60)
"""A window that is read without counting first: it is the usual one once we are up to date."""
INSTANT: Final = timedelta(microseconds=1)
"""As exactly as visibility knows a time."""
MOST_HALVINGS: Final = 300
"""Of one window. What is left then is given up as a whole: whoever floods a namespace with what
cannot be decoded must not hold up the others."""
CLOCK_OFFSET: Final = timedelta(hours=1)
"""How far ahead of ours the server's clock may be where windows have to be cut."""


class Lister(Protocol):
    """What visibility is read with (HistoryReader, ActivityReader)."""

    def rows(self, query: str, *, size: int = FULL, token: bytes = b"") -> VisibilityPage:
        """One page of what a query finds."""
        ...

    def count(self, query: str) -> int:
        """How much a query finds."""
        ...


@dataclass(frozen=True, slots=True)
class BlindSpot:
    """A stretch of time in which something cannot be decoded."""

    begins_at: datetime
    ends_at: datetime
    problem: str

    @property
    def is_one(self) -> bool:
        """Whether it stands alone."""
        return self.ends_at - self.begins_at <= INSTANT


@dataclass(frozen=True, slots=True)
class VisibilityWindow:
    """Some rows; `ends_at` says that everything before it has been given, None: more to come."""

    rows: tuple[VisibilityRow, ...]
    ends_at: datetime | None
    blind_spots: tuple[BlindSpot, ...] = ()


def visibility_pages(
    reader: Lister,
    query: str,
    column: str,
    begin: datetime,
    end: datetime,
    known: Sequence[BlindSpot] = (),
) -> Iterator[VisibilityWindow]:
    """The rows that `query` finds with `column` (`CloseTime`, `StartTime`) from `begin` on.

    The last window has no end, so that runs from a clock ahead of ours are there too. Never holds
    more than one page. `known` blind_spots are passed over.
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
        ends_at = end if last else at + width
        beyond = end + CLOCK_OFFSET if last else ends_at
        inside = [blind_spot for blind_spot in known if at <= blind_spot.begins_at < beyond]
        try:
            if inside:
                raise Refused("known", code=UNDECODABLE)
            yield from _window(reader, where, ends_at, empty=held == 0)
        except Refused as problem:
            if problem.code != UNDECODABLE:
                raise
            yield from _around_blind_spots(reader, query, column, _between(at, beyond, inside))
            yield VisibilityWindow((), ends_at)
        if last:
            return
        at += width
        # What was too much for one window lies in the rest of it: halve that, rather than grow.
        narrowing = held == 0 and crowded > at
        width = halved(crowded - at) if narrowing else wider(width, max(held, 0))


def _window(
    reader: Lister, where: str, ends_at: datetime | None, *, empty: bool = False
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


def _around_blind_spots(
    reader: Lister, query: str, column: str, stretches: list[tuple[datetime, datetime]]
) -> Iterator[VisibilityWindow]:
    """All rows of some stretches (the first comes last) that can be decoded, and where those are
    that cannot."""
    halvings = 0
    while stretches:
        first, last = stretches.pop()
        where = f"{query} AND {column} >= '{wire(first)}' AND {column} < '{wire(last)}'"
        try:
            yield from _window(reader, where, None)
        except Refused as problem:
            if problem.code != UNDECODABLE:
                raise
            if last - first <= INSTANT or halvings >= MOST_HALVINGS:
                yield VisibilityWindow((), None, (BlindSpot(first, last, problem.message),))
                continue
            halvings += 1
            middle = first + max((last - first) / 2, INSTANT)
            stretches += [(middle, last), (first, middle)]


def _between(
    begin: datetime, end: datetime, known: Sequence[BlindSpot]
) -> list[tuple[datetime, datetime]]:
    """What lies between known blind_spots; the earliest last."""
    stretches, at = [], begin
    for blind_spot in sorted(known, key=lambda blind_spot: blind_spot.begins_at):
        if at < blind_spot.begins_at:
            stretches.append((at, blind_spot.begins_at))
        at = max(at, blind_spot.ends_at)
    if at < end:
        stretches.append((at, end))
    return stretches[::-1]
