"""Cutting what is long into pieces that a statement, a call or a page takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, TypeVar

T = TypeVar("T")
ROWS: Final = 900
"""Rows named in one statement: every database takes so many parameters."""


def chunks(items: Iterable[T], size: int = ROWS) -> Iterator[list[T]]:
    """The items in lists of at most `size`, taken as they are asked for."""
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk
