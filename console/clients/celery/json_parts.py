"""JSON that is not all JSON: what of a text can be read, part by part. Pure, and raises nothing.

Python writes NaN and halves of surrogate pairs into JSON, other producers write bytes of another
encoding, forget to escape a quote, or put two documents into one message, and a message may be cut
off. A strict parser refuses the whole then. Here a text is cut into the elements of its lists, an
element into its members, and only what cannot be read itself is lost: where the signs no longer fit
together, what follows is skipped until a member or an object begins again, and given as it was.

Every letter is visited a few times at most, so the time is that of the length. Objects of plain
values that are JSON are read in one go; of the others the signs are read one by one, which takes
far longer, and so many of them at most. Behind them only what can be read in one go is read.
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
MOST_PARTS: Final = 60_000
"""Elements of a text. The shortest event that Celery writes has 150 letters: that are more than fit
into the largest message."""
MOST_SIGNS: Final = 400_000
"""Signs of a text that are read one by one: those of 10,000 events of which each has a value that
is no JSON. A worker sends 24 events at once, or those of a time without a broker."""
_SKIPPING: Final = 8
"""What it takes to skip what does not fit, in signs."""
_MOST_DIGITS: Final = 308
_BLANK: Final = " \t\r\n\ufeff"
_STRING: Final = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_TOKENS: Final = re.compile(
    rf'{_STRING}|[\[\]{{}},:"]|[^{_BLANK}\[\]{{}},:"][^\[\]{{}},:"]*+', re.DOTALL
)
_PLAIN: Final = rf'{_STRING}|[^{_BLANK}\[\]{{}},:"]++|\[[^\[\]{{}}"]*+\]'
_PLAIN_MEMBER: Final = rf"[{_BLANK}]*+{_STRING}[{_BLANK}]*+:[{_BLANK}]*+(?:{_PLAIN})[{_BLANK}]*+"
_PLAIN_OBJECT: Final = re.compile(rf"\{{{_PLAIN_MEMBER}(?:,{_PLAIN_MEMBER})*+\}}", re.DOTALL)
"""An object of texts, numbers and lists of numbers, as nearly all events are. No object begins
within what was searched before something did not fit, so that nothing is searched twice."""
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
_BETWEEN: Final = _BLANK + ",[]"
_PAIRS: Final = {"}": "{", "]": "["}
LOST: Final = object()
"""What stands for a value that cannot be read."""


class _NotJson(ValueError):
    """Why a value cannot be read, for people."""


@dataclass(slots=True)
class JsonPart:
    """An element: its text, name and text of its members where it is an object, the texts between
    them that are none, how many members more there are than are given, and whether the text ends
    before it does. A list that has no end is told by an element without a text.

    `whole` is the object where it could be read in one go: then it has no members here. What is
    `unread` has too many signs, or comes behind too many: the members are those before them."""

    text: str
    whole: dict[str, Any] | None = None
    members: list[tuple[str, str]] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    more: int = 0
    is_cut_off: bool = False
    unread: bool = False


def parts(text: str) -> Iterator[JsonPart]:
    """The elements of a list, or of several; what stands outside of one is an element too. What is
    cut off at the end is the last one, or what comes behind too many."""
    read = _Parts(text)
    for number, part in enumerate(read.all()):
        yield part
        if number + 1 == MOST_PARTS:
            if rest := text[read.end :].strip(_BETWEEN):
                yield JsonPart(rest, unread=True)
            return


class _Parts:
    """The elements of a text. `end` is how far they were read, `signs` how many more may be."""

    def __init__(self, text: str) -> None:
        self.end = 0
        self.signs = MOST_SIGNS
        self._text = text

    def all(self) -> Iterator[JsonPart]:
        """Them."""
        text, in_list = self._text, False
        while self.signs > 0 and (token := _TOKENS.search(text, self.end)) is not None:
            sign, start, self.end = token[0], token.start(), token.end()
            self.signs -= 1
            if sign == "," or (sign == "[" and not in_list) or (sign == "]" and in_list):
                in_list = sign == "[" or (in_list and sign != "]")
            elif sign in "{[":
                yield self._object(start) or _Element(text, start, self).read()
            else:
                if sign in ']}:"' or not _STANDS_ALONE.match(text, self.end):
                    self.end = _begins(text, start + 1)
                yield JsonPart(text[start : self.end].strip(_BLANK))
        if self.signs <= 0:
            yield from self._objects()
        elif in_list:
            yield JsonPart("", is_cut_off=True)

    def _objects(self) -> Iterator[JsonPart]:
        """The objects that can be read in one go, and what is between them."""
        while (start := self.end) < len(self._text):
            if (part := self._object(start)) is not None:
                yield part
                continue
            self.end = _begins(self._text, start + 1)
            if skipped := self._text[start : self.end].strip(_BETWEEN):
                yield JsonPart(skipped, unread=True)

    def _object(self, start: int) -> JsonPart | None:
        """What begins there, if it is an object of plain values that are JSON."""
        if (match := _PLAIN_OBJECT.match(self._text, start)) is None:
            return None
        try:
            whole = orjson.loads(match[0])
        except ValueError:
            return None
        if len(whole) > MOST_MEMBERS:
            return None
        self.end = match.end()
        return JsonPart(match[0], whole)


def _begins(text: str, start: int) -> int:
    """Where the next object begins."""
    match = _BEGINS.search(text, start)
    return len(text) if match is None else text.index("{", match.start())


class _Element:
    """One object or list of a text, taken apart from where it starts.

    `_open` are the brackets that are open; `_next` what has to follow: a "name", the "colon" behind
    it, a "value", or the "end" of one.
    """

    def __init__(self, text: str, start: int, of: _Parts) -> None:
        self._part = JsonPart("")
        self._of = of
        self._text = text
        self._start = start
        self._open: list[str] = []
        self._next = "value"
        self._name: str | None = None
        self._value = start
        self._resume = start
        """Where to search on from when the signs do not fit."""
        self._damaged = False

    def read(self) -> JsonPart:
        """Takes it apart, to where it ends."""
        end = self._start
        while (token := _TOKENS.search(self._text, end)) is not None:
            end = token.end()
            self._of.signs -= 1
            if self._of.signs < 0:
                self._part.unread = True
                return self._over(_begins(self._text, max(token.start(), self._start + 1)))
            if not self._take(token[0], token.start(), end):
                end, goes_on = self._skip()
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
        self._part.is_cut_off = True
        return self._over(len(self._text))

    def _over(self, end: int) -> JsonPart:
        self._of.end = end
        self._part.text = self._text[self._start : end].strip(_BLANK)
        return self._part

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
            if len(self._part.members) < MOST_MEMBERS:
                value = self._text[self._value : end].strip(_BLANK)
                self._part.members.append((self._name, value))
            else:
                self._part.more += 1
        self._name = None

    def _skip(self) -> tuple[int, bool]:
        """Skips what does not fit; where it goes on, and whether that is still this element."""
        self._damaged = True
        self._of.signs -= _SKIPPING
        is_object = self._open[:1] == ["{"]
        match = (_GOES_ON if is_object else _BEGINS).search(self._text, self._resume)
        end = len(self._text) if match is None else match.start()
        if self._name is not None and self._next != "colon":
            del self._open[1:]
            self._member(end)
        elif len(self._part.lost) < MOST_MEMBERS and (
            skipped := self._text[self._resume : end].strip(_BLANK + ",")
        ):
            self._part.lost.append(skipped)
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
    try:
        value = _LENIENT.decode(text)
    except _NotJson as problem:
        return LOST, str(problem)
    except RecursionError:
        return LOST, "nested too deep"
    except ValueError:
        return LOST, "no JSON"
    if _deep(text):
        return LOST, "nested too deep"
    if isinstance(value, str):
        return clean(value), "half of a surrogate pair"
    return LOST, "half of a surrogate pair in it"


def _deep(text: str) -> bool:
    """Of JSON: its signs are among those that are counted."""
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


_LENIENT: Final = json.JSONDecoder(parse_constant=_constant, parse_int=_whole, parse_float=_number)
