"""JSON that is not all JSON: what of a text can be read, part by part. Pure, and raises nothing.

Python writes NaN and halves of surrogate pairs into JSON, other producers write bytes of another
encoding, and a message may be cut off. A strict parser refuses the whole then. Here a text is cut
into its elements, an element into its members, and only what cannot be read itself is lost.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import orjson

from console.unstructured import clean

LONGEST: Final = 2_000_000
"""Letters of a text that is taken apart; the strict parser takes longer ones."""
DEEPEST: Final = 60
"""Levels of a value; nothing that we read of events has more than three."""
_MOST_DIGITS: Final = 400
_TOKENS: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{},:"]', re.DOTALL)
_BLANK: Final = " \t\r\n\ufeff"
LOST: Final = object()
"""What stands for a value that cannot be read."""


class _NotJson(ValueError):
    """Why a value cannot be read, for people."""


def elements(text: str) -> Iterator[str]:
    """The texts of the elements of an array, or the text itself where it is none. What is cut off
    at the end is the last one."""
    text = text.strip(_BLANK)
    if not text.startswith("["):
        yield text
        return
    yield from _split(text)


def members(text: str) -> Iterator[tuple[str, str]]:
    """Name and text of the members of an object; nothing for what is none."""
    text = text.strip(_BLANK)
    if not text.startswith("{"):
        return
    for member in _split(text):
        match = _TOKENS.match(member)
        if match is None or len(match[0]) < 2:
            continue
        rest = member[match.end() :].lstrip(_BLANK)
        name, _ = value_of(match[0])
        if rest.startswith(":") and isinstance(name, str):
            yield name, rest[1:].strip(_BLANK)


def _split(text: str) -> Iterator[str]:
    """What stands between the commas of the outermost brackets."""
    depth, start = 0, 1
    for token in _TOKENS.finditer(text):
        sign = token[0]
        if sign == '"':
            break  # its text has no end
        depth += (sign in "[{") - (sign in "]}")
        if depth == 0 or (depth == 1 and sign == ","):
            yield from _part(text[start : token.start()])
            start = token.end()
        if depth == 0:
            return
    yield from _part(text[start:])


def _part(text: str) -> Iterator[str]:
    stripped = text.strip(_BLANK)
    if stripped:
        yield stripped


def value_of(text: str) -> tuple[Any, str]:
    """A value and what is wrong with it. LOST is the value of what cannot be read at all; a text of
    which single letters cannot be read has � in their place."""
    try:
        value = orjson.loads(text)
    except ValueError:
        return _leniently(text)
    return (LOST, "nested too deep") if _deep(text) else (value, "")


def _leniently(text: str) -> tuple[Any, str]:
    if _deep(text):
        return LOST, "nested too deep"
    try:
        value = json.loads(text, parse_constant=_constant, parse_int=_whole, parse_float=_number)
    except _NotJson as problem:
        return LOST, str(problem)
    except (ValueError, RecursionError):
        return LOST, "no JSON"
    if isinstance(value, str):
        return clean(value), "half of a surrogate pair"
    return LOST, "half of a surrogate pair in it"


def _deep(text: str) -> bool:
    if text.count("[") + text.count("{") <= DEEPEST:
        return False
    depth = 0
    for token in _TOKENS.finditer(text):
        depth += (token[0] in "[{") - (token[0] in "]}")
        if depth > DEEPEST:
            return True
    return False


def _constant(name: str) -> Any:
    raise _NotJson(f"{name} is no JSON")


def _whole(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise _NotJson(f"a number of {len(digits):,} digits")
    return int(digits)


def _number(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise _NotJson("a number that is too large")
    return number
