"""What another system says of an error, fit to be kept and shown: short, one line, all visible.

Only answers of the shape that is expected have such words. The body of any other answer may be
whatever lies at the address that somebody entered, and is never repeated.
"""

from __future__ import annotations

from typing import Final

from console.pages.visible import visible

LONGEST: Final = 500


def foreign_words(text: str, longest: int = LONGEST) -> str:
    """At most `longest` characters of `text`; control and direction characters as ⟨U+202E⟩."""
    short = " ".join(text[: 4 * longest].split())
    return visible(short[:longest])[:longest]
