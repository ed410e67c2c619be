"""The index of words (migration 0002): what it has of a run, and asking it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from django.db import connection

_MOST_DIGITS: Final = 19


@dataclass(frozen=True, slots=True)
class Token:
    """One word of the index; with `is_prefix`, any that begins like it."""

    text: str
    is_prefix: bool = False


Alternatives = tuple[Token, ...]
Narrowing = tuple[Alternatives, ...]
"""All of these have to be there, each in one of its alternatives."""
NOTHING: Narrowing = ()


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
    low, high = _bucket(least or 0), _bucket(most if most is not None else 10**_MOST_DIGITS - 1)
    found = [
        Token(f"=d{digits}{first}")
        for digits in range(1, _MOST_DIGITS + 1)
        for first in range(10)
        if low <= (digits, first) <= high
    ]
    return (*found, Token("=o")) if most is None else tuple(found)


def matching(wanted: Narrowing, *, most: int) -> list[int] | None:
    """The ids of all runs that have them, in no order; None when there are more than `most`."""
    if not all(wanted):
        return []
    statement, text = _STATEMENTS[connection.vendor], _WRITERS[connection.vendor](wanted)
    with connection.cursor() as cursor:
        cursor.execute(statement, [text, most + 1])
        found = [row[0] for row in cursor.fetchall()]
    return found if len(found) <= most else None


def _bucket(milliseconds: int) -> tuple[int, int]:
    text = str(milliseconds)
    return len(text), int(text[0])


def _digest(value: str) -> str:
    if connection.vendor == "postgresql":
        return hashlib.md5(value.encode(), usedforsecurity=False).hexdigest()
    return value.encode().hex()[-64:]


def _tsquery(wanted: Narrowing) -> str:
    def one(token: Token) -> str:
        return f"'{token.text}'{':*' if token.is_prefix else ''}"

    return " & ".join(f"({' | '.join(map(one, each))})" for each in wanted)


def _fts5(wanted: Narrowing) -> str:
    def one(token: Token) -> str:
        return f'"{token.text}"{" *" if token.is_prefix else ""}'

    return " AND ".join(f"({' OR '.join(map(one, each))})" for each in wanted)


_STATEMENTS: Final = {
    "postgresql": "SELECT jobs_run_matching(%s::tsquery, %s)",
    "sqlite": "SELECT rowid FROM jobs_run_words WHERE jobs_run_words MATCH %s LIMIT %s",
}
_WRITERS: Final = {"postgresql": _tsquery, "sqlite": _fts5}
