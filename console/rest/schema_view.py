"""The OpenAPI document: made once per process, at its start, and served."""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.request import Request
from rest_framework.response import Response

_lock = threading.Lock()


def document() -> dict[str, Any]:
    """The document, the same for everybody. The generator works on the views' own classes: two at
    once would disturb each other, so the second waits for what the first makes."""
    with _lock:
        return _made()


class SchemaView(SpectacularAPIView):
    """The OpenAPI schema, as YAML or (`?format=json`) as JSON."""

    @extend_schema(exclude=True)
    def get(self, request: Request, *_: Any, **__: Any) -> Response:
        """The document."""
        kind = "json" if "json" in str(request.accepted_media_type) else "yaml"
        headers = {"Content-Disposition": f'inline; filename="headroom-api.{kind}"'}
        return Response(document(), headers=headers)


@cache
def _made() -> dict[str, Any]:
    made: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]  # drf-spectacular's
    return made
