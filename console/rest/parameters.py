"""Query parameters that lists of several apps take."""

from __future__ import annotations

from datetime import UTC, datetime

from console.errors import DomainError


def moment_of(text: str, *, field: str) -> datetime:
    """A moment as a query parameter says it, in UTC. A `+` that arrived as a space is understood.

    Raises DomainError("invalid_moment", 400) naming the field.
    """
    try:
        moment = datetime.fromisoformat(text.strip().replace(" ", "+"))
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise DomainError(
        "invalid_moment",
        f"{field}: {text[:80]!r} is not a moment; use ISO 8601 with its zone, such as "
        "2026-11-22T18:00:00Z.",
        field=field,
        status=400,
    )
