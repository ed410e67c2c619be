"""Removing old rows a few at a time: nothing holds a lock for long, and nothing counts a table."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Any, Final

from django.db import transaction
from django.db.models import QuerySet

CHUNK: Final = 500
"""Rows that go in one transaction."""


def prune(
    rows: QuerySet[Any],
    *,
    until: float,
    before: Callable[[Collection[Any]], object] | None = None,
    size: int = CHUNK,
) -> int:
    """Deletes rows by their primary key, a chunk in each transaction, until none is left or
    `until` (time.monotonic) has come; how many went. `before` is given the keys of a chunk and
    deletes what belongs to it."""
    removed = 0
    while time.monotonic() < until:
        with transaction.atomic():
            # Locked, so that nobody takes one up again that is about to go.
            chunk = rows.order_by("pk").select_for_update(of=("self",), skip_locked=True)
            keys = list(chunk.values_list("pk", flat=True)[:size])
            if keys:
                if before is not None:
                    before(keys)
                rows.model._base_manager.filter(pk__in=keys).delete()
        removed += len(keys)
        if len(keys) < size:
            break
    return removed


def prune_of(rows: QuerySet[Any], field: str) -> Callable[[Collection[Any]], object]:
    """For `before`: deletes the rows whose `field` is one of the keys, a chunk at a time too."""

    def theirs(keys: Collection[Any]) -> QuerySet[Any]:
        return rows.filter(**{f"{field}__in": keys})

    def remove(keys: Collection[Any]) -> None:
        while parts := list(theirs(keys).values_list("pk", flat=True)[:CHUNK]):
            rows.filter(pk__in=parts).delete()

    return remove
