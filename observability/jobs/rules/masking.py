"""Secrets blanked out of what jobs say about themselves. Pure.

A pattern is a regular expression for the names of keys (`password`, `api[-_]?key`), searched
without regard to case, or `value:` and one for values, wherever they stand. The shapes of private
keys, JSON Web Tokens, bearer tokens and passwords in URLs are always looked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

MASK: Final = "•••"
VALUE: Final = "value:"
_SHAPES: Final = (
    # The whole match is blanked, or, where there are groups, what lies between them.
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----"
    r"[\s\S]{0,20000}?(?:-----END [A-Z0-9 ]{0,40}-----|\Z)",
    r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*",
    r"(?i)(\bbearer\s+)[\w.~+/=-]{8,}",
    r"(?i)(\bbasic\s+)[\w+/]{12,}={0,2}",
    r"([a-z][\w+.-]{0,30}://[^\s/:@]{0,200}:)[^\s/@]{1,500}(?=@)",
)
_HINTS: Final = re.compile(r"-----BEGIN|eyJ|bearer\s|basic\s|://[^\s/]*@", re.IGNORECASE)
_DEEPEST: Final = 40


class Masker:
    """Masks by a set of patterns. Raises re.error for one that is no regular expression."""

    def __init__(self, patterns: Iterable[str]) -> None:
        """`patterns` as in the module's text."""
        named = [pattern for pattern in patterns if not pattern.startswith(VALUE)]
        own = [pattern.removeprefix(VALUE) for pattern in patterns if pattern.startswith(VALUE)]
        self._values = [re.compile(pattern) for pattern in (*_SHAPES, *own)]
        self._own = [re.compile(pattern) for pattern in own]
        self._key = self._assigned = None
        if named:
            either = "|".join(f"(?:{pattern})" for pattern in named)
            self._key = re.compile(either, re.IGNORECASE)
            self._assigned = re.compile(
                rf"(?i)(?P<before>[\w.-]{{0,40}}(?:{either})[\w.-]{{0,40}}\\?[\"']?\s{{0,3}}[:=]\s{{0,3}})"
                r"(?P<value>\\?\"[^\"]{0,2000}\"?|'[^']{0,2000}'?|[^\s,;&}\"']{1,2000})"
            )

    def may_touch(self, text: str) -> bool:
        """False when there is surely nothing to mask in a text (or in JSON of that text)."""
        if self._key is not None and self._key.search(text):
            return True
        return bool(_HINTS.search(text)) or any(own.search(text) for own in self._own)

    def text(self, text: str) -> str:
        """A text with what looks like a secret blanked out."""
        if not text or not self.may_touch(text):
            return text
        for pattern in self._values:
            text = pattern.sub(_blanked, text)
        if self._assigned is not None:
            text = self._assigned.sub(_assigned, text)
        return text

    def value(self, value: Any, depth: int = 0) -> Any:
        """JSON with the values of secret keys, and secrets in texts, blanked out."""
        if isinstance(value, str):
            return self.text(value)
        if depth > _DEEPEST:
            return MASK if isinstance(value, Mapping | list | tuple) else value
        if isinstance(value, Mapping):
            return {key: self._below(str(key), inner, depth + 1) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(inner, depth + 1) for inner in value]
        return value

    def _below(self, key: str, value: Any, depth: int) -> Any:
        if self._key is None or not self._key.search(key):
            return self.value(value, depth)
        # What says that there is none, or how many there were, is no secret.
        return value if value is None or isinstance(value, bool) or value == "" else MASK


def _blanked(match: re.Match[str]) -> str:
    return "".join(group or "" for group in match.groups()) + MASK


def _assigned(match: re.Match[str]) -> str:
    value = match["value"]
    if value.strip("\\\"'") in {"", MASK}:
        return match[0]
    quote = re.match(r"\\?[\"']", value)
    edge = quote[0] if quote else ""
    return f"{match['before']}{edge}{MASK}{edge}"
