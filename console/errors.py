"""The two families of errors. Every edge (HTML, REST, Celery, commands) maps each family once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from console.unstructured import clean


class DomainError(Exception):
    """A request that cannot be met, in words that are safe to show to whoever asked.

    `code` is stable and machine readable (`snake_case`), `message` names the field, the value and
    what would be right, `status` is the HTTP status that fits, `field` the offending input if one
    is to blame, and `detail` holds further plain values for REST clients.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        field: str = "",
        status: int = 422,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.status = status
        self.detail = dict(detail or {})


class ExternalError(Exception):
    """An outside system did not do what was asked. `retryable` carries the retry decision.

    `retry_after` is in seconds when the system said how long to wait.
    """

    def __init__(
        self,
        message: str,
        *,
        retryable: bool,
        code: str = "external_error",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.retryable = retryable
        self.code = code
        self.retry_after = retry_after


class Unreachable(ExternalError):
    """The system could not be reached or did not answer in time; it may come back by itself."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message, retryable=True, code="unreachable", retry_after=retry_after)


class OutOfTime(Unreachable):
    """The request for which it was asked could not wait any longer; nothing is said of the system
    itself, which may only be slow."""


class Throttled(ExternalError):
    """The system asked us to slow down (HTTP 429, RESOURCE_EXHAUSTED)."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message, retryable=True, code="throttled", retry_after=retry_after)


class Conflict(ExternalError):
    """Someone else owns what we wanted to write. `owners` maps a field path to its owner's name.

    `retryable` is true for a plain "object has been modified" race, false for a field that another
    manager owns: that one is for a person to decide.
    """

    def __init__(
        self, message: str, *, owners: Mapping[str, str] | None = None, retryable: bool = False
    ) -> None:
        super().__init__(message, retryable=retryable, code="conflict")
        self.owners = dict(owners or {})


class Refused(ExternalError):
    """The system said no (invalid, forbidden, not supported); repeating is useless."""

    def __init__(self, message: str, *, code: str = "refused") -> None:
        super().__init__(message, retryable=False, code=code)


class NotFound(Refused):
    """What was named does not exist there."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="not_found")


_LONGEST_REASON = 200


class Unexpected(ExternalError):
    """A mistake of ours in dealing with one thing outside. Whoever makes one of an exception logs
    its traceback; trying again will not mend it."""

    def __init__(self, error: Exception) -> None:
        reason = clean(str(error)[:_LONGEST_REASON]).strip()
        message = f"Unexpected {type(error).__name__}{f': {reason}' if reason else ''}."
        super().__init__(f"{message} The log has the traceback.", retryable=False, code="error")


def own(error: Exception) -> ExternalError:
    """The error of one of our families that stands for any."""
    return error if isinstance(error, ExternalError) else Unexpected(error)
