"""The JSON object of a write, taken apart field by field; every refusal names its field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rest_framework.request import Request

from console.audit.services import require_reason
from console.errors import DomainError


def body_of(request: Request) -> dict[str, Any]:
    """The JSON object that was sent. Raises DomainError("invalid", 400) for anything else."""
    sent: Any = request.data
    if not isinstance(sent, Mapping):
        kind = type(sent).__name__
        raise DomainError(
            "invalid", f"The body is a {kind}; send a JSON object of fields.", status=400
        )
    for text in _texts(sent):
        if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
            raise DomainError(
                "invalid",
                f"{text[:40]!a} holds what no text can: a NUL or half of a surrogate pair.",
                status=400,
            )
    return dict(sent)


def _texts(value: Any) -> Iterator[str]:
    """Every text in a JSON value, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield key
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def take_reason(body: dict[str, Any]) -> str:
    """Takes `reason` out of a body. Raises DomainError("reason_required") where there is none."""
    return require_reason(take_text(body, "reason"))


def take_text(body: dict[str, Any], name: str, default: str = "") -> str:
    """Takes a text out of a body. Raises DomainError("invalid") for anything but a text."""
    value = body.pop(name, default)
    if not isinstance(value, str):
        raise DomainError(
            "invalid", f"{name}: {str(value)[:80]!r} is not accepted; use a text.", field=name
        )
    return value


def take_number(body: dict[str, Any], name: str, default: int) -> int:
    """Takes a whole number from 0 out of a body. Raises DomainError("invalid")."""
    value = body.pop(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
        raise DomainError(
            "invalid",
            f"{name}: {str(value)[:80]!r} is not accepted; use a whole number from 0.",
            field=name,
        )
    return int(value)


def take_flag(body: dict[str, Any], name: str, *, default: bool = False) -> bool:
    """Takes true or false out of a body. Raises DomainError("invalid")."""
    value = body.pop(name, default)
    if not isinstance(value, bool):
        raise DomainError(
            "invalid",
            f"{name}: {str(value)[:80]!r} is not accepted; use true or false.",
            field=name,
        )
    return value


def take_object(body: dict[str, Any], name: str) -> dict[str, Any]:
    """Takes a JSON object out of a body, empty when it is not there. Raises DomainError."""
    value = body.pop(name, {})
    if not isinstance(value, Mapping):
        raise DomainError(
            "invalid", f"{name}: {str(value)[:80]!r} is not accepted; use an object.", field=name
        )
    return dict(value)


def refuse_rest(body: Mapping[str, Any], known: Sequence[str]) -> None:
    """Raises DomainError("unknown_field") for the first field that nobody took."""
    right = f"use {', '.join(known)}" if known else "send an empty object"
    for name in body:
        raise DomainError(
            "unknown_field",
            f"{str(name)[:80]!r} is not a field here; {right}.",
            field=str(name)[:80],
        )
