"""Commands that show a run, or act on it, from a shell. Pure.

Names come from outside: each is one word for the shell whatever it holds, and nothing that a
terminal would act on (escape sequences, line breaks, text direction) is printed as itself. Each
engine has its commands in a file of this name.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Command:
    """One line to copy. `acts` says that it changes something, which our ledger would not see."""

    label: str
    line: str
    acts: bool = False


_SPECIAL: Final = re.compile(r"['\\]")


def word(text: str) -> str:
    """A text as one word of a POSIX shell; with bash's $'…' where it holds unprintable letters."""
    if text.isprintable():
        return shlex.quote(text)
    return "$'" + "".join(map(_letter, text)) + "'"


def _letter(letter: str) -> str:
    if _SPECIAL.match(letter):
        return f"\\{letter}"
    if letter.isprintable():
        return letter
    number = ord(letter)
    if number < 0x100:
        # \u0080 to \u00ff would depend on the shell's locale; as octal they would be bytes.
        return f"\\x{number:02x}" if number < 0x80 else f"\\u{number:04x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
