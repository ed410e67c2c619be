"""What the list of runs can be filtered by over REST: the chips of the explorer's search box."""

from __future__ import annotations

from typing import Any

import django_filters as df
from django.db.models import QuerySet

from observability.jobs.rules.query import CHIPS


def _chip(name: str) -> df.CharFilter:
    text = CHIPS[name]
    return df.CharFilter(label=f"{text[0].upper()}{text[1:]}.")


class RunFilters(df.FilterSet):
    """Names and descriptions for the schema; observability.jobs.selectors.search does the rest."""

    q = df.CharFilter(label="The explorer's search box: words, “texts” and chips.")
    updated_since = df.CharFilter(
        label="Only runs whose row changed at this moment or later (ISO 8601), in the order of "
        "their last change: for keeping a copy. Ask again from half a minute before the last "
        "`updated_at` that you have, since what was being written then may have come after it: a "
        "run may come twice, and none is missed.",
    )
    tenant = _chip("tenant")
    engine = _chip("engine")
    status = _chip("status")
    type = _chip("type")
    target = _chip("target")
    queue = _chip("queue")
    place = _chip("place")
    worker = _chip("worker")
    id = _chip("id")
    failure = _chip("failure")
    since = _chip("since")
    until = _chip("until")
    took = _chip("took")

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Leaves it to the view: how rows are found depends on the page."""
        return queryset
