"""Searches that a person keeps under a name."""

from __future__ import annotations

from typing import Final

from console.access.models import SavedLink, User
from console.errors import DomainError
from observability.jobs.rules.query import parse

PLACE: Final = "jobs"
LONGEST: Final = 1_000


def keep(*, user: User, name: str, query: str) -> SavedLink:
    """Saves a search; one of the same name is replaced. Times such as since:2h stay relative.

    Raises DomainError: `invalid_query`, `nothing_to_save`, `too_many_saved`,
    `too_long_to_save`.
    """
    text = str(parse(query))
    if not text:
        raise DomainError("nothing_to_save", "Search for something first, then save it.", field="q")
    if len(text) > LONGEST:
        raise DomainError(
            "too_long_to_save",
            f"The search has {len(text)} characters; at most {LONGEST} can be saved.",
            field="q",
        )
    own = SavedLink.objects.of(user, place=PLACE)
    if not own.filter(name=name).exists() and own.count() >= SavedLink.MOST:
        raise DomainError(
            "too_many_saved",
            f"{SavedLink.MOST} searches are saved, which is the most; remove one first.",
            field="name",
        )
    saved, _ = SavedLink.objects.update_or_create(
        user=user, place=PLACE, name=name, defaults={"query": text}
    )
    return saved


def remove(*, user: User, pk: int) -> str:
    """Forgets one of a person's own searches: its query, empty when there is no such one."""
    own = SavedLink.objects.of(user, place=PLACE).filter(pk=pk)
    query = own.values_list("query", flat=True).first() or ""
    own.delete()
    return query
