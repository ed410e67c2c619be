"""The word index (migration 0003): the tokens that it has of a run, and queries of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from django.db import connection
from django.utils.timezone import make_naive

_MOST_DIGITS: Final = 13
"""Three hundred years."""


@dataclass(frozen=True, slots=True)
class Token:
    """One word of the index; with `is_prefix`, any that begins like it."""

    text: str
    is_prefix: bool = False


Alternatives = tuple[Token, ...]
Narrowing = tuple[Alternatives, ...]
"""All of these have to be there, each in one of its alternatives."""
NOTHING: Narrowing = ()
Hit = tuple[Any, ...]
HIT_COLUMNS: Final = ("id", "created_at", "updated_at")


def word(text: str, *, is_prefix: bool = True) -> Token:
    """A word of JobRun.search."""
    return Token(text, is_prefix)


def status(value: str) -> Token:
    """Of a status."""
    return Token(f"=s{value}")


def engine(value: str) -> Token:
    """Of an engine."""
    return Token(f"=e{value}")


def tenant(pk: int | None) -> Token:
    """Of a tenant; None: of nobody."""
    return Token(f"=t{'-' if pk is None else pk}")


def target(pk: int) -> Token:
    """Of a target."""
    return Token(f"=g{pk}")


def type_(value: str) -> Token:
    """Of a type."""
    return Token(f"=y{_digest(value)}")


def queue(value: str) -> Token:
    """Of a queue."""
    return Token(f"=q{_digest(value)}")


def place(value: str) -> Token:
    """Of a location."""
    return Token(f"=p{_digest(value)}")


def failure(value: str) -> Token:
    """Of a kind of failure."""
    return Token(f"=f{value}")


def took(least: int | None, most: int | None) -> Alternatives:
    """Of durations in milliseconds, by number of digits and the first one; a bit wider than asked
    for. What has not ended took at least anything."""
    low = _bucket(least or 0)
    high = (_MOST_DIGITS, 9) if most is None else _bucket(most)
    alternatives = [] if most is not None else [Token("=o")]
    for digits in range(low[0], high[0] + 1):
        first = low[1] if digits == low[0] else 0
        last = high[1] if digits == high[0] else 9
        if (first, last) == (0, 9):
            alternatives.append(Token(f"=d{digits}", is_prefix=True))
        else:
            alternatives += [Token(f"=d{digits}{digit}") for digit in range(first, last + 1)]
    return tuple(alternatives)


def matching(wanted: Narrowing, *, most: int) -> list[Hit] | None:
    """All runs that have them, in no order; None when there are more than `most`."""
    if not all(wanted):
        return []
    statement, text = _MATCHING[connection.vendor], _WRITERS[connection.vendor](wanted)
    with connection.cursor() as cursor:
        cursor.execute(statement, [text, most + 1])
        hits: list[Hit] = cursor.fetchall()
    return hits if len(hits) <= most else None


def next_matching(
    wanted: Narrowing, *, order: Sequence[str], edge: datetime | None, most: int
) -> list[Hit]:
    """The first runs that have them, in an order (such as -created_at, -id) and from an edge on."""
    if edge is None or not all(wanted):
        return []
    text = _WRITERS[connection.vendor](wanted)
    is_down = order[0].startswith("-")
    statement = _NEXT[connection.vendor].format(
        column=order[0].lstrip("-"),
        compare="<=" if is_down else ">=",
        way="DESC" if is_down else "ASC",
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [text, connection.ops.adapt_datetimefield_value(edge), most])
        hits: list[Hit] = cursor.fetchall()
    return hits


def in_order(
    hits: Sequence[Hit], *, column: str, begin: datetime | None, is_down: bool
) -> list[int]:
    """The ids of hits in the order of a column, from where the page begins."""
    if begin is None:
        return []
    leading, edge = HIT_COLUMNS.index(column), _plain(begin)
    pairs = [
        (hit[leading], hit[0])
        for hit in hits
        if (hit[leading] <= edge if is_down else hit[leading] >= edge)
    ]
    return [pk for _, pk in sorted(pairs, reverse=is_down)]


def _plain(moment: datetime) -> datetime:
    """As raw rows have it: without a zone on SQLite."""
    return moment if connection.vendor == "postgresql" else make_naive(moment, UTC)


def _bucket(milliseconds: int) -> tuple[int, int]:
    text = str(milliseconds)
    return len(text), int(text[0])


def _digest(value: str) -> str:
    if connection.vendor == "postgresql":
        return hashlib.md5(value.encode(), usedforsecurity=False).hexdigest()
    return value.encode().hex()[-64:]


def _tsquery(wanted: Narrowing) -> str:
    def written(token: Token) -> str:
        return f"'{token.text}'{':*' if token.is_prefix else ''}"

    return " & ".join(f"({' | '.join(map(written, alternatives))})" for alternatives in wanted)


def _fts5(wanted: Narrowing) -> str:
    def written(token: Token) -> str:
        return f'"{token.text}"{" *" if token.is_prefix else ""}'

    return " AND ".join(f"({' OR '.join(map(written, alternatives))})" for alternatives in wanted)


_HIT: Final = ", ".join(HIT_COLUMNS)
_FROM: Final = "WHERE {column} {compare} %s ORDER BY {column} {way}, id {way} LIMIT %s"
# Constants of this module alone; what is asked for is always a parameter.
_MATCHING: Final = {
    "postgresql": f"SELECT {_HIT} FROM jobs_run_matching(%s::tsquery, %s)",  # noqa: S608 - made of constants
    "sqlite": f"SELECT {_HIT} FROM jobs_jobrun WHERE id IN (SELECT rowid"  # noqa: S608 - made of constants
    " FROM jobs_run_words WHERE jobs_run_words MATCH %s LIMIT %s)",
}
_NEXT: Final = {
    "postgresql": f"SELECT {_HIT} FROM jobs_run_matching(%s::tsquery, NULL) {_FROM}",  # noqa: S608 - made of constants
    "sqlite": f"SELECT {_HIT} FROM (SELECT {_HIT} FROM jobs_jobrun WHERE id IN (SELECT rowid"  # noqa: S608 - made of constants
    f" FROM jobs_run_words WHERE jobs_run_words MATCH %s)) {_FROM}",
}
_WRITERS: Final = {"postgresql": _tsquery, "sqlite": _fts5}
