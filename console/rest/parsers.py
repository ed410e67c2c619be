"""JSON bodies, read within bounds: whatever is sent is a value or a 400, never a fault of ours."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import IO, Any, Final, NoReturn

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from console.errors import DomainError
from console.exact_json import WrittenNumber
from console.unstructured import text

MOST_DEPTH: Final = 64
"""Objects and lists inside each other. What is accepted anywhere needs fewer than ten."""

MOST_DIGITS: Final = 1_000
"""Digits of a whole number. Python makes no number of more than 4,300, nor a text of one."""
_LONGEST_NAME: Final = 80


class BoundedJSONParser(JSONParser):
    """As DRF's own, for JSON as RFC 8259 has it: no NaN, no number beyond a double's range, no
    nesting that only a stack of its own could hold."""

    number: type[float] = float
    """What a number with a point or an exponent becomes."""

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,  # noqa: ARG002 - DRF's signature
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """The value. Raises ParseError or DomainError (400), RequestDataTooBig
        (413)."""
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(most + 1)
        if len(body) > most:
            raise RequestDataTooBig
        encoding = (parser_context or {}).get("encoding") or settings.DEFAULT_CHARSET
        too_long: list[_TooLong] = []
        try:
            value = json.loads(
                body.decode(encoding),
                parse_constant=_no_constant,
                parse_float=self._finite,
                parse_int=partial(_whole, too_long),
            )
        except RecursionError:
            raise _too_deep() from None
        except ValueError as problem:
            raise ParseError(f"JSON parse error - {problem}") from None
        if _is_deeper(value, MOST_DEPTH):
            raise _too_deep()
        if too_long:
            raise _refused(value, too_long[0])
        return value

    def _finite(self, written: str) -> float:
        number = self.number(written)
        if math.isinf(number):
            raise ValueError(f"{written[:20]} is beyond what a number can be")
        return number


class ExactJSONParser(BoundedJSONParser):
    """For bodies with values that are passed on as they were written, see exact_json.dumps. What
    becomes of them must not be answered as it is: orjson writes no subclasses of float."""

    number = WrittenNumber


@dataclass(frozen=True, slots=True, eq=False)
class _TooLong:
    """Stands where a number of so many digits does, until it is known where that is."""

    digits: int


def _whole(too_long: list[_TooLong], written: str) -> int | _TooLong:
    digits = len(written.lstrip("-"))
    if digits <= MOST_DIGITS:
        return int(written)
    too_long.append(_TooLong(digits))
    return too_long[-1]


def _refused(value: Any, number: _TooLong) -> DomainError:
    """Names the field with the number: `limits.pods`, `policy.ports.0`."""
    field = _place_of(value, number)
    return DomainError(
        "number_too_long",
        f"{f'{field}: ' if field else ''}a number of {number.digits:,} digits is not accepted; use"
        f" at most {MOST_DIGITS:,}.",
        field=field,
        status=400,
    )


def _place_of(value: Any, number: _TooLong) -> str:
    """Where a number stands in a value; empty for the value itself, or where a later entry of the
    same name has replaced it."""
    level = [("", value)]
    while level:
        for path, outer in level:
            if outer is number:
                return path
        level = [(f"{path}.{name}".lstrip("."), inner)
                 for path, outer in level for name, inner in _entries(outer)]  # fmt: skip
    return ""


def _entries(outer: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(outer, dict):
        return [(text(name, _LONGEST_NAME), inner) for name, inner in outer.items()]
    return (
        [(str(index), inner) for index, inner in enumerate(outer)]
        if isinstance(outer, list)
        else []
    )


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _is_deeper(value: Any, most: int) -> bool:
    """Whether lists and objects lie more than `most` deep. A level at a time: no recursion."""
    level = [value]
    for _ in range(most + 1):
        level = [outer for outer in level if isinstance(outer, dict | list)]
        if not level:
            return False
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return True


def _too_deep() -> ParseError:
    return ParseError(f"JSON parse error - nested more than {MOST_DEPTH} deep")
