"""JSON of somebody else's, read without rounding its numbers. Pure.

A number that a 64-bit float does not hold exactly comes as its text, digit by digit as it was
written: whoever reads our JSON may be JavaScript, which has no other numbers.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any, Final

import orjson

from console.unstructured import clean

EXACT: Final = 2**53
"""From here on not every whole number is a float."""
_LONGEST_INT: Final = 19
# Numbers that may need care: many digits, or an exponent; and what escapes may hide.
_CAREFUL: Final = re.compile(rb"\d[\d.]{14}|\d[eE][-+\d]|\\u0000|\\u[dD][89a-fA-F]|NaN|Infinity")


class WrittenNumber(float):
    """A number that knows how it was written, for those who pass it on: see `dumps`."""

    def __new__(cls, written: str) -> WrittenNumber:
        """`written` is a JSON number."""
        number = super().__new__(cls, written)
        number.written = written
        return number

    written: str


def dumps(value: Any) -> str:
    """JSON of what a parser gave; a WrittenNumber goes out digit by digit as it came."""
    match value:
        case WrittenNumber():
            return value.written
        case dict():
            return f"{{{', '.join(f'{dumps(key)}: {dumps(item)}' for key, item in value.items())}}}"
        case list():
            return f"[{', '.join(map(dumps, value))}]"
        case _:
            return json.dumps(value, ensure_ascii=False)


def loads(data: bytes) -> Any:
    """What JSON in UTF-8 says, in texts fit for a database: NUL and halves of surrogate pairs
    become �, and NaN and infinities (which some writers allow themselves) their names.

    Raises ValueError for what is no JSON, or is nested deeper than a parser goes.
    """
    if not _CAREFUL.search(data):
        return orjson.loads(data)
    try:
        value = json.loads(data.decode(), parse_int=_whole, parse_float=_number, parse_constant=str)
        return _cleaned(value)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _whole(text: str) -> int | str:
    if len(text) > _LONGEST_INT:
        return text
    number = int(text)
    return number if abs(number) < EXACT else text


def _number(text: str) -> float | str:
    number = float(text)
    if number - number != 0 or len(text) > 40:
        return text
    try:
        return number if Decimal(text) == Decimal(repr(number)) else text
    except ArithmeticError:  # an exponent of more digits than a Decimal has
        return text


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(key): _cleaned(item) for key, item in value.items()}
    return [_cleaned(item) for item in value] if isinstance(value, list) else value
