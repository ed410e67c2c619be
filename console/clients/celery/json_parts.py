"""JSON that is not all JSON: what of a text can be read, part by part. Pure, and raises nothing.

Python writes NaN and halves of surrogate pairs into JSON, other producers write bytes of another
encoding, forget to escape a quote, or put two documents into one message, and a message may be cut
off. A strict parser refuses the whole then. Here a text is cut into the elements of its lists, an
element into its members, and only what cannot be read itself is lost: where the signs no longer fit
together, what follows is skipped until a member or an object begins again, and given as it was.

Every letter is visited a few times at most, so the time is that of the length.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from console.unstructured import clean

DEEPEST: Final = 60
"""Levels of a value; nothing that we read of events has more than three."""
MOST_MEMBERS: Final = 1_000
"""Members of an element that are given; the others are counted."""
_MOST_DIGITS: Final = 308
_BLANK: Final = " \t\r\n\ufeff"
_TOKENS: Final = re.compile(
    rf'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{{}},:"]|[^{_BLANK}\[\]{{}},:"][^\[\]{{}},:"]*+', re.DOTALL
)
_OF_EVENT: Final = "type|uuid|hostname|timestamp|clock|pid|utcoffset"
_OBJECT: Final = (
    rf'(?<![:{_BLANK}])[{_BLANK}]*+\{{[{_BLANK}]*+"(?:{_OF_EVENT})"[{_BLANK}]*+:'
    rf'|(?<=[\[\]}},])[{_BLANK}]*+\{{[{_BLANK}]*+"\w++"[{_BLANK}]*+:'
)
"""Where an object begins that is no value of a member."""
_MEMBER: Final = rf',[{_BLANK}]*+"[A-Za-z_]\w*+"[{_BLANK}]*+:'
_BEGINS: Final = re.compile(_OBJECT)
_GOES_ON: Final = re.compile(f"(?P<object>{_OBJECT})|{_MEMBER}")
_IS_OVER: Final = re.compile(rf'[{_BLANK}]*+(?:\Z|[\[\]{{]|,[{_BLANK}]*+(?!["{_BLANK}]))')
"""What follows the end of an element: no member of it."""
_STANDS_ALONE: Final = re.compile(rf"[{_BLANK}]*+(?:\Z|[\],])")
"""What follows an element without brackets."""
_PAIRS: Final = {"}": "{", "]": "["}
LOST: Final = object()
"""What stands for a value that cannot be read."""


class _NotJson(ValueError):
    """Why a value cannot be read, for people."""


@dataclass(slots=True)
class JsonPart:
    """An element: its text, name and text of its members where it is an object, the texts between
    them that are none, how many members more there are than are given, and whether the text ends
    before it does. A list that has no end is told by an element without a text."""

    text: str
    members: list[tuple[str, str]] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    more: int = 0
    is_cut_off: bool = False


def parts(text: str) -> Iterator[JsonPart]:
    """The elements of a list, or of several; what stands outside of one is an element too. What is
    cut off at the end is the last one."""
    in_list, end = False, 0
    while (token := _TOKENS.search(text, end)) is not None:
        sign, start, end = token[0], token.start(), token.end()
        if sign == "," or (sign == "[" and not in_list) or (sign == "]" and in_list):
            in_list = sign == "[" or (in_list and sign != "]")
        elif sign in "{[":
            element = _Element(text, start)
            end = element.read()
            yield element.part
        else:
            if sign in ']}:"' or not _STANDS_ALONE.match(text, end):
                end = _begins(text, start + 1)
            yield JsonPart(text[start:end].strip(_BLANK))
    if in_list:
        yield JsonPart("", is_cut_off=True)


def _begins(text: str, start: int) -> int:
    """Where the next object begins."""
    match = _BEGINS.search(text, start)
    return len(text) if match is None else text.index("{", match.start())


class _Element:
    """One object or list of a text, taken apart from where it starts.

    `_open` are the brackets that are open; `_next` what has to follow: a "name", the "colon" behind
    it, a "value", or the "end" of one.
    """

    def __init__(self, text: str, start: int) -> None:
        self.part = JsonPart("")
        self._text = text
        self._start = start
        self._open: list[str] = []
        self._next = "value"
        self._name: str | None = None
        self._value = start
        self._resume = start
        """Where to search on from when the signs do not fit."""
        self._damaged = False

    def read(self) -> int:
        """Takes it apart; where it ends."""
        end = self._start
        while (token := _TOKENS.search(self._text, end)) is not None:
            end = token.end()
            if not self._take(token[0], token.start(), end):
                begins, goes_on = self._skip()
                end = begins
                if not goes_on:
                    return self._over(end)
            elif not self._open:
                if not self._damaged or _IS_OVER.match(self._text, end):
                    return self._over(end)
                # That was not its end: a member follows, or what is none.
                self._resume, self._open = end, [self._text[self._start]]
                end, goes_on = self._skip()
                if not goes_on:
                    return self._over(end)
        del self._open[1:]
        self._member(len(self._text))
        self.part.is_cut_off = True
        return self._over(len(self._text))

    def _over(self, end: int) -> int:
        self.part.text = self._text[self._start : end].strip(_BLANK)
        return end

    # -- signs ------------------------------------------------------------------------------------

    def _take(self, sign: str, start: int, end: int) -> bool:
        """Whether a sign fits behind those before it."""
        if sign in "{[":
            return self._opens(sign, start)
        if sign in "}]":
            return self._closes(sign, start)
        if sign == ",":
            return self._goes_on(start)
        if sign == ":":
            return self._is_valued(end)
        if self._next == "name":
            return self._is_named(sign)
        fits = self._next == "value" and sign != '"'
        self._next = "end"
        return fits

    def _opens(self, sign: str, start: int) -> bool:
        if self._next != "value":
            return False
        self._open.append(sign)
        self._next = "name" if sign == "{" else "value"
        self._resume = start
        return True

    def _closes(self, sign: str, start: int) -> bool:
        if self._open[-1:] != [_PAIRS[sign]] or self._next == "colon":
            return False
        self._member(start)
        self._open.pop()
        self._next = "end"
        return True

    def _goes_on(self, start: int) -> bool:
        if self._next in ("name", "colon"):
            return False
        self._member(start)
        self._next = "name" if self._open[-1] == "{" else "value"
        self._resume = start
        return True

    def _is_named(self, sign: str) -> bool:
        if sign[0] != '"' or len(sign) < 2:
            return False
        self._next = "colon"
        if len(self._open) == 1:
            name, _ = value_of(sign)
            self._name = name if isinstance(name, str) else None
        return True

    def _is_valued(self, end: int) -> bool:
        if self._next != "colon":
            return False
        self._next, self._resume = "value", end
        if len(self._open) == 1:
            self._value = end
        return True

    # -- what was read ----------------------------------------------------------------------------

    def _member(self, end: int) -> None:
        """The member that ends there, if one of the element itself does."""
        if len(self._open) != 1:
            return
        if self._open == ["{"] and self._name is not None and self._next != "colon":
            if len(self.part.members) < MOST_MEMBERS:
                value = self._text[self._value : end].strip(_BLANK)
                self.part.members.append((self._name, value))
            else:
                self.part.more += 1
        self._name = None

    def _skip(self) -> tuple[int, bool]:
        """Skips what does not fit; where it goes on, and whether that is still this element."""
        self._damaged = True
        is_object = self._open[:1] == ["{"]
        match = (_GOES_ON if is_object else _BEGINS).search(self._text, self._resume)
        end = len(self._text) if match is None else match.start()
        if self._name is not None and self._next != "colon":
            del self._open[1:]
            self._member(end)
        elif len(self.part.lost) < MOST_MEMBERS and (
            skipped := self._text[self._resume : end].strip(_BLANK + ",")
        ):
            self.part.lost.append(skipped)
        self._name = None
        if match is None or not is_object or match["object"] is not None:
            return (end if match is None else self._text.index("{", end)), False
        del self._open[1:]
        self._next = "name"
        return end + 1, True


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
