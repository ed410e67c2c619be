"""Cursor pages of REST lists, by keyset: as quick on the last page as on the first.

class TenantList(Idempotent, ListCreateAPIView):         # from console.access.idempotency
    required_permissions = {"GET": Permission.VIEW, "POST": Permission.ADMINISTER}
    cursor_key = ("slug",)                               # unique together, never null, indexed
"""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

from console.database.keyset import keyset_page
from console.errors import DomainError
from console.numbers import whole_number


class CursorPagination(BasePagination):
    """Keyset pages. The view's `cursor_key` names columns that are unique together and not null
    (default: id); `cursor_descending` turns the order; `take` is keyset_page's. `page_size` is at
    most 500.
    """

    max_size = 500
    default_size = 50

    def paginate_queryset(
        self,
        queryset: QuerySet[Any],
        request: Request,
        view: APIView | None = None,
    ) -> list[Any]:
        """One page of rows; an unreadable cursor or size is a 400 problem."""
        self.request = request
        self.page = keyset_page(
            queryset,
            cursor=request.query_params.get("cursor", ""),
            key=getattr(view, "cursor_key", ("id",)),
            size=self.size(request),
            descending=getattr(view, "cursor_descending", False),
            take=getattr(view, "take", None),
        )
        return self.page.rows

    def size(self, request: Request) -> int:
        """The page size asked for, 1 to 500."""
        sent = request.query_params.get("page_size", str(self.default_size))
        size = whole_number(sent)
        if size is None or not 1 <= size <= self.max_size:
            raise DomainError(
                "invalid_page_size",
                f"page_size is a whole number from 1 to {self.max_size}, not {sent[:20]!r}.",
                field="page_size",
                status=400,
            )
        return size

    def get_paginated_response(self, data: Any) -> Response:
        """{next, previous, results}; next and previous are URLs or null."""
        return Response(
            {
                "next": self._link(self.page.next),
                "previous": self._link(self.page.previous),
                "results": data,
            }
        )

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The envelope, for the OpenAPI schema."""
        link = {"type": "string", "format": "uri", "nullable": True}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }

    def get_schema_operation_parameters(
        self,
        view: Any,  # noqa: ARG002 - drf-spectacular's signature
    ) -> list[dict[str, Any]]:
        """The two query parameters, for the OpenAPI schema."""
        size = {"type": "integer", "minimum": 1, "maximum": self.max_size, "default": 50}
        return [
            {"name": "cursor", "in": "query", "schema": {"type": "string"}, "required": False,
             "description": "Opaque; from `next` or `previous` of another page."},
            {"name": "page_size", "in": "query", "schema": size, "required": False,
             "description": "Rows on a page."},
        ]  # fmt: skip

    def _link(self, cursor: str) -> str | None:
        if not cursor:
            return None
        return replace_query_param(self.request.build_absolute_uri(), "cursor", cursor)
