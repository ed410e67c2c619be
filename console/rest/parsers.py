"""JSON bodies, read within bounds: whatever is sent is a value or a 400, never a fault of ours."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import IO, Any, Final, NoReturn

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from console.exact_json import WrittenNumber

MOST_DEPTH: Final = 64
"""Objects and lists inside each other. What is accepted anywhere needs fewer than ten."""


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
        """The value. Raises ParseError (400), RequestDataTooBig (413)."""
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(most + 1)
        if len(body) > most:
            raise RequestDataTooBig
        encoding = (parser_context or {}).get("encoding") or settings.DEFAULT_CHARSET
        try:
            value = json.loads(
                body.decode(encoding), parse_constant=_no_constant, parse_float=self._finite
            )
        except RecursionError:
            raise _too_deep() from None
        except ValueError as problem:
            raise ParseError(f"JSON parse error - {problem}") from None
        if _is_deeper(value, MOST_DEPTH):
            raise _too_deep()
        return value

    def _finite(self, text: str) -> float:
        number = self.number(text)
        if math.isinf(number):
            raise ValueError(f"{text[:20]} is beyond what a number can be")
        return number


class ExactJSONParser(BoundedJSONParser):
    """For bodies with values that are passed on as they were written, see exact_json.dumps. What
    becomes of them must not be answered as it is: orjson writes no subclasses of float."""

    number = WrittenNumber


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
