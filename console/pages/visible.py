"""Texts from outside, made so that nothing in them acts unseen. Pure."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_SHOWN: Final = re.compile(r"⟨U\+([0-9A-F]{4,6})⟩")


# Printable by Unicode's categories, and yet nothing that anybody sees: fillers, blanks, joiners
# and selectors of variants.
_BLANK: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\uffa0"
    "\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)
_AS_PICTURE: Final = "\ufe0e\ufe0f"
"""Whether the sign before is a picture or text: seen by it, as nothing after a letter."""
_SIGNS: Final = frozenset({"So", "Sm"})
_FURTHER_SIGNS: Final = "\u2139\u203c\u2049\u3030\u303d"
"""Pictures by Unicode's emoji-variation-sequences that are letters or marks by category."""

# The same letters in UTF-8, as far as they turn up: controls, directions, joiners, marks and tags.
# In the values of fields and of what is copied they stay: these are sent back or pasted.
_UNSEEN: Final = re.compile(
    rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f\xad]|\xcd\x8f|\xd8[\x80-\x85\x9c]"
    rb"|\xe1\x85[\x9f\xa0]|\xe1\x9e[\xb4\xb5]|\xe1\xa0[\x8b-\x8f]|\xe2\x80[\x8b-\x8f\xa8-\xae]"
    rb"|\xe2\x81[\xa0-\xaf]|\xe2\xa0\x80|\xe3\x85\xa4|\xef\xb8[\x80-\x8d]|\xef\xbb\xbf|\xef\xbe\xa0"
    rb"|\xef\xbf[\xb9-\xbb]|\xf3\xa0[\x80-\x87][\x80-\xbf]"
    # With the sign before it, which says whether it is seen.
    rb"|(?:[\x20-\x7e]|[\xc2-\xf4][\x80-\xbf]{1,3})?\xef\xb8[\x8e\x8f]"
)
_PLAIN: Final = bytes([0x09, 0x0A, 0x0D, *range(0x20, 0x7F)])
_KEPT: Final = re.compile(
    rb'<textarea\b[^>]*>.*?</textarea>|\s(?:value|data-copy)="[^"]*"', re.DOTALL
)


def visible_page(page: bytes) -> bytes:
    """An HTML page in UTF-8 in which nothing acts unseen, whatever texts its template was given."""
    # Nearly all of a page is plain: the rest is looked through a hundred times as fast.
    if not _UNSEEN.search(page.translate(None, _PLAIN)):
        return page
    parts, at = [], 0
    for kept in _KEPT.finditer(page):
        parts += [_UNSEEN.sub(_shown, page[at : kept.start()]), kept[0]]
        at = kept.end()
    return b"".join((*parts, _UNSEEN.sub(_shown, page[at:])))


def _shown(match: re.Match[bytes]) -> bytes:
    return visible(match[0].decode("utf-8", "replace")).encode()


def visible(text: str) -> str:
    """A text in which nothing acts unseen: marks that turn the direction of writing, control and
    invisible letters are shown by their number. Line breaks and tabs stay, and what makes a sign a
    picture."""
    if text.isprintable() and not _BLANK.search(text):
        return text
    return "".join(map(_visible, text, f" {text}"))


def as_meant(text: str) -> str:
    """What a text is that was read off a page: ⟨U+202E⟩ is the mark that it stands for."""
    return _SHOWN.sub(lambda match: _letter(match[0], int(match[1], 16)), text)


def _letter(shown: str, number: int) -> str:
    is_text = 0 < number < 0x110000 and not 0xD800 <= number < 0xE000
    return chr(number) if is_text else shown


def _visible(letter: str, before: str) -> str:
    is_sign = unicodedata.category(before) in _SIGNS or before in _FURTHER_SIGNS
    if letter in _AS_PICTURE and is_sign:
        return letter
    is_seen = letter.isprintable() and not _BLANK.match(letter)
    if is_seen or letter in "\n\t" or unicodedata.category(letter) == "Zs":
        return letter
    return f"⟨U+{ord(letter):04X}⟩"
