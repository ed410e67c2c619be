"""Arguments of verbs as people and machines send them, checked and typed. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from console.errors import DomainError
from observability.engines.verbs import Argument, FieldKind, Verb

ARGUMENTS: Final = "arguments"
"""The field of a body that holds them: the first part of every path here."""
_YES: Final = {"true", "on", "1", "yes"}
_NO: Final = {"false", "off", "0", "no", ""}


def read_arguments(verb: Verb, values: Mapping[str, Any]) -> dict[str, Any]:
    """The verb's arguments, typed; what was left out has its default or is left out.

    `values` has JSON values or the texts of a form. Raises DomainError("invalid") naming every
    field at fault by its path (`arguments.activity`), its value and what would be right.
    """
    read: dict[str, Any] = {}
    problems: list[dict[str, str]] = []
    known = {argument.name: argument for argument in verb.arguments}
    for name in values:
        if name not in known:
            right = f"use {', '.join(known)}" if known else f"{verb.name} takes none"
            problems.append(_problem(name[:80], f"{name[:80]!r} is no argument here; {right}."))
    for argument in verb.arguments:
        try:
            value = _read(argument, values)
        except ValueError as error:
            problems.append(_problem(argument.name, f"{argument.label}: {error}"))
        else:
            if value is not None:
                read[argument.name] = value
    if problems:
        raise DomainError(
            "invalid",
            " ".join(problem["message"] for problem in problems),
            field=problems[0]["field"],
            detail={"problems": problems},
        )
    return read


def _problem(name: str, message: str) -> dict[str, str]:
    return {"field": f"{ARGUMENTS}.{name}", "code": "invalid", "message": message}


def _read(argument: Argument, values: Mapping[str, Any]) -> Any:
    """One argument; None when it was left out and has no default. Raises ValueError in words."""
    if argument.needed_with:
        other, wanted = argument.needed_with
        if values.get(other) != wanted:
            return None
    value = values.get(argument.name)
    if value is None or (isinstance(value, str) and not value.strip()):
        if argument.required or argument.needed_with:
            raise ValueError(f"it is empty; {_right(argument)}.")
        return argument.default
    return _READERS[argument.kind](argument, value)


def _text(argument: Argument, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{_shown(value)} is not accepted; {_right(argument)}.")
    text = value.strip()
    if argument.most is not None and len(text.encode()) > argument.most:
        raise ValueError(f"{_shown(text)} is too long; {_right(argument)}.")
    if not text.isprintable():
        raise ValueError(f"{_shown(text)} holds what cannot be printed; {_right(argument)}.")
    return text


def _choice(argument: Argument, value: Any) -> str:
    if value not in [name for name, _ in argument.choices]:
        raise ValueError(f"{_shown(value)} is not accepted; {_right(argument)}.")
    return str(value)


def _flag(argument: Argument, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = value.strip().lower() if isinstance(value, str) else None
    if text not in _YES | _NO:
        raise ValueError(f"{_shown(value)} is not accepted; {_right(argument)}.")
    return text in _YES


def _number(argument: Argument, value: Any) -> int:
    number = _decimal(argument, value)
    if number != int(number):
        raise ValueError(f"{_shown(value)} is not accepted; {_right(argument)}.")
    return int(number)


def _decimal(argument: Argument, value: Any) -> float:
    refusal = ValueError(f"{_shown(value)} is not accepted; {_right(argument)}.")
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise refusal
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise refusal from None
    least = -math.inf if argument.least is None else argument.least
    most = math.inf if argument.most is None else argument.most
    if not math.isfinite(number) or not least <= number <= most:
        raise refusal
    return number


def _json(argument: Argument, value: Any) -> Any:
    """The value as JSON text, so that null can be told from nothing."""
    if not isinstance(value, str):
        text = json.dumps(value, ensure_ascii=False)
    else:
        text = value.strip()
        try:
            json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            raise ValueError(f"{_shown(text)} is not JSON; {_right(argument)}.") from None
    if argument.most is not None and len(text.encode()) > argument.most:
        raise ValueError(f"it is larger than {argument.most:g} bytes; send less.")
    return text


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


_READERS: Final[Mapping[FieldKind, Callable[[Argument, Any], Any]]] = {
    FieldKind.TEXT: _text,
    FieldKind.CHOICE: _choice,
    FieldKind.FLAG: _flag,
    FieldKind.NUMBER: _number,
    FieldKind.DECIMAL: _decimal,
    FieldKind.JSON: _json,
}


def _shown(value: Any) -> str:
    return repr(value)[:80]


def _right(argument: Argument) -> str:
    """What would be accepted, in words."""
    match argument.kind:
        case FieldKind.CHOICE:
            return f"use {', '.join(name for name, _ in argument.choices)}"
        case FieldKind.FLAG:
            return "use true or false"
        case FieldKind.NUMBER:
            return f"use a whole number{_bounds(argument)}"
        case FieldKind.DECIMAL:
            return f"use a number{_bounds(argument)}"
        case FieldKind.JSON:
            return 'use one JSON value, such as {"approved": true} or "text"'
        case _:
            most = "" if argument.most is None else f" of at most {argument.most:g} bytes"
            return f"use a text{most}"


def _bounds(argument: Argument) -> str:
    if argument.least is None or argument.most is None:
        return ""
    if argument.most > 10**9:
        return f" from {argument.least:g}"
    return f" from {argument.least:g} to {argument.most:g}"
