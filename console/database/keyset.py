"""Keyset pages: the same speed on the last page as on the first, whatever the size of the table.

    page = keyset_page(Entry.objects.all(), cursor=request.GET.get("cursor", ""))
    page.rows, page.next, page.previous    # {% pager page %} draws the links

A cursor is opaque: the key of the row at the page's edge and the direction. It is compared as a
row value, which both databases answer from the index (an OR of comparisons would be a scan).
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Generic, TypeVar

from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import BooleanField, F, Func, Model, QuerySet, Value
from django.db.models.lookups import GreaterThan, LessThan

from console.errors import DomainError

M = TypeVar("M", bound=Model)
Take = Callable[[QuerySet[M], Sequence[str], int], list[M]]
"""(rows, order, how many) -> that many of the first."""


class RowValue(Func):
    """SQL row value: (a, b)."""

    template = "(%(expressions)s)"
    output_field = BooleanField()


@dataclass(frozen=True, slots=True)
class Page(Generic[M]):
    """One keyset page. `next` and `previous` are cursors, empty where there is nothing more."""

    rows: list[M]
    next: str = ""
    previous: str = ""


def keyset_page(
    queryset: QuerySet[M],
    *,
    cursor: str = "",
    key: Sequence[str] = ("at", "id"),
    size: int = 50,
    descending: bool = True,
    take: Take[M] | None = None,
) -> Page[M]:
    """One page of `queryset` ordered by `key`, which must be unique together and never null.

    The rows may be those of `values()`. `take` finds them where the queryset alone would not be
    quick: of what it is given, it returns the first in that order that it is after. An unreadable
    cursor is a DomainError `invalid_cursor` (400).
    """
    backwards, edge = _decode(cursor, queryset, key) if cursor else (False, [])
    downwards = descending != backwards
    if edge:
        queryset = queryset.filter(_beyond(key, edge, downwards=downwards))
    order = [f"-{name}" if downwards else name for name in key]
    rows = (take or _first)(queryset, order, size + 1)
    more, rows = len(rows) > size, rows[:size]
    if backwards:
        rows.reverse()
    has_next, has_previous = (bool(rows), more) if backwards else (more, bool(edge and rows))
    return Page(
        rows=rows,
        next=_encode(rows[-1], key, backwards=False) if has_next else "",
        previous=_encode(rows[0], key, backwards=True) if has_previous else "",
    )


def _first(queryset: QuerySet[M], order: Sequence[str], size: int) -> list[M]:
    return list(queryset.order_by(*order)[:size])


def _beyond(key: Sequence[str], edge: list[Any], *, downwards: bool) -> Any:
    compare = LessThan if downwards else GreaterThan
    if len(key) == 1:
        return compare(F(key[0]), edge[0])
    return compare(RowValue(*map(F, key)), RowValue(*edge))


def _encode(row: Model, key: Sequence[str], *, backwards: bool) -> str:
    edge = [_attribute(row, name) for name in key]
    plain = json.dumps([int(backwards), *edge], cls=_Precise, separators=(",", ":"))
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


class _Precise(DjangoJSONEncoder):
    """Django's encoder cuts a datetime to milliseconds; a key needs all of it."""

    def default(self, o: Any) -> Any:
        return o.isoformat() if isinstance(o, datetime) else super().default(o)


def _attribute(row: Model | Mapping[str, Any], path: str) -> Any:
    if isinstance(row, Mapping):
        return row[path]
    value: Any = row
    for name in path.split("__"):
        value = getattr(value, name)
    return value


# Of base64, of JSON (one nested without end runs into the recursion limit), of a column's values.
_NO_CURSOR: Final = (
    *(ValueError, TypeError, OverflowError, RecursionError),
    *(ValidationError, binascii.Error),
)


def _decode(cursor: str, queryset: QuerySet[M], key: Sequence[str]) -> tuple[bool, list[Any]]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        direction, *edge = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
        if direction not in (0, 1) or len(edge) != len(key):
            raise ValueError(cursor)
        values = [_value(queryset.model, name, part) for name, part in zip(key, edge, strict=True)]
    except _NO_CURSOR as error:
        raise DomainError(
            "invalid_cursor",
            "The cursor is not one that this list gave out; start again without it.",
            field="cursor",
            status=400,
        ) from error
    return bool(direction), values


def _value(model: type[Model], path: str, part: Any) -> Any:
    """The edge's part as a value of its column, so that the databases compare like with like."""
    *relations, last = path.split("__")
    for name in relations:
        model = model._meta.get_field(name).related_model  # type: ignore[assignment]  # a relation
    field = model._meta.get_field(last)
    value = field.to_python(part)  # type: ignore[union-attr]  # a column, by the check above
    if value is None or (isinstance(value, str) and "\0" in value):
        raise ValueError(path)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(path)
        value = value.astimezone(UTC)  # OverflowError for what has no such moment
    field.run_validators(value)  # type: ignore[union-attr]  # numbers that the column cannot hold
    return Value(value, output_field=field)  # type: ignore[arg-type]  # see above
