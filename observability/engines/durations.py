"""Lengths of time in words. Pure."""

from __future__ import annotations

from typing import Final

_UNITS: Final = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def format_duration(seconds: float) -> str:
    """A length of time in at most two units: "820 ms", "4 min 10 s", "2 d 4 h"."""
    if seconds < 0:
        return f"−{format_duration(-seconds)}"
    if seconds < 1:
        return f"{round(seconds * 1000)} ms" if seconds else "0 s"
    if seconds < 10:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    rest = round(seconds)
    for index, (name, size) in enumerate(_UNITS):
        if rest >= size:
            count, rest = divmod(rest, size)
            if index + 1 == len(_UNITS):
                return f"{count} {name}"
            below, smaller = _UNITS[index + 1]
            more = rest // smaller
            return f"{count} {name} {more} {below}" if more else f"{count} {name}"
    return f"{rest} s"
