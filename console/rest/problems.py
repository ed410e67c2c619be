"""Refusals as problems (RFC 9457): one body for every error that a REST answer may be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied
from django.http import Http404
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import set_rollback

from console.error_pages import TOO_LARGE
from console.errors import DomainError, ExternalError
from console.pages.kept import kept_at
from console.request import current_request_id
from console.rest.renderers import FastJSONRenderer
from console.rest.tenant_view import is_tenants

log = structlog.get_logger(__name__)

# A name, not an address: RFC 9457 allows a URI that is only an identifier.
_TYPES = "urn:headroom:problem:"
PROBLEM = "application/problem+json"
"""The media type of a problem."""
# Of these the sentence names the field by itself.
_NAMING_CODES = {"unknown_field", "reason_required"}


class InvalidBody(exceptions.ValidationError):
    """422: fields of a body are not acceptable; the problem lists each by its path."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY


class TooLarge(exceptions.APIException):
    """413: the body is larger than what is taken."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"
    default_detail = "The body is larger than what is taken; send less at a time."


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


def problem_json(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler: every refusal is application/problem+json, whatever was asked for;
    a bug stays a bug."""
    request = context.get("request")
    if isinstance(error, Http404):
        error = _not_found(request)
    elif request is not None and isinstance(error, ExternalError) and is_tenants(request):
        error = _for_a_tenant(error)
    body, headers = _described(error)
    if body is None:
        return None
    set_rollback()
    if request is not None:
        request.accepted_renderer = FastJSONRenderer()
        request.accepted_media_type = FastJSONRenderer.media_type
    response = Response(body, status=body["status"], headers=headers)
    response.content_type = PROBLEM
    return response


def _not_found(request: Any) -> exceptions.NotFound:
    """The same words for what never was there, is not to be seen, or has been kept long enough."""
    words = [exceptions.NotFound.default_detail, kept_at(request.path) if request else ""]
    return exceptions.NotFound(" ".join(str(word) for word in words if word))


def _for_a_tenant(error: ExternalError) -> ExternalError:
    """The same decision without its words: they may name addresses, credentials, permissions."""
    log.info("problem.for_a_tenant", code=error.code, error=error.message)
    return ExternalError(
        "The engine of this run cannot be asked now; the people who run the platform can see why.",
        retryable=error.retryable,
        code="engine_unavailable",
        retry_after=error.retry_after,
    )


def _described(error: Exception) -> tuple[dict[str, Any] | None, dict[str, str]]:
    if isinstance(error, DomainError):
        return _domain(error), {}
    if isinstance(error, ExternalError):
        wait = {} if error.retry_after is None else {"Retry-After": str(int(error.retry_after) + 1)}
        return _external(error), wait
    if isinstance(error, TOO_LARGE):
        error = TooLarge()
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
            {"field": entry["field"], "code": entry["code"], "detail": entry["message"]}
            for entry in error.detail.get("problems", ())
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
        codes = {item["code"] for item in errors}
        return problem(
            # The codes of DRF's own checks say less than their sentences.
            code=codes.pop() if len(codes) == 1 and codes <= _NAMING_CODES else "invalid",
            title="Some fields are not valid",
            status_code=error.status_code,
            detail=" ".join(map(_sentence, errors[:5])),
            field=errors[0]["field"],
            errors=errors,
        )
    code = error.get_codes()
    return problem(
        code=code if isinstance(code, str) else error.default_code,
        title=str(error.default_detail).rstrip("."),
        status_code=error.status_code,
        detail=str(error.detail),
    )


def _sentence(item: dict[str, str]) -> str:
    named = item["code"] in _NAMING_CODES
    return item["detail"] if named else f"{item['field']}: {item['detail']}"


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
