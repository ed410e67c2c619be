"""The words a run is found by, and the words a search asks for. Pure.

A word is a stretch of letters and digits, lower case. What is written together is found whole and
by its parts: `OOMKilled` is oomkilled, oom and killed; `prod-7` is prod and 7.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

LONGEST_WORD: Final = 40
MOST_WORDS: Final = 80
_LONGEST_TEXT: Final = 2000

_STRETCH: Final = re.compile(r"[^\W_]+")
_PART: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")


def search_words(*texts: str) -> str:
    """What JobRun.search holds: the words of the texts, each once, in order, separated by single
    spaces. At most MOST_WORDS of them, so put the texts that matter most first."""
    words: dict[str, None] = {}
    for text in texts:
        for word in _words_in(text):
            words.setdefault(word)
            if len(words) == MOST_WORDS:
                return " ".join(words)
    return " ".join(words)


def query_words(text: str) -> tuple[str, ...]:
    """The words that a search text asks for, each once, in order. Not taken apart further: who
    types OOMKilled wants that."""
    return tuple(dict.fromkeys(_plain(run) for run in _runs(text)))


@lru_cache(maxsize=1024)  # types, queues and workers come again with every run
def _words_in(text: str) -> tuple[str, ...]:
    return tuple(_words_and_parts(text))


def _words_and_parts(text: str) -> Iterator[str]:
    for run in _runs(text):
        yield _plain(run)
        parts = _PART.findall(run)
        if len(parts) > 1 and run.isascii() and not _is_id(run):
            yield from (_plain(part) for part in parts if len(part) > 1)


def _plain(run: str) -> str:
    """Lower case; of the few letters that become two, what is no letter (a dot above) is left
    out."""
    lower = run.lower()
    if not lower.isalnum():
        lower = "".join(filter(str.isalnum, lower))
    return lower[:LONGEST_WORD]


def _runs(text: str) -> list[str]:
    return _STRETCH.findall(unicodedata.normalize("NFKC", text[:_LONGEST_TEXT]))


def _is_id(run: str) -> bool:
    """Letters and digits by turns, as in a hash: its parts are noise."""
    return len(re.findall(r"[0-9]+", run)) > 1
