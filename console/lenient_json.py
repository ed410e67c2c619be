"""JSON that anybody may have written: what cannot be kept is set aside, the rest is read. Pure.

The API server takes objects nested ten thousand deep, our parser a quarter of one of them: without
this a single object of one tenant would make the list of all tenants unreadable.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from console.unstructured import clean

DEEPEST: Final = 200
"""Levels that are kept; orjson writes no more than 254."""
TOO_DEEP: Final = "⟨nested too deep⟩"
NO_NUMBER: Final = "⟨no number⟩"
"""What stands where something could not be kept."""
_LONGEST_NUMBER: Final = 400
_INT64: Final = 2**63
_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]', re.DOTALL)


def loads(raw: bytes) -> Any:
    """The value of a JSON text. Where it is nested too deep, has a number that none of ours can
    hold or bytes that are no UTF-8, only that is lost. Raises ValueError when it is no JSON."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return _loads_slowly(_cut(raw))


def dumps(value: Any) -> bytes:
    """A value as JSON with sorted keys, also where it is nested too deep or has numbers and
    characters that JSON (or a database) cannot hold."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return orjson.dumps(_plain(value, 0), option=orjson.OPT_SORT_KEYS)


def _cut(raw: bytes) -> bytes:
    """The text with a note in place of each list and object that lies too deep."""
    note = json.dumps(TOO_DEEP).encode()
    parts, depth, kept = [], 0, 0
    for match in _TOKEN.finditer(raw):
        letter = raw[match.start()]
        if letter in b"{[":
            if depth == DEEPEST:
                parts += [raw[kept : match.start()], note]
            depth += 1
        elif letter in b"}]":
            depth -= 1
            if depth == DEEPEST:
                kept = match.end()
    parts.append(raw[kept:])
    return b"".join(parts)


def _loads_slowly(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        pass
    text = raw.decode("utf-8", "replace")
    try:
        return json.loads(
            text, parse_int=_int, parse_float=_float, parse_constant=lambda _: NO_NUMBER
        )
    except ValueError as problem:
        raise ValueError(f"no JSON: {problem}") from None


def _int(digits: str) -> int | str:
    return int(digits) if len(digits) <= _LONGEST_NUMBER else NO_NUMBER


def _float(digits: str) -> float | str:
    number = float(digits)
    return number if math.isfinite(number) else NO_NUMBER


def _plain(value: Any, depth: int) -> Any:
    """Slow and sure: what orjson writes as it is."""
    if isinstance(value, str):
        return clean(value)
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        if -_INT64 <= value < _INT64:
            return value
        return str(value) if value.bit_length() < 3 * _LONGEST_NUMBER else NO_NUMBER
    if depth == DEEPEST:
        return TOO_DEEP
    if isinstance(value, Mapping):
        return {clean(str(key)): _plain(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, depth + 1) for inner in value]
    return clean(str(value))
