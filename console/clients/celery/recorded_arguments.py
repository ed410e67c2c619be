"""Arguments as task events record them: texts made for people, which may be cut off. Pure."""

from __future__ import annotations

import ast
from typing import Any

_CUT = "..."


def was_cut(text: str) -> bool:
    """Whether a recorded text may be incomplete: Celery puts dots where it leaves something out."""
    return _CUT in text or "…" in text


def arguments(args: str, kwargs: str) -> tuple[list[Any], dict[str, Any]] | None:
    """The values behind recorded arguments; None when they are not there, may have been cut, or
    hold anything but plain JSON values (then nobody can know what they were)."""
    if not args or not kwargs or was_cut(args) or was_cut(kwargs):
        return None
    try:
        values, named = ast.literal_eval(args), ast.literal_eval(kwargs)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    if not isinstance(values, list | tuple) or not isinstance(named, dict):
        return None
    if not all(isinstance(key, str) for key in named) or not _plain([*values, *named.values()]):
        return None
    return list(values), named


def _plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_plain, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and _plain(inner) for key, inner in value.items())
    return value is None or isinstance(value, str | int | float | bool)
