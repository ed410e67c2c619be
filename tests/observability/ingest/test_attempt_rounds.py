"""Attempts that are counted from one again, in the rows."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from observability.engines.contracts import AttemptRound, RunEvent
from observability.ingest.reading import Read
from observability.jobs.models import JobEvent, JobRun
from tests.observability.jobs.factories import after
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
