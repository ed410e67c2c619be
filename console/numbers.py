"""Whole numbers in what people and programs send. Pure."""

from __future__ import annotations

from typing import Final

MOST_DIGITS: Final = 17
"""As many as every database column and every int() takes."""


def whole_number(text: str) -> int | None:
    """The number that ASCII digits say; None for any other text and for what is too long.

    `str.isdigit` is true of "²", of which int() makes an error.
    """
    if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS:
        return int(text)
    return None
