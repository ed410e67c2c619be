"""What REST views of every app are made of: lists and details of plain rows, bodies with a reason.

    class PlanList(RowList):
        required_permissions = {"GET": Permission.VIEW}
        queryset = Plan.objects.all()
        serializer_class = PLAN            # describes a row in the schema, is not run
        def shape(self, rows): return [{"slug": plan.slug} for plan in rows]

Rows are made by plain functions, a page at a time: a serializer per row costs more than its query.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from console.access.models import Permission
from console.api import Preconditions
from console.audit.services import require_reason
from console.errors import DomainError

Row = Mapping[str, Any]
READ: dict[str, Permission] = {"GET": Permission.VIEW}


def described(name: str, doc: str, /, **fields: Any) -> type[serializers.Serializer[Any]]:
    """A serializer class that describes a JSON object in the schema under `name`."""
    made: type[serializers.Serializer[Any]] = type(
        f"{name}Serializer", (serializers.Serializer,), {"__doc__": doc, **fields}
    )
    return made


REASON = described(
    "Reason", "Why. It is kept with the change, for ever.", reason=serializers.CharField()
)


def tag(*texts: str) -> str:
    """A short digest of texts, for an ETag."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


class RowList(ListAPIView[Any]):
    """A list of rows, page by page. A query parameter that nobody knows is a 400, not ignored."""

    cursor_key: ClassVar[tuple[str, ...]] = ("id",)
    cursor_descending: ClassVar[bool] = False

    def shape(self, rows: Sequence[Any]) -> list[Row]:
        """The rows of one page as plain values, in a constant number of queries."""
        raise NotImplementedError

    def list(self, request: Request, *_: Any, **__: Any) -> Response:
        """One page."""
        self._refuse_unknown(request)
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.shape(page or []))

    def _refuse_unknown(self, request: Request) -> None:
        filters = getattr(self, "filterset_class", None)
        known = {"cursor", "page_size", *(filters.base_filters if filters else ())}
        for name in request.query_params:
            if name not in known:
                raise DomainError(
                    "unknown_parameter",
                    f"{name[:80]!r} does not filter this list; use {', '.join(sorted(known))}.",
                    field=name[:80],
                    status=400,
                )


class RowDetail(GenericAPIView[Any]):
    """One row."""

    def shape(self, row: Any) -> Row:
        """The row as plain values."""
        raise NotImplementedError

    def get(self, _: Request, *__: Any, **___: Any) -> Response:
        """Reads it."""
        return Response(self.shape(self.get_object()))


class TaggedDetail(Preconditions, RowDetail):
    """One row whose ETag stands for its intent: what If-Match guards. Observation changes without
    anybody's doing, so a GET is always answered in full."""

    answers_not_modified = False


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


def moment_of(text: str, *, field: str) -> datetime:
    """A moment as a query parameter says it, in UTC. A `+` that arrived as a space is understood.

    Raises DomainError("invalid_moment", 400) naming the field.
    """
    try:
        moment = datetime.fromisoformat(text.strip().replace(" ", "+"))
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise DomainError(
        "invalid_moment",
        f"{field}: {text[:80]!r} is not a moment; use ISO 8601 with its zone, such as "
        "2026-11-22T18:00:00Z.",
        field=field,
        status=400,
    )
