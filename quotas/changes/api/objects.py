"""The objects of a preview, page by page: a large one says more than fits into one answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from console.access.rights import person_of
from console.database.keyset import Page
from console.errors import DomainError
from console.numbers import whole_number
from console.rest.pagination import CursorPagination
from console.rest.views import READ, Row, RowList
from quotas.changes.filters import ObjectFilters
from quotas.changes.models import Proposal
from quotas.changes.rules.preview_document import object_json, preview_from
from quotas.changes.serializers import proposals as shapes


class ObjectPagination(CursorPagination):
    """Pages of a stored list. A cursor names the preview that it was made of, so that two pages
    never come from two previews."""

    def paginate_queryset(
        self, queryset: Any, request: Request, view: APIView | None = None
    ) -> list[Any]:
        """The rows from the cursor's number on; 409 when the preview was computed again since."""
        self.request = request
        size = self.size(request)
        version = getattr(view, "version", "")
        start = self._start(request.query_params.get("cursor", ""), version)
        after, before = start + size, max(start - size, 0)
        self.page = Page(
            rows=queryset[start:after],
            next=f"{version}-{after}" if after < len(queryset) else "",
            previous=f"{version}-{before}" if start else "",
        )
        return self.page.rows

    def _start(self, cursor: str, version: str) -> int:
        made, _, text = cursor.rpartition("-")
        if not cursor:
            return 0
        if (number := whole_number(text)) is None:
            raise DomainError(
                "invalid_cursor", "The cursor cannot be read.", field="cursor", status=400
            )
        if made != version:
            raise DomainError(
                "stale_preview",
                "The preview was computed again since the first page: start over.",
                field="cursor",
                status=409,
            )
        return number


class ObjectList(RowList):
    """What the preview of a proposal says about each object, in its order."""

    required_permissions: ClassVar = READ
    queryset = Proposal.objects.all()
    serializer_class = shapes.OBJECT
    filterset_class = ObjectFilters
    filter_backends = ()
    pagination_class = ObjectPagination
    version = ""

    @extend_schema(
        parameters=[
            OpenApiParameter("tenant", str, description="Slug of a tenant."),
            OpenApiParameter("target", str, description="Slug of a target."),
        ]
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Every object that the preview lists (at most 5,000; `objects_total` counts all). Empty
        while the preview is computed."""
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> Any:
        """The stored objects that match, as a list."""
        if getattr(self, "swagger_fake_view", False):
            return Proposal.objects.none()
        proposal = get_object_or_404(
            Proposal.objects.visible_to(person_of(self.request)), pk=self.kwargs["pk"]
        )
        self.version = proposal.fingerprint[:16]
        wanted = {
            name: self.request.query_params[name]
            for name in ("tenant", "target")
            if self.request.query_params.get(name)
        }
        preview = preview_from(proposal.preview)
        return [
            item
            for item in (preview.objects if preview else ())
            if all(getattr(item, name) == value for name, value in wanted.items())
        ]

    def shape(self, rows: Sequence[Any]) -> list[Row]:
        return [object_json(item) for item in rows]
