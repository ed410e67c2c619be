"""What every REST endpoint shares: problems (RFC 9457), cursor pages, preconditions.

    class TenantList(Idempotent, ListCreateAPIView):         # from console.access.api
        required_permissions = {"GET": Permission.VIEW, "POST": Permission.ADMINISTER}
        cursor_key = ("slug",)                               # unique together, never null, indexed
    class TenantDetail(Preconditions, RetrieveUpdateAPIView): # ETag on GET, If-Match on writes
        def etag_of(self, instance): return f"{instance.pk}-{instance.generation}"

`Preconditions` needs nothing more for generic views that use `get_object`; others call
`self.check_match(instance)` before they write and `self.tagged(response, instance)` after.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404
from rest_framework import exceptions, status
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView, set_rollback

from console.errors import DomainError, ExternalError
from console.request import current_request_id
from console.selectors import keyset_page

# A name, not an address: RFC 9457 allows a URI that is only an identifier.
_TYPES = "urn:headroom:problem:"
_PROBLEM = "application/problem+json"


def problem(
    *, code: str, title: str, status_code: int, detail: str, **extra: Any
) -> dict[str, Any]:
    """The body of a problem. `code` is stable; `detail` is for people."""
    return {
        "type": f"{_TYPES}{code}",
        "title": title,
        "status": status_code,
        "detail": detail,
        "code": code,
        "request_id": current_request_id.get(),
        **extra,
    }


def problem_json(
    error: Exception,
    context: dict[str, Any],  # noqa: ARG001 - DRF's signature
) -> Response | None:
    """DRF's exception handler: every refusal is application/problem+json; a bug stays a bug."""
    body, headers = _described(error)
    if body is None:
        return None
    set_rollback()
    response = Response(body, status=body["status"], headers=headers)
    response.content_type = _PROBLEM
    return response


def _described(error: Exception) -> tuple[dict[str, Any] | None, dict[str, str]]:
    if isinstance(error, DomainError):
        return _domain(error), {}
    if isinstance(error, ExternalError):
        wait = {} if error.retry_after is None else {"Retry-After": str(int(error.retry_after) + 1)}
        return _external(error), wait
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied(str(error) or None)
    if isinstance(error, exceptions.APIException):
        return _framework(error), _headers(error)
    return None, {}


def _domain(error: DomainError) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    if error.field:
        extra["field"] = error.field
        extra["errors"] = [
            {"field": each["field"], "code": each["code"], "detail": each["message"]}
            for each in error.detail.get("problems", ())
        ] or [{"field": error.field, "code": error.code, "detail": error.message}]
    if error.detail:
        extra["context"] = error.detail
    return problem(
        code=error.code,
        title="The request cannot be met",
        status_code=error.status,
        detail=error.message,
        **extra,
    )


def _external(error: ExternalError) -> dict[str, Any]:
    return problem(
        code=error.code,
        title="An outside system did not do what was asked",
        status_code=status.HTTP_503_SERVICE_UNAVAILABLE
        if error.retryable
        else status.HTTP_502_BAD_GATEWAY,
        detail=error.message,
        retryable=error.retryable,
    )


def _framework(error: exceptions.APIException) -> dict[str, Any]:
    if isinstance(error, exceptions.ValidationError):
        errors = list(_flat("", error.get_full_details()))
        return problem(
            code="invalid",
            title="Some fields are not valid",
            status_code=status.HTTP_400_BAD_REQUEST,
            detail="; ".join(f"{item['field']}: {item['detail']}" for item in errors[:5]),
            errors=errors,
        )
    code = error.get_codes()
    return problem(
        code=code if isinstance(code, str) else error.default_code,
        title=str(error.default_detail).rstrip("."),
        status_code=error.status_code,
        detail=str(error.detail),
    )


def _flat(path: str, details: Any) -> Iterator[dict[str, str]]:
    """DRF's nested details as a flat list; a field is a dotted path, list items by index."""
    if isinstance(details, dict) and set(details) == {"message", "code"}:
        name = path.removesuffix(".non_field_errors") or "non_field_errors"
        yield {"field": name, "code": str(details["code"]), "detail": str(details["message"])}
    elif isinstance(details, dict):
        for key, value in details.items():
            yield from _flat(f"{path}.{key}" if path else str(key), value)
    else:
        is_leaf = all(isinstance(i, dict) and set(i) == {"message", "code"} for i in details)
        for index, value in enumerate(details):
            yield from _flat(path if is_leaf else f"{path}.{index}", value)


def _headers(error: exceptions.APIException) -> dict[str, str]:
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait))
    return headers


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
        if not (sent.isascii() and sent.isdigit() and 1 <= int(sent) <= self.max_size):
            raise DomainError(
                "invalid_page_size",
                f"page_size is a whole number from 1 to {self.max_size}, not {sent[:20]!r}.",
                field="page_size",
                status=400,
            )
        return int(sent)

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
