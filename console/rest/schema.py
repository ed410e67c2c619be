"""The OpenAPI schema's common parts: problems, preconditions and retries, said once for all; how
the token and the bodies of writes are described."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerExtension

_WRITES = ("post", "patch", "delete")
_WHY = {
    "400": "A parameter, the cursor or the JSON itself is not acceptable; `field` names it.",
    "401": "Nobody is signed in, or the token is unknown, expired or revoked.",
    "403": "The role does not include this.",
    "404": "There is no such thing.",
    "409": "Things are not as they were: taken, stale, over already, or moved on meanwhile.",
    "410": "It was removed before it could be kept.",
    "412": "It has changed since it was read.",
    "413": "The body is larger than what is taken (2.5 MiB).",
    "415": "Send JSON.",
    "422": "A field is not acceptable: the message names it, the value and what is right.",
    "428": "If-Match is missing.",
    "502": "A target refused.",
    "503": "A target cannot be reached, or the database is busy; see Retry-After.",
}
_TAGS = {
    "tenants": "Customers: on-boarding, suspension, plans, limits and headroom.",
    "placements": "Who is placed where, and what is enforced there.",
    "targets": "Clusters, Temporal namespaces, Argo Workflows and Celery brokers.",
    "plans": "Offers and their immutable versions.",
    "subscriptions": "Who had which plan version when.",
    "leases": "Limits that are changed for a time.",
    "overrides": "Limits of one tenant that differ from its plan.",
    "proposals": "The careful way: propose, read the preview, apply exactly that.",
    "preview": "The same without keeping anything.",
    "rollouts": "What is pushed, and how far it is.",
    "drift": "What somebody else changed.",
    "unreadable": "What could not be read on targets.",
    "jobs": "Runs of jobs on every engine, what happened to them, their histories.",
    "actions": "What was done to runs: cancel, terminate, signal and the like, one or many.",
    "replays": "Histories replayed with code, and whether the code still fits them.",
    "bundles": "Versions of workflow code that histories can be replayed with.",
}
_TEXT = {"type": "string"}
_PROBLEM = {
    "type": "object",
    "description": "RFC 9457. `code` is stable, `detail` is for people.",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": _TEXT,
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": _TEXT,
        "code": _TEXT,
        "request_id": _TEXT,
        "field": {**_TEXT, "description": "The input that is to blame."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "code", "detail"],
                "properties": {"field": _TEXT, "code": _TEXT, "detail": _TEXT},
            },
        },
        "context": {
            "type": "object",
            "additionalProperties": {},
            "description": "More for machines, such as `since` of a stale preview.",
        },
        "retryable": {"type": "boolean"},
    },
    "example": {
        "type": "urn:headroom:problem:reason_required",
        "title": "The request cannot be met",
        "status": 422,
        "detail": "Reason: say why; it is kept with the change.",
        "code": "reason_required",
        "request_id": "6f1c9f6e2b0d4a7d",
        "field": "reason",
        "errors": [{"field": "reason", "code": "reason_required", "detail": "Reason: say why."}],
    },
}
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "schema": _TEXT,
    "description": "The ETag of what was read, in its quotes.",
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "maxLength": 255},
    "description": "The same key and body within 24 hours gives the first answer again; 409 "
    "`request_in_flight` while there is none, `request_lost` when there will be none.",
}


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # drf-spectacular's registry is untyped
    """How the schema describes the token."""

    target_class = "console.access.tokens.TokenAuthentication"
    name = "token"

    def get_security_definition(
        self,
        auto_schema: Any,  # noqa: ARG002 - drf-spectacular's signature
    ) -> dict[str, Any]:
        """HTTP bearer."""
        return {"type": "http", "scheme": "bearer", "bearerFormat": "hr_…"}


class StrictBody(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]  # as above
    """A body that refuses a field that it does not know says so."""

    target_class = "console.rest.serializers.Body"
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        """The body's own schema, closed."""
        schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        return {**schema, "additionalProperties": False}


def document_manners(
    result: dict[str, Any],
    generator: Any,  # noqa: ARG001 - drf-spectacular's signature
    request: Any,  # noqa: ARG001 - drf-spectacular's signature
    public: bool,  # noqa: ARG001, FBT001 - drf-spectacular's signature
) -> dict[str, Any]:
    """Adds to every operation the problems it may answer with and the headers it takes."""
    result.setdefault("components", {}).setdefault("schemas", {})["Problem"] = _PROBLEM
    result["tags"] = [{"name": name, "description": text} for name, text in _TAGS.items()]
    for path, operations in result["paths"].items():
        for method, operation in operations.items():
            parameters = operation.setdefault("parameters", [])
            if method == "post":
                parameters.append(_IDEMPOTENCY_KEY)
            elif method in _WRITES:
                parameters.append(_IF_MATCH)
            for status in _statuses(path, method, operation):
                operation["responses"].setdefault(status, _problem(status))
    return result


def _statuses(path: str, method: str, operation: dict[str, Any]) -> Iterator[str]:
    yield from ("401", "403", "503")
    if operation.get("parameters") or method in _WRITES:
        yield "400"
    if "{" in path:
        yield "404"
    if method in _WRITES:
        yield from ("409", "422", "502")
    if path.endswith("/history/"):  # which an engine may be asked for
        yield from ("410", "422", "502")
    if "requestBody" in operation:
        yield from ("413", "415")
    if method in ("patch", "delete"):
        yield from ("412", "428")


def _problem(status: str) -> dict[str, Any]:
    body = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {"description": _WHY[status], "content": {"application/problem+json": body}}
