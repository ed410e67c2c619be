"""Kubernetes answers that are not a success, as our own errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson

from console.clients.foreign_words import foreign_words
from console.errors import Conflict, ExternalError, NotFound, Refused, Throttled, Unreachable

_MANAGER = re.compile(r'conflict with "([^"]*)"')
_CODES = {400: "invalid", 401: "unauthenticated", 403: "forbidden", 422: "invalid"}
_LONGEST_WAIT = 3600.0
_OF_GRPC = frozenset(
    {"code", "message", "error", "details", "grpc_code", "http_code", "http_status"}
)


class NoAnswer(Unreachable):
    """The connection itself failed: not one object's problem but the whole target's."""


def from_answer(
    what: str, status: int, body: bytes, headers: Mapping[str, str], *, of_grpc: bool = False
) -> ExternalError:
    """The typed error for an HTTP answer >= 300 to `what`, a phrase such as `apply Pod a/b`.
    `of_grpc`: who answers speaks gRPC behind a gateway, as the Argo server does."""
    answer = _status_object(body)
    message = f"{what}: {_message(answer, status, of_grpc=of_grpc)}"
    if status == 409:
        return _conflict(message, answer)
    if status == 404:
        return NotFound(message)
    if status == 429:
        return Throttled(message, retry_after=_retry_after(headers, answer) or 1.0)
    if status >= 500:
        return Unreachable(message, retry_after=_retry_after(headers, answer))
    if status == 410:
        return Refused(message, code="expired")
    if _has_cause(answer, "NamespaceTerminating"):
        return Refused(message, code="namespace_terminating")
    return Refused(message, code=_CODES.get(status, "refused"))


def from_exception(what: str, problem: Exception) -> ExternalError:
    """The typed error for a request that got no (complete) answer."""
    if isinstance(problem, aiohttp.ClientConnectorCertificateError):
        return Refused(f"{what}: the server's certificate is not trusted", code="tls")
    if isinstance(problem, TimeoutError):
        return NoAnswer(f"{what}: no answer in time")
    if isinstance(problem, ValueError) and not isinstance(problem, OSError):
        # Of what an address or a header may hold. What it was is not repeated: it may be a secret.
        return Refused(f"{what}: the address or the credential cannot be used", code="credential")
    reason = getattr(problem, "strerror", None) or type(problem).__name__
    return NoAnswer(f"{what}: {reason}")


def _status_object(body: bytes) -> dict[str, Any]:
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _message(answer: Mapping[str, Any], status: int, *, of_grpc: bool) -> str:
    """The server's own words where it answers as it should: an API server with a Status, the Argo
    server with code and message. Of whatever else there is, only its status is known."""
    text = answer.get("message")
    is_status = answer.get("kind") == "Status"
    has_shape = isinstance(answer.get("code"), int) and answer.keys() <= _OF_GRPC
    if isinstance(text, str) and text.strip() and (is_status or (of_grpc and has_shape)):
        return foreign_words(text)
    return f"HTTP {status}"


def _causes(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    causes = _details(answer).get("causes")
    return (
        [cause for cause in causes if isinstance(cause, dict)] if isinstance(causes, list) else []
    )


def _details(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    details = answer.get("details")
    return details if isinstance(details, dict) else {}


def _has_cause(answer: Mapping[str, Any], reason: str) -> bool:
    return any(cause.get("reason") == reason for cause in _causes(answer))


def _conflict(message: str, answer: Mapping[str, Any]) -> Conflict:
    owners = {}
    for cause in _causes(answer):
        if cause.get("reason") == "FieldManagerConflict":
            match = _MANAGER.search(str(cause.get("message", "")))
            owners[str(cause.get("field", ""))] = match[1] if match else "unknown"
    # "AlreadyExists" and a failed uid precondition are answers, not races.
    race = (
        not owners
        and answer.get("reason") == "Conflict"
        and "precondition" not in str(answer.get("message", "")).lower()
    )
    return Conflict(message, owners=owners, retryable=race)


def _retry_after(headers: Mapping[str, str], answer: Mapping[str, Any]) -> float | None:
    value = headers.get("Retry-After") or _details(answer).get("retryAfterSeconds")
    try:
        wait = max(0.0, float(value)) if value is not None else None
    except (TypeError, ValueError, OverflowError):
        return None  # an HTTP date: rare, and the caller's own pause is good enough
    return wait if wait is None or wait < _LONGEST_WAIT else _LONGEST_WAIT
