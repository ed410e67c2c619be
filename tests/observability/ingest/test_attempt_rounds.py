"""Attempts that are counted from one again, in the rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from observability.engines.contracts import AttemptRound, RunEvent
from observability.ingest.attempt_rounds import with_rounds
from observability.ingest.reading import Read
from observability.jobs.models import JobEvent, JobRun
from tests.observability.jobs.factories import after, make_events, make_run
from tests.observability.jobs.fakes import ScriptedSource, event, look

pytestmark = pytest.mark.django_db(transaction=True)


def attempt(number: int, second: int, how: AttemptRound = AttemptRound.BY_TIME) -> RunEvent:
    return event(5, key=f"a{number}", at=after(second), attempt=number, attempt_round=how)


def test_both_rounds_are_stored_once_and_in_their_order(
    source: ScriptedSource, read: Callable[[], Read]
) -> None:
    looks = [
        (attempt(1, 10),),
        (attempt(1, 10), attempt(2, 20)),
        (attempt(1, 40),),
        (attempt(1, 40), attempt(2, 50), attempt(3, 60)),
        (attempt(3, 61, AttemptRound.NEWEST), attempt(4, 70, AttemptRound.NEWEST)),
    ]
    source.pages = [[look("a", revision=str(n), events=events)] for n, events in enumerate(looks)]
    read()
    rows = JobEvent.objects.order_by("seq", "key").values_list("attempt", "at")
    seconds = [(1, 10), (2, 20), (1, 40), (2, 50), (3, 60), (4, 70)]
    assert list(rows) == [(number, after(second)) for number, second in seconds]
    assert JobRun.objects.get().event_count == 6


def test_steps_have_rounds_of_their_own(source: ScriptedSource, read: Callable[[], Read]) -> None:
    other = event(9, key="a1", at=after(10), attempt_round=AttemptRound.BY_TIME)
    looks = [(attempt(1, 10), other), (attempt(1, 40), other)]
    source.pages = [[look("a", revision=str(n), events=events)] for n, events in enumerate(looks)]
    read()
    rows = JobEvent.objects.order_by("seq", "key").values_list("seq", "key")
    assert list(rows) == [(5, "a1"), (5, "b0001/a1"), (9, "a1")]


def test_many_runs_take_as_many_queries_as_few(django_assert_num_queries: Any) -> None:
    runs = [make_run() for _ in range(40)]
    for run in runs:
        make_events(run, [attempt(1, 10), replace(attempt(1, 30), key="b0001/a1")])
    for number in (2, 40):
        with django_assert_num_queries(2):
            pairs = list(with_rounds([(run, [attempt(1, 50)]) for run in runs[:number]]))
        assert [[event.key for event in events] for _, events in pairs] == [["b0002/a1"]] * number
