"""Refusals in the words of kube-apiserver: each becomes a `Status` object and an HTTP status."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from deploy.emulators.kubernetes.kinds import Kind, Obj


@dataclass(frozen=True, slots=True)
class Cause:
    """One wrong field: `text` is the part of the message behind the field's path."""

    field: str
    reason: str
    text: str


class ApiError(Exception):
    """A refusal of a request; `headers` go out with the answer."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: Obj | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.headers = headers or {}

    def status(self) -> Obj:
        """Return the `Status` object that the client gets."""
        body: Obj = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            body["reason"] = self.reason
        if self.details is not None:
            body["details"] = self.details
        body["code"] = self.code
        return body


def _details(kind: Kind, name: str, *, by_kind: bool = False) -> Obj:
    details = {"name": name, "group": kind.group, "kind": kind.name if by_kind else kind.plural}
    return {key: value for key, value in details.items() if value}


def not_found(kind: Kind, name: str) -> ApiError:
    """404 for one object."""
    message = f'{kind.qualified} "{name}" not found'
    return ApiError(404, "NotFound", message, details=_details(kind, name))


def no_such_path() -> ApiError:
    """404 for a URL that names no resource."""
    message = "the server could not find the requested resource"
    return ApiError(404, "NotFound", message, details={})


def already_exists(kind: Kind, name: str) -> ApiError:
    """409 for a name that is taken."""
    message = f'{kind.qualified} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, details=_details(kind, name))


def modified(kind: Kind, name: str) -> ApiError:
    """409 for a stale resourceVersion."""
    return cannot_fulfil(
        kind,
        name,
        "the object has been modified; please apply your changes to the latest version "
        "and try again",
    )


def cannot_fulfil(kind: Kind, name: str, why: str) -> ApiError:
    """409 for an operation that the object's state does not allow."""
    message = f'Operation cannot be fulfilled on {kind.qualified} "{name}": {why}'
    return ApiError(409, "Conflict", message, details=_details(kind, name))


def bad_request(message: str) -> ApiError:
    """400."""
    return ApiError(400, "BadRequest", message)


def forbidden(
    kind: Kind, name: str, why: str, *, causes: list[dict[str, Any]] | None = None
) -> ApiError:
    """403 by access rules or by admission."""
    subject = f'{kind.qualified} "{name}"' if name else kind.qualified
    details = _details(kind, name)
    if causes:
        details["causes"] = causes
    return ApiError(403, "Forbidden", f"{subject} is forbidden: {why}", details=details)


def unauthorized() -> ApiError:
    """401."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def invalid(kind: Kind, name: str, causes: Sequence[Cause]) -> ApiError:
    """422 with every wrong field."""
    texts = [f"{cause.field}: {cause.text}" for cause in causes]
    listed = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    shown = f"{kind.name}.{kind.group}" if kind.group else kind.name
    details = _details(kind, name, by_kind=True)
    details["causes"] = _listed(causes)
    return ApiError(422, "Invalid", f'{shown} "{name}" is invalid: {listed}', details=details)


def invalid_options(cause: Cause) -> ApiError:
    """422 for wrong query parameters of a PATCH."""
    details = {"group": "meta.k8s.io", "kind": "PatchOptions", "causes": _listed([cause])}
    message = f'PatchOptions.meta.k8s.io "" is invalid: {cause.field}: {cause.text}'
    return ApiError(422, "Invalid", message, details=details)


def invalid_patch(cause: Cause) -> ApiError:
    """422 for a patch whose outcome cannot be read."""
    message = f' "" is invalid: {cause.field}: {cause.text}'
    return ApiError(422, "Invalid", message, details={"causes": _listed([cause])})


def _listed(causes: Sequence[Cause]) -> list[Obj]:
    return [
        {"reason": cause.reason, "message": cause.text, "field": cause.field} for cause in causes
    ]


def expired(message: str) -> ApiError:
    """410 for a list or a watch that starts from a forgotten version."""
    return ApiError(410, "Expired", message)


def value_invalid(field: str, value: str, why: str) -> Cause:
    """Return the cause for a value that is not allowed; `value` as the server quotes it."""
    return Cause(field, "FieldValueInvalid", f"Invalid value: {value}: {why}")


def value_required(field: str, why: str = "") -> Cause:
    """Return the cause for a missing value."""
    return Cause(field, "FieldValueRequired", f"Required value: {why}" if why else "Required value")
