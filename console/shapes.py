"""What of a value is not of the shape that its reader looks for, in words. Pure.

A reader takes what it can and passes over the rest; so that the rest is not dropped in silence, it
says beside it which shape it takes. Only what is looked at is in a shape; null counts as absent.

    WORKFLOW = Fields(spec=Fields(templates=Each(Fields(name=TEXT))))
    misfits({"spec": {"templates": ["oops"]}}, WORKFLOW)
    # → "spec.templates[0] is a text, not an object"
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import islice
from typing import Any, Final, Protocol

from console.unstructured import moment, text

SHOWN: Final = 3
"""Misfits that are named; the others are counted."""
MOST: Final = 1000
"""Misfits after which nobody counts on."""
MOST_PARTS: Final = 10_000
LONGEST_PART: Final = 4000
"""Items of a list or object, and characters of a text, that `part` keeps."""
_LONGEST_STEP: Final = 60


class Shape(Protocol):
    """What a value should be."""

    def check(self, value: Any, path: str, problems: list[str]) -> None:
        """Adds to `problems` what of the value is something else."""
        ...

    def part(self, value: Any) -> Any:
        """What of the value is of this shape, and no more of it than is ever looked at; what is of
        another type stays of that type, empty. It has the same misfits."""
        ...


class _Scalar:
    """A value of one of some types."""

    def __init__(self, words: str, *types: type) -> None:
        self._words, self.types = words, frozenset(types)

    def check(self, value: Any, path: str, problems: list[str]) -> None:
        if value is not None and type(value) not in self.types:
            problems.append(f"{path} is {_kind(value)}, not {self._words}")

    def part(self, value: Any) -> Any:
        return value if type(value) in self.types and type(value) is not str else _hollow(value)


class _Moment:
    """A time as text."""

    def check(self, value: Any, path: str, problems: list[str]) -> None:
        if value is None or (isinstance(value, str) and len(value) <= 64 and _is_moment(value)):
            return
        problems.append(f"{path} is {_kind(value)}, not a time")

    def part(self, value: Any) -> Any:
        return _hollow(value)


@lru_cache(maxsize=4096)
def _is_moment(text: str) -> bool:
    """Whether a text is a time, or says that there is none: empty, or Go's zero."""
    return not text or text.startswith("0001-01-01T00:00:00") or moment(text) is not None


TEXT: Final = _Scalar("a text", str)
WHOLE: Final = _Scalar("a whole number", int)
FLAG: Final = _Scalar("true or false", bool)
OBJECT: Final = _Scalar("an object", dict)
MOMENT: Final = _Moment()


def either(words: str, *scalars: _Scalar) -> _Scalar:
    """A value of the types of any of these."""
    return _Scalar(words, *(sort for scalar in scalars for sort in scalar.types))


class Fields:
    """An object with some fields, each of a shape; it may have others."""

    def __init__(self, named: Mapping[str, Shape] | None = None, /, **fields: Shape) -> None:
        """`named` are those whose names are no names in Python."""
        self._fields = tuple({**(named or {}), **fields}.items())

    def check(self, value: Any, path: str, problems: list[str]) -> None:
        if value is None:
            return
        if type(value) is not dict:
            problems.append(f"{path or 'it'} is {_kind(value)}, not an object")
            return
        for name, shape in self._fields:
            if name in value:
                shape.check(value[name], f"{path}.{name}" if path else name, problems)

    def part(self, value: Any) -> Any:
        if type(value) is not dict:
            return _hollow(value)
        return {name: shape.part(value[name]) for name, shape in self._fields if name in value}


class Each:
    """A list of values of one shape."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape

    def check(self, value: Any, path: str, problems: list[str]) -> None:
        if value is None:
            return
        if type(value) is not list:
            problems.append(f"{path} is {_kind(value)}, not a list")
            return
        for place, item in enumerate(value):
            if len(problems) >= MOST:
                return
            if item is None:
                problems.append(f"{path}[{place}] is null")
            else:
                self._shape.check(item, f"{path}[{place}]", problems)

    def part(self, value: Any) -> Any:
        if type(value) is not list:
            return _hollow(value)
        return [self._shape.part(item) for item in value[:MOST_PARTS]]


class Values:
    """An object whose values are all of one shape, whatever their names."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape

    def check(self, value: Any, path: str, problems: list[str]) -> None:
        if value is None:
            return
        if type(value) is not dict:
            problems.append(f"{path} is {_kind(value)}, not an object")
            return
        for name, item in value.items():
            if len(problems) >= MOST:
                return
            if item is None:
                problems.append(f"{path}.{text(name, _LONGEST_STEP)} is null")
            else:
                self._shape.check(item, f"{path}.{text(name, _LONGEST_STEP)}", problems)

    def part(self, value: Any) -> Any:
        if type(value) is not dict:
            return _hollow(value)
        return {name: self._shape.part(item) for name, item in islice(value.items(), MOST_PARTS)}


def misfits(value: Any, shape: Shape) -> str:
    """What of a value is not of a shape, in a sentence without its full stop; empty when all is."""
    problems: list[str] = []
    shape.check(value, "", problems)
    if not problems:
        return ""
    more = len(problems) - SHOWN
    others = f"; and {'at least ' if len(problems) >= MOST else ''}{more} more" if more > 0 else ""
    return "; ".join(problems[:SHOWN]) + others


def _hollow(value: Any) -> Any:
    """The beginning of a text, an empty list or object in place of a full one."""
    if isinstance(value, str):
        return value[:LONGEST_PART]
    return type(value)() if isinstance(value, list | dict) else value


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, str):
        return "a text"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, list):
        return "a list"
    return "an object" if isinstance(value, dict) else f"a {type(value).__name__}"
