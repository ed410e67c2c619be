"""Texts from outside, made so that nothing in them acts unseen. Pure."""

from __future__ import annotations

import unicodedata


def visible(text: str) -> str:
    """A text in which nothing acts unseen: marks that turn the direction of writing, control and
    invisible letters are shown by their number. Line breaks and tabs stay."""
    if text.isprintable():
        return text
    return "".join(map(_visible, text))


def _visible(letter: str) -> str:
    if letter.isprintable() or letter in "\n\t" or unicodedata.category(letter) == "Zs":
        return letter
    return f"⟨U+{ord(letter):04X}⟩"
