"""Counts how often a function is called, wherever it was imported to."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any


@contextmanager
def counted(**functions: Callable[..., Any]) -> Iterator[Counter[str]]:
    """The calls of each of these functions while the block runs, by the name given."""
    calls: Counter[str] = Counter()
    undo: list[tuple[ModuleType, str, Any]] = []

    def counting(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def count(*args: Any, **kwargs: Any) -> Any:
            calls[name] += 1
            return real(*args, **kwargs)

        return count

    for name, real in functions.items():
        stand_in = counting(name, real)
        for module in list(sys.modules.values()):
            for attribute, value in list(getattr(module, "__dict__", {}).items()):
                if value is real:
                    undo.append((module, attribute, real))
                    setattr(module, attribute, stand_in)
    try:
        yield calls
    finally:
        for module, attribute, real in undo:
            setattr(module, attribute, real)
