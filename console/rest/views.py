"""What REST views of every app are made of: lists and details of plain rows.

    class PlanList(RowList):
        required_permissions = {"GET": Permission.VIEW}
        queryset = Plan.objects.all()
        serializer_class = PLAN            # describes a row in the schema, is not run
        def shape(self, rows): return [{"slug": plan.slug} for plan in rows]

Rows are made by plain functions, a page at a time: a serializer per row costs more than its query.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from console.access.contracts import Permission
from console.access.rights import person_of
from console.access.scoping import TenantScoped
from console.errors import DomainError
from console.rest.preconditions import Preconditions
from console.rest.tenant_view import shown_to

Row = Mapping[str, Any]
READ: dict[str, Permission] = {"GET": Permission.VIEW}


class VisibleRows(GenericAPIView[Any]):
    """Reads of `queryset` only what whoever asks may know of, where its rows belong to tenants."""

    def get_queryset(self) -> QuerySet[Any]:
        """The visible rows of `queryset`; the schema is made for nobody and looks at none."""
        rows: QuerySet[Any] = super().get_queryset()
        if isinstance(rows, TenantScoped) and not getattr(self, "swagger_fake_view", False):
            return rows.visible_to(person_of(self.request))
        return rows


class RowList(VisibleRows, ListAPIView[Any]):
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
        rows = shown_to(request, self.serializer_class, self.shape(page or []))
        return self.get_paginated_response(rows)

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


class RowDetail(VisibleRows):
    """One row."""

    def shape(self, row: Any) -> Row:
        """The row as plain values."""
        raise NotImplementedError

    def get(self, request: Request, *_: Any, **__: Any) -> Response:
        """Reads it."""
        (row,) = shown_to(request, self.serializer_class, [self.shape(self.get_object())])
        return Response(row)


class TaggedDetail(Preconditions, RowDetail):
    """One row whose ETag stands for its intent: what If-Match guards. Observation changes without
    anybody's doing, so a GET is always answered in full."""

    answers_not_modified = False
