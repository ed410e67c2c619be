"""/api/: version 1 of every app by name, the schema, and a page to read and try it."""

from __future__ import annotations

from typing import Any, ClassVar

from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.views import APIView

from console.access.contracts import Permission
from console.access.rights import requires
from console.rest import schema  # noqa: F401 - registers how the schema describes our types
from console.rest.schema_view import SchemaView


class NoSuchAddress(APIView):
    """Whatever is below /api/ and is nothing: a problem, not a page."""

    required_permissions: ClassVar = dict.fromkeys(
        ("GET", "POST", "PUT", "PATCH", "DELETE"), Permission.VIEW
    )
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """404, once it is known who asks."""
        super().initial(request, *args, **kwargs)
        raise NotFound(f"There is nothing at {request.path}; every address ends with a slash.")


# The script comes from the same address, not inline: the Content-Security-Policy allows it.
_docs = requires(Permission.VIEW)(SpectacularSwaggerSplitView.as_view(url_name="schema"))

urlpatterns = [
    path("v1/", include("tenants.api_urls")),
    path("v1/", include("quotas.plans.api_urls")),
    path("v1/", include("quotas.changes.api_urls")),
    path("v1/", include("quotas.enforcement.api_urls")),
    path("v1/", include("observability.usage.api_urls")),
    path("v1/", include("observability.replays.api_urls")),
    path("v1/", include("observability.actions.api_urls")),
    path("v1/", include("observability.jobs.api_urls")),
    path("v1/schema/", SchemaView.as_view(), name="schema"),
    path("docs/", _docs, name="api_docs"),
    re_path(r"^", NoSuchAddress.as_view()),
]
