"""Runs with thousands of events: those in the middle are one line, of any number of readings."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from observability.engines.celery.runs import Fold
from observability.engines.contracts import RunSnapshot
from observability.ingest.folding import FIRST, FOLDED
from observability.ingest.reading import Read
from observability.jobs.models import IngestState, JobRun
from tenants.models import Target
from tests.observability.engines.celery.event_listener import Rows, event, received
from tests.observability.jobs.factories import make_target
from tests.observability.jobs.fakes import ScriptedSource

MOST = 800
"""Events of one run on Celery, see observability/engines/celery/features.py."""


@pytest.fixture
def target(db: None) -> Target:
    """A Celery app: its engine keeps nothing."""
    return make_target("app", "celery")


def retries(first: int, last: int) -> list[RunSnapshot]:
    """The attempts of a task that is tried again every second."""
    fold = Fold("sample")
    events = [
        made
        for number in range(first, last)
        for made in (
            received(number, retries=number),
            event("task-started", number + 0.1),
            event("task-retried", number + 0.2, exception="ValueError('not yet')"),
        )
    ]
    return fold.runs(events, Rows())


def in_pieces(number: int, size: int) -> Iterator[list[RunSnapshot]]:
    for start in range(0, number, size):
        yield retries(start, start + size)


@pytest.mark.parametrize("size", [50, 4000])
def test_a_task_that_was_retried_thousands_of_times_has_a_bounded_page(
    source: ScriptedSource, read: Callable[[], Read], size: int
) -> None:
    source.pages = list(in_pieces(4000, size))
    read()
    run = JobRun.objects.get()
    assert run.attempts == 4000
    assert run.event_count == run.events.count() <= MOST
    attempts = list(
        run.events.exclude(key=FOLDED).order_by("seq").values_list("attempt", flat=True)
    )
    assert attempts[:FIRST] == [1 + number // 3 for number in range(FIRST)]
    assert attempts[-3:] == [4000, 4000, 4000]
    assert len(attempts) > MOST // 3
    fold = run.events.get(key=FOLDED)
    assert fold.detail["events"] == 12_000 - len(attempts)
    assert f"{fold.detail['events']:,} events are folded here, attempts 34 to" in fold.title
    assert IngestState.objects.get().events_read == 12_000


def test_what_is_read_again_is_folded_again(
    source: ScriptedSource, read: Callable[[], Read]
) -> None:
    source.pages = [retries(0, 1000), retries(0, 1000)]
    read()
    run = JobRun.objects.get()
    assert run.event_count == run.events.count() <= MOST
    assert run.events.filter(key=FOLDED).count() == 1
    assert run.events.latest("seq").attempt == 1000


def test_an_engine_that_keeps_its_history_is_left_alone(
    source: ScriptedSource, read: Callable[[], Read], target: Target
) -> None:
    Target.objects.filter(pk=target.pk).update(kind="temporal")
    source.pages = [retries(0, 1000)]
    read()
    assert JobRun.objects.get().event_count == 3000
