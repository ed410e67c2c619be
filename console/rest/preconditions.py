"""Preconditions: an ETag on what is read, If-Match on what is written (428, 412).

    class TenantDetail(Preconditions, RetrieveUpdateAPIView):
        def etag_of(self, instance): return f"{instance.pk}-{instance.generation}"

`Preconditions` needs nothing more for generic views that use `get_object`; others call
`self.check_match(instance)` before they write and `self.tagged(response, instance)` after.
"""

from __future__ import annotations

import hashlib
from typing import Any

from django.db.models import Model
from rest_framework import exceptions, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


def tag(*texts: str) -> str:
    """A short digest of texts, for an ETag."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


class PreconditionRequired(exceptions.APIException):
    """428: a write without If-Match could overwrite what somebody else just wrote."""

    status_code = 428
    default_code = "precondition_required"
    default_detail = "Send If-Match with the ETag of what you read."


class PreconditionFailed(exceptions.APIException):
    """412: it has changed since it was read."""

    status_code = status.HTTP_412_PRECONDITION_FAILED
    default_code = "precondition_failed"
    default_detail = "It has changed since you read it; read it again."


class Preconditions(APIView):
    """ETag on every answer about one object, If-Match on PUT, PATCH and DELETE (428, 412)."""

    answers_not_modified = True
    """Whether the ETag covers all of the answer, so that If-None-Match may get a 304."""

    def etag_of(self, instance: Any) -> str:
        """The version of an object, without quotes; changes whenever a client may care."""
        raise NotImplementedError

    def get_object(self) -> Any:
        """The object, with its precondition checked when this request writes."""
        instance = super().get_object()  # type: ignore[misc]  # a generic view stands behind
        if self.request.method in {"PUT", "PATCH", "DELETE"}:
            self.check_match(instance)
        self._instance = instance
        return instance

    def check_match(self, instance: Any) -> None:
        """Raises 428 without If-Match and 412 when it names another version."""
        sent = self.request.headers.get("If-Match")
        if sent is None:
            raise PreconditionRequired
        tags = {tag.strip() for tag in sent.split(",")}
        if "*" not in tags and f'"{self.etag_of(instance)}"' not in tags:
            raise PreconditionFailed

    def tagged(self, response: Response, instance: Any) -> Response:
        """The response with the object's ETag."""
        response["ETag"] = f'"{self.etag_of(instance)}"'
        return response

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        """Adds the ETag of what `get_object` gave, after a successful read or write."""
        response = super().finalize_response(request, response, *args, **kwargs)
        instance = getattr(self, "_instance", None)
        if response.status_code < 300 and isinstance(instance, Model) and instance.pk is not None:
            response = self.tagged(response, instance)
            known = self.answers_not_modified and request.headers.get("If-None-Match")
            if request.method == "GET" and known == response["ETag"]:
                response.status_code, response.data = status.HTTP_304_NOT_MODIFIED, None
        return response
