"""Serializers that every app shares: bodies that are checked, and shapes that are only shown.

    class NewMember(Body):
        user = Text()
        reason = Reason()

    body = NewMember.read(request)      # the values; 422 names every field that is not acceptable

Writes run the very serializer that the schema is made of. Rows of answers are made by plain
functions, a page at a time (views.py): `described` says in the schema what those give.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request

from console.errors import DomainError
from console.rest.fields import Reason
from console.rest.problems import InvalidBody
from console.rest.tenant_view import MembersSee


class Body(serializers.Serializer[Any]):
    """A JSON object that a write takes. A field that it does not know is refused."""

    default_error_messages = {"invalid": "It is a {datatype}; send an object of fields."}  # noqa: RUF012 - as in DRF

    @classmethod
    def read(cls, request: Request, **context: Any) -> dict[str, Any]:
        """The values that were sent. Raises InvalidBody (422) with every field that is not
        acceptable, by its path; DomainError("invalid", 400) where the body is no object at all."""
        sent = _object(request.data)
        serializer = cls(data=sent, context=context)
        if not serializer.is_valid():
            raise InvalidBody(serializer.errors)
        values: dict[str, Any] = serializer.validated_data
        return values

    def to_internal_value(self, data: Any) -> Any:
        """As DRF does it, and nothing that it would have passed over."""
        errors: dict[str, Any] = {}
        values: Any = None
        try:
            values = super().to_internal_value(data)
        except ValidationError as error:
            errors.update(error.detail)  # type: ignore[arg-type]  # a serializer's is a mapping
        if isinstance(data, Mapping):
            errors.update(self._unknown(data))
        if errors:
            raise ValidationError(errors)
        return values

    def _unknown(self, data: Mapping[str, Any]) -> dict[str, list[ErrorDetail]]:
        right = f"use {', '.join(self.fields)}" if self.fields else "send an empty object"
        return {
            name[:80]: [
                ErrorDetail(f"{name[:80]!r} is not a field here; {right}.", code="unknown_field")
            ]
            for name in data
            if name not in self.fields
        }


class ReasonOnly(Body):
    """Why. It is kept with the change, for ever."""

    reason = Reason()


class Nothing(Body):
    """No field at all."""


def described(
    name: str, doc: str, /, *, members_see: MembersSee | None = None, **fields: Any
) -> type[serializers.Serializer[Any]]:
    """A serializer class that describes a JSON object of answers in the schema under `name`.

    `members_see` gives, for a row, the fields that members of a tenant see otherwise; None: they do
    not see such rows at all (console/rest/tenant_view.py).
    """
    made: type[serializers.Serializer[Any]] = type(
        f"{name}Serializer", (serializers.Serializer,), {"__doc__": doc, **fields}
    )
    made.members_see = members_see and staticmethod(members_see)  # type: ignore[attr-defined]  # read by tenant_view
    return made


def _object(sent: Any) -> dict[str, Any]:
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
