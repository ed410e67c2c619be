"""What is said about limits that cannot be: the words, without the catalogue."""

from __future__ import annotations

from typing import Final

from console.errors import DomainError

LONGEST_KEY: Final = 253
"""Characters: what a Kubernetes name can hold."""


def unknown_key(key: str, why: str) -> DomainError:
    """`key` cannot be the name of a limit, and `why` says so without a full stop."""
    return DomainError("invalid_limit_key", f"{key[:LONGEST_KEY]!r} {why}.", field=key)


def invalid_limit(key: str, why: str) -> DomainError:
    """The value given for the limit `key` cannot be, and `why` says so without a full stop; it may
    end with a question."""
    end = "" if why.endswith("?") else "."
    return DomainError("invalid_limit", f"{key}: {why}{end}", field=key)
