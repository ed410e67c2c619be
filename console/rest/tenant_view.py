"""What of an answer a tenant's own people see: nothing of the operator's world.

Members of a tenant read their own runs and what was done to them; where these ran, who of the
platform did what and why, and with which code it was tried are not theirs to know. What they see
instead, each shape says (`described(…, members_see=…)`), and here is the one place that gives it:
`RowList` and `RowDetail` pass what they answer through `shown_to`, other endpoints call it.
A shape that says nothing is not for members: that is a fault of ours, not an answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from rest_framework.request import Request

from console.access.contracts import Permission
from console.access.rights import AnyRequest, granted
from console.errors import DomainError

Row = Mapping[str, Any]
MembersSee = Callable[[Row], Row]

# How Headroom tells engines who acts and why: it comes back in what they tell of a run.
_IDENTITY: Final = re.compile(r"headroom:[^\s\"',;)}\]]+")
_STATED: Final = ("(by ", " through Headroom)")
_OPERATOR_KEYS: Final = re.compile(r"(?i)^(.*/)?actor([-_](email|preferred-username))?$")


def is_tenants(request: AnyRequest) -> bool:
    """Whether whoever asks sees only what is their own tenants'."""
    return not granted(request, Permission.VIEW)


def shown_to(request: Request, shape: Any, rows: Iterable[Row]) -> list[Row]:
    """The rows of a shape (a class made by `described`) as whoever asks may see them. TypeError for
    a shape that does not say what members see."""
    if not is_tenants(request):
        return list(rows)
    members_see: MembersSee | None = getattr(shape, "members_see", None)
    if members_see is None:
        raise TypeError(f"{shape.__name__} does not say what members of a tenant see of it.")
    return [without_operators({**row, **members_see(row)}) for row in rows]


def without_operators(value: Any) -> Any:
    """A JSON value without the names and reasons of people of the platform that Headroom has given
    to an engine."""
    if isinstance(value, str):
        is_stated = all(words in value for words in _STATED)
        return (
            "Through Headroom, by an operator." if is_stated else _IDENTITY.sub("headroom", value)
        )
    if isinstance(value, Mapping):
        return {
            name: "" if _names_an_operator(name, inner) else without_operators(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [without_operators(inner) for inner in value]
    return value


def document_without_operators(data: bytes) -> bytes:
    """The same of a JSON document, numbers of any size as they are. DomainError
    (`history_unreadable`) for what is nested too deep to be looked through."""
    try:
        document = json.loads(data)
        if isinstance(document, dict):
            document.pop("target", None)  # older records of our own rows say it
        return json.dumps(without_operators(document), ensure_ascii=False, indent=2).encode()
    except (RecursionError, ValueError) as error:
        message = (
            "The record cannot be read as JSON; the people who run the platform can download it."
        )
        raise DomainError("history_unreadable", message) from error


def _names_an_operator(name: Any, inner: Any) -> bool:
    """A label such as workflows.argoproj.io/actor; `actor` of an event is its shape's matter."""
    return (
        isinstance(name, str) and "/" in name and bool(_OPERATOR_KEYS.match(name)) and inner != ""
    )
