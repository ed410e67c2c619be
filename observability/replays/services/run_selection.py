"""Which runs are replayed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from console.errors import DomainError
from observability.engines.contracts import Engine
from observability.jobs.models import JobRun
from observability.jobs.rules.query import parse
from observability.jobs.selectors.search import search_for
from observability.replays.services.replays import MOST_RUNS, is_replayable

_NEWEST_FIRST = ("-created_at", "-id")


def newest(user: Any, query: str, *, last: int) -> tuple[list[JobRun], str]:
    """The newest `last` Temporal runs that a search finds (of these, those that can be replayed),
    and the search in words. `user` None sees everything. Raises DomainError: `invalid_query`,
    `too_many_runs`."""
    if not 1 <= last <= MOST_RUNS:
        raise DomainError(
            "too_many_runs", f"last: {last} is not accepted; use 1 to {MOST_RUNS}.", field="last"
        )
    search = parse(query).without("engine").plus("engine", Engine.TEMPORAL.value)
    runs = JobRun.objects.all() if user is None else JobRun.objects.visible_to(user)
    newest_runs = search_for(search, now=timezone.now()).take(runs, _NEWEST_FIRST, last)
    return list(filter(is_replayable, newest_runs)), f"the newest {last} of {search}"


def by_id(user: Any, ids: Sequence[int]) -> list[JobRun]:
    """The runs with these ids. Raises DomainError("unknown_run") naming the first that `user`
    cannot see or that does not exist."""
    if len(ids) > MOST_RUNS:
        raise DomainError(
            "too_many_runs",
            f"runs: {len(ids)} are more than the {MOST_RUNS} of one replay.",
            field="runs",
        )
    runs = {run.pk: run for run in JobRun.objects.visible_to(user).filter(pk__in=ids)}
    for run_id in ids:
        if run_id not in runs:
            raise DomainError("unknown_run", f"runs: there is no run {run_id}.", field="runs")
    return list(runs.values())
