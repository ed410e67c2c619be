"""A number with its noun, for pages and messages. Templates have Django's `pluralize`. Pure."""

from __future__ import annotations


def plural(number: int, one: str, many: str = "") -> str:
    """`1 run`, `1,200 runs`, `0 histories`; `many` where an s at the end is not enough."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
