"""Pieces of what is long."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from console.chunks import chunks


@given(items=st.lists(st.integers()), size=st.integers(1, 10))
def test_chunks_are_full_but_for_the_last_and_lose_nothing(items: list[int], size: int) -> None:
    pieces = list(chunks(items, size))
    assert [item for piece in pieces for item in piece] == items
    assert all(len(piece) == size for piece in pieces[:-1])
    assert all(pieces)


def test_items_are_taken_only_as_they_are_asked_for() -> None:
    source = iter(range(10))
    assert next(chunks(source, 3)) == [0, 1, 2]
    assert next(source) == 3
