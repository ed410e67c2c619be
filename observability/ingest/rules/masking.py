"""Secrets blanked out of what jobs say about themselves. Pure.

A pattern is a regular expression for the names of keys (`password`, `api[-_]?key`), searched
without regard to case, or `value:` and one for values, wherever they stand. The shapes of private
keys, JSON Web Tokens, bearer tokens and passwords in URLs are always looked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from observability.engines.contracts import MASK

VALUE: Final = "value:"
_SHAPES: Final = (
    # The whole match is blanked, or, where there are groups, what lies between them.
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----"
    r"[\s\S]{0,20000}?(?:-----END [A-Z0-9 ]{0,40}-----|\Z)",
    r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*",
    r"(?i)(\bbearer\s+)[\w.~+/=-]{8,}",
    r"(?i)(\bbasic\s+)[\w+/]{12,}={0,2}",
    r"([a-z][\w+.-]{0,30}://[^\s/:@]{0,200}:)[^\s/]{1,500}(?=@)",
)
_HINTS: Final = re.compile(r"-----BEGIN|eyJ|bearer\s|basic\s|://[^\s/]*@", re.IGNORECASE)
_HINTED: Final = ("://", "eyj", "-----begin", "bearer", "basic")
"""One of which is in every ASCII text with a hint, in lower case: looked for ten times as fast."""
_DEEPEST: Final = 40
_NAMES: Final = ("name", "key")
"""Under which a pair of a name and a `value` has the name: environments, Argo's parameters."""
_WORD: Final = r"[\w.-]{0,40}"
# `password=`, `'password': `, `\"password\": `, `password => `
_TO_VALUE: Final = r"\\*[\"']?\s{0,3}[:=]>?\s{0,3}"
# Quoted, with what is escaped in it; quoted inside something quoted; in brackets; or a word.
_VALUE: Final = (
    r"[bruf]{0,2}(?:\"[^\"\\]*(?:\\[\s\S][^\"\\]*)*\"?|'[^'\\]*(?:\\[\s\S][^'\\]*)*'?"
    r"|(?P<slashes>\\+)(?P<quote>[\"'])(?:(?!(?<!\\)(?P=slashes)(?P=quote))[\s\S])*"
    r"(?:(?P=slashes)(?P=quote))?)"
    r"|\w*[\[({][^\])}]*[\])}]*"
    r"|(?:(?:token|basic|bearer)\s+)?[^\s,;&}\"'<>]+"
)
_EDGE: Final = re.compile(r"[bruf]{0,2}(\\*[\"'])", re.IGNORECASE)


class Masker:
    """Masks by a set of patterns. Raises re.error for one that is no regular expression.

    Time grows with the length of a text, for hostile ones with its square: bound it first.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        """`patterns` as in the module's text."""
        named = [pattern for pattern in patterns if not pattern.startswith(VALUE)]
        own = [pattern.removeprefix(VALUE) for pattern in patterns if pattern.startswith(VALUE)]
        self._values = [re.compile(pattern) for pattern in (*_SHAPES, *own)]
        self._own = [re.compile(pattern) for pattern in own]
        self._key = self._flag = self._quick = None
        self._assigned: tuple[re.Pattern[str], ...] = ()
        if named:
            either = "|".join(f"(?:{pattern})" for pattern in named)
            name = f"(?:{either}){_WORD}"
            flag = rf"-{{1,2}}{_WORD}{name}"
            after_flag = r"(?:\\*[\"']\s{0,3},\s{0,3}(?=\\*[\"'])|\s{1,3}(?!-))"
            self._key = re.compile(either, re.IGNORECASE)
            if _is_lower(either):
                self._quick = re.compile(either)
            self._flag = re.compile(flag, re.IGNORECASE)
            self._assigned = tuple(
                re.compile(f"(?P<before>{before})(?P<value>{value})", re.IGNORECASE)
                for before, value in (
                    (name + _TO_VALUE, _VALUE),
                    (rf"(?<![\w-]){flag}{after_flag}", _VALUE),
                    (rf"<[\w:.-]{{0,40}}{name}>", "[^<]+"),
                )
            )

    def may_touch(self, text: str) -> bool:
        """False when there is surely nothing to mask in a text (or in JSON of that text)."""
        if text.isascii():
            lower = text.lower()
            named = self._names_in(text, lower)
            hinted = any(hint in lower for hint in _HINTED) and bool(_HINTS.search(text))
        else:
            named = self._key is not None and bool(self._key.search(text))
            hinted = bool(_HINTS.search(text))
        return named or hinted or any(own.search(text) for own in self._own)

    def _names_in(self, text: str, lower: str) -> bool:
        """Without regard to case a search takes ten times as long as in lower case."""
        if self._quick is not None:
            return bool(self._quick.search(lower))
        return self._key is not None and bool(self._key.search(text))

    def text(self, text: str) -> str:
        """A text with what looks like a secret blanked out."""
        if not text or not self.may_touch(text):
            return text
        for pattern in self._values:
            text = pattern.sub(_blanked, text)
        for pattern in self._assigned:
            text = pattern.sub(_assigned, text)
        return text

    def value(self, value: Any, depth: int = 0) -> Any:
        """JSON with the values of secret keys, and secrets in texts, blanked out."""
        if isinstance(value, str):
            return self.text(value)
        if depth > _DEEPEST:
            return MASK if isinstance(value, Mapping | list | tuple) else value
        if isinstance(value, Mapping):
            secret = self._names_secret(value)
            return {
                key: MASK
                if secret and key == "value"
                else self._masked_entry(str(key), inner, depth + 1)
                for key, inner in value.items()
            }
        if isinstance(value, list | tuple):
            return self._items(value, depth + 1)
        return value

    def _names_secret(self, value: Mapping[Any, Any]) -> bool:
        """Whether it is a pair of a secret's name and a value."""
        names = [value.get(name) for name in _NAMES] if value.get("value") else []
        return any(isinstance(name, str) and self._is_key(name) for name in names)

    def _is_key(self, name: str) -> bool:
        return self._key is not None and bool(self._key.search(name[:500]))

    def _items(self, values: Sequence[Any], depth: int) -> list[Any]:
        """What follows `--password` among arguments, or a name in a pair of two, is a secret."""
        masked = [self.value(inner, depth) for inner in values]
        for place, (before, now) in enumerate(pairwise(values), 1):
            if (
                isinstance(before, str)
                and isinstance(now, str)
                and self._precedes_secret(before, now, values)
            ):
                masked[place] = MASK
        return masked

    def _precedes_secret(self, before: str, now: str, values: Sequence[Any]) -> bool:
        if self._flag is not None and len(before) < 200 and self._flag.fullmatch(before):
            return not now.startswith("-")
        return len(values) == 2 and len(before) < 100 and self._is_key(before)

    def _masked_entry(self, key: str, value: Any, depth: int) -> Any:
        if self._key is None or not self._key.search(key):
            return self.value(value, depth)
        # What says that there is none, or how many there were, is no secret.
        return value if value is None or isinstance(value, bool) or value == "" else MASK


def _is_lower(pattern: str) -> bool:
    """Whether it finds in ASCII that is lower case what it finds without regard to case."""
    return pattern.isascii() and pattern == pattern.lower() and "\\" not in pattern


def _blanked(match: re.Match[str]) -> str:
    return "".join(group or "" for group in match.groups()) + MASK


def _assigned(match: re.Match[str]) -> str:
    value = match["value"]
    if value.strip("\\\"'") in {"", MASK}:
        return match[0]
    quote = _EDGE.match(value)
    edge = quote[1] if quote else ""
    return f"{match['before']}{edge}{MASK}{edge}"
