"""What jobs say about themselves made fit for rows: bounded, and of characters that can be stored.

Pure. What is cut says how much was. The archive has the rest.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from console.unstructured import clean
from observability.engines.contracts import MOST_DETAIL

CUT: Final = "_cut_bytes"
"""Key in a detail that was cut: how many bytes of JSON it had."""
MOST_ID: Final = 1000
MOST_RUN_ID: Final = 100
_BAD: Final = re.compile("[\x00\ud800-\udfff]")
MOST_MASKED: Final = 16_384
_NOTE: Final = re.compile(r"… \(([\d,]{1,20}) more\)$")
_BEFORE: Final = ((4000, 100), (1000, 40), (240, 15), (80, 6))
_STEPS: Final = ((2000, 100), (500, 40), (120, 15), (40, 6))
_OPTIONS: Final = orjson.OPT_NON_STR_KEYS | orjson.OPT_STRICT_INTEGER
"""Whole numbers that a double cannot hold are refused here and written as text, see `_sanitized`:
whoever reads JSON with JavaScript would get another number."""


def storable(text: str) -> bool:
    """Whether both databases take a text, or JSON of that text, as it is."""
    bad = "\0" in text if text.isascii() else _BAD.search(text)
    return "\\u0000" not in text and not bad


def bounded_text(text: str, most: int) -> str:
    """At most `most` characters; a cut text ends in how many characters are missing, also where it
    had been cut before."""
    if len(text) <= most:
        return clean(text)
    before = _NOTE.search(text, max(len(text) - 40, 0))
    more = int(before[1].replace(",", "")) if before else 0
    note = f"… ({len(text) + more - most + 40:,} more)"
    return clean(text[: max(most - len(note), 0)]) + note[:most]


def for_masking(text: str) -> str:
    """As much of a text as has to be masked when only its beginning is kept."""
    return bounded_text(text, MOST_MASKED)


def detail_for_masking(detail: Mapping[str, Any], raw: bytes) -> Mapping[str, Any]:
    """The same for a detail, `raw` being its JSON: what looks for secrets takes its time."""
    if len(raw) <= MOST_MASKED:
        return detail
    whole = fitted(raw)
    for longest, entries in _BEFORE:
        smaller = _shrunk(whole, longest, entries, 0)
        if len(orjson.dumps(smaller)) <= 4 * MOST_MASKED:
            break
    else:
        smaller = {"json": raw[:MOST_MASKED].decode(errors="ignore")}
    return {**smaller, CUT: len(raw)}


def bounded_id(text: str, most: int = MOST_ID) -> str:
    """A name of at most `most` bytes; one that is longer ends in a hash that keeps it unique."""
    text = clean(text)
    raw = text.encode()
    if len(raw) <= most:
        return text
    digest = hashlib.sha256(raw).hexdigest()[:16]
    return raw[: most - 17].decode(errors="ignore") + "~" + digest


def stored_name(external_id: str, run_id: str) -> tuple[str, str]:
    """What a run is called in its row: no database takes every id as an engine gives it."""
    return bounded_id(external_id), bounded_id(run_id, MOST_RUN_ID)


def to_json(detail: Any) -> bytes:
    """JSON of anything: what JSON cannot say is said by its text, what is too deep by a note."""
    try:
        return orjson.dumps(detail, default=_plain, option=_OPTIONS)
    except (TypeError, ValueError, RecursionError):
        return orjson.dumps(_sanitized(detail, 0))


def bounded_detail(detail: Mapping[str, Any], most: int = MOST_DETAIL) -> dict[str, Any]:
    """A detail whose JSON has at most `most` bytes, see CUT."""
    raw = to_json(detail)
    if len(raw) <= most:
        return fitted(raw)
    whole = fitted(raw)
    for longest, entries in _STEPS:
        smaller = {**_shrunk(whole, longest, entries, 0), CUT: _cut(whole, raw)}
        if len(orjson.dumps(smaller)) <= most:
            return smaller
    return {"json": raw[: most // 4].decode(errors="ignore"), CUT: _cut(whole, raw)}


def _cut(whole: Mapping[str, Any], raw: bytes) -> int:
    before = whole.get(CUT)
    return max(before, len(raw)) if type(before) is int else len(raw)


def fitted(raw: bytes) -> dict[str, Any]:
    """The object that `to_json` wrote, with characters that can be stored."""
    value = orjson.loads(raw)
    if b"\\u0000" in raw:
        value = _sanitized(value, 0)
    return value if isinstance(value, dict) else {"value": value}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(map(str, value))
    return clean(str(value))


def _sanitized(value: Any, depth: int) -> Any:
    """Slow and sure, for what orjson refuses: huge integers, lone surrogates, deep nesting."""
    if depth > 100:
        return "…"
    if isinstance(value, Mapping):
        return {clean(str(key)): _sanitized(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_sanitized(inner, depth + 1) for inner in value]
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int) and abs(value) < 2**53:
        return value
    return clean(value.decode(errors="replace") if isinstance(value, bytes) else str(value))


def _shrunk(value: Any, longest: int, entries: int, depth: int) -> Any:
    if isinstance(value, str):
        return bounded_text(value, longest)
    if isinstance(value, dict):
        if depth > 6:
            return "…"
        kept = dict(list(value.items())[:entries])
        return {
            bounded_text(key, 200): _shrunk(inner, longest, entries, depth + 1)
            for key, inner in kept.items()
        }
    if isinstance(value, list):
        if depth > 6:
            return "…"
        return [_shrunk(inner, longest, entries, depth + 1) for inner in value[:entries]]
    return value
