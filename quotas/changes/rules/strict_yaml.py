"""YAML that means one thing only. Pure.

YAML 1.1 reads `010` as 8, `1:30` as 90, `1_000` as 1000, `no` as false and `2026-01-01` as a date;
YAML 1.2 reads most of these otherwise, and so do people. What is written so without quotes is
refused, with what it would have been read as. So are keys that stand twice, anchors and aliases,
tags, and what is too long or too deep: no reader has to guess, and none is kept busy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import yaml
from yaml import events

from console.errors import DomainError

LONGEST: Final = 1_000_000
"""Characters of a text."""
DEEPEST: Final = 20
"""Mappings and lists inside each other."""
MOST_DIGITS: Final = 20
MOST_TOLD: Final = 20
"""Problems that are told at once."""
_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TRUTH: Final = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_WHOLE: Final = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_DECIMAL: Final = re.compile(r"[-+]?(0|[1-9][0-9]*)?\.([0-9]+|(?<=[0-9]\.))")
_EXPONENT: Final = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+")
_ZERO_FIRST: Final = re.compile(r"[-+]?0[0-9_]+(\.[0-9]*)?|0o[0-7]+")
_LINE_ENDS: Final = frozenset("\x85\u2028\u2029\ufeff")
_LETTER: Final = re.compile(r"[yYnN]")
_OTHER_KINDS: Final = frozenset({"int", "float", "bool", "timestamp"})


def load_all(text: str) -> list[Any]:
    """The documents of a text: mappings, lists, texts, numbers, true, false and None.

    Raises DomainError("invalid_yaml") that names line, field and value, and what would be right;
    `detail` has the `line` and whether it is no YAML at all (`syntax`).
    """
    if len(text) > LONGEST:
        raise _refusal(f"The text is longer than {LONGEST} characters; split it.", 1)
    composer = _Composer(yaml.parse(text, Loader=yaml.SafeLoader))
    try:
        documents = composer.documents()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it cannot be read"
        message = f"This is not YAML{where}: {problem}."
        raise _refusal(message, mark.line + 1 if mark else 0, syntax=True) from error
    if problems := composer.problems:
        more = f" And {len(problems) - MOST_TOLD} more." if len(problems) > MOST_TOLD else ""
        text = " ".join(problem.message for problem in problems[:MOST_TOLD])
        raise _refusal(text + more, problems[0].detail["line"])
    return documents


def dump(value: Any) -> str:
    """A value as YAML that `load_all` reads back to the same."""
    written: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    return written


class _Dumper(yaml.SafeDumper):
    """Quotes what could be read in two ways, and writes out what stands twice."""

    def ignore_aliases(self, _: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "'" if _ambiguity(text) else None
    if _LINE_ENDS & set(text):
        style = '"'  # only there they are escaped
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


# -- structure -----------------------------------------------------------------------------------


class _Composer:
    """Reads a stream of events. Values that could be read in two ways and names that stand twice
    are gathered, so that all of them can be told at once; the rest is refused where it stands."""

    def __init__(self, stream: Iterator[events.Event]) -> None:
        self._stream = stream
        self.problems: list[DomainError] = []

    def documents(self) -> list[Any]:
        return [
            self._node(next(self._stream), "", 0)
            for event in self._stream
            if isinstance(event, events.DocumentStartEvent)
        ]

    def _node(self, event: Any, path: str, depth: int) -> Any:
        """What begins with `event`; `path` names it for people (`limits.pods`)."""
        _check(event, path, depth)
        if isinstance(event, events.SequenceStartEvent):
            return self._list(path, depth)
        if isinstance(event, events.MappingStartEvent):
            return self._mapping(path, depth)
        return self._scalar(event, path)

    def _list(self, path: str, depth: int) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self._stream), events.SequenceEndEvent):
            items.append(self._node(event, f"{path}[{len(items)}]", depth + 1))
        return items

    def _mapping(self, path: str, depth: int) -> dict[str, Any]:
        content: dict[str, Any] = {}
        while not isinstance(event := next(self._stream), events.MappingEndEvent):
            key = self._key(event, path, depth)
            inside = f"{path}.{key}" if path else key
            if key in content:
                self.problems.append(_wrong(event, inside, "it stands twice; keep one of the two"))
            content[key] = self._node(next(self._stream), inside, depth + 1)
        return content

    def _key(self, event: Any, path: str, depth: int) -> str:
        _check(event, path, depth)
        if not isinstance(event, events.ScalarEvent):
            raise _wrong(event, path, "a name is a text, not a list or a mapping")
        key = self._scalar(event, path)
        if not isinstance(key, str):
            raise _wrong(event, path, f"{event.value[:40]!r} is no name; put it in quotes")
        return key

    def _scalar(self, event: events.ScalarEvent, path: str) -> Any:
        text = _whole_text(event.value)
        if text is None:
            problem = "it has a NUL or half a surrogate pair, which nothing can store; leave it out"
            raise _wrong(event, path, problem)
        if event.style is not None:
            return text
        if text in _NULL:
            return None
        if text in _TRUTH:
            return _TRUTH[text]
        if _WHOLE.fullmatch(text) or _DECIMAL.fullmatch(text):
            if len(text) <= MOST_DIGITS:
                return int(text) if _WHOLE.fullmatch(text) else float(text)
            problem = f"{text[:40]} has more than {MOST_DIGITS} digits"
        else:
            problem = _ambiguity(text)
        if problem:
            self.problems.append(_wrong(event, path, problem))
        return text


def _check(event: Any, path: str, depth: int) -> None:
    if isinstance(event, events.AliasEvent) or event.anchor is not None:
        name = event.anchor
        raise _wrong(event, path, f"{name!r} is an anchor or an alias; write the value out")
    if event.tag is not None:
        raise _wrong(event, path, f"the tag {event.tag!r} is not accepted; leave it out")
    if depth > DEEPEST:
        raise _wrong(event, "", f"more than {DEEPEST} lists and mappings inside each other")


# -- values --------------------------------------------------------------------------------------


def _whole_text(text: str) -> str | None:
    """A text with the pairs of surrogates joined that JSON writes; None with a half of one, or a
    NUL."""
    if "\0" in text:
        return None
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        return None


def _ambiguity(text: str) -> str:
    """Why a text without quotes could be read in two ways; empty when it cannot."""
    shown, kind = text[:40], _kind(text)
    if _EXPONENT.fullmatch(text):
        return f"{shown} is a number to some and a text to others; write it without an exponent"
    if _ZERO_FIRST.fullmatch(text) and ":" not in text:
        return f"{shown} {_read_as(text, kind)}; write the number without the 0 in front"
    if kind in _OTHER_KINDS:
        return f"{shown} {_read_as(text, kind)}; write what is meant, or put quotes around a text"
    if kind in ("value", "merge") or _LETTER.fullmatch(text):
        return f"{shown} is not a text to everybody; put it in quotes"
    return ""


def _kind(text: str) -> str:
    """What YAML 1.1 takes a text without quotes for: str, int, float, bool, timestamp, …"""
    resolve: Callable[..., str] = yaml.SafeLoader("").resolve
    tag = resolve(yaml.ScalarNode, text, (True, False))
    return tag.rpartition(":")[2]


def _read_as(text: str, kind: str) -> str:
    """`is read as 8 by YAML 1.1`, as far as it can read it."""
    if kind == "timestamp":
        return "is read as a date by YAML 1.1"
    try:
        node = yaml.ScalarNode(f"tag:yaml.org,2002:{kind}", text)
        value = yaml.SafeLoader("").construct_object(node)
    except (ValueError, OverflowError, yaml.YAMLError):
        return "is no number that can be read"
    if isinstance(value, str):
        return "is a text to some and a number to others"
    words = str(value).lower() if isinstance(value, bool) else f"{value}"
    return f"is read as {words[:40]} by YAML 1.1"


def _wrong(event: events.Event, path: str, problem: str) -> DomainError:
    line = event.start_mark.line + 1 if event.start_mark else 0
    where = f"{path} in line {line}" if path else f"Line {line}"
    return _refusal(f"{where}: {problem}.", line)


def _refusal(message: str, line: int, *, syntax: bool = False) -> DomainError:
    return DomainError("invalid_yaml", message, detail={"line": line, "syntax": syntax})
