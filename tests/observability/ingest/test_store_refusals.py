"""Refusals in the rows: they count on, are found by who refuses, and are taken back when over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from observability.engines.contracts import DENIALS, EventKind, FailureKind, RunEvent, Status
from observability.ingest.reading import Read
from observability.jobs.models import JobEvent, JobRun
from observability.jobs.rules.query import parse
from observability.jobs.selectors.explorer import facets
from observability.jobs.selectors.search import KEY, search_for
from tests.observability.jobs.factories import after
from tests.observability.jobs.fakes import ScriptedSource, event, look

pytestmark = pytest.mark.django_db(transaction=True)
Reading = Callable[[], Read]


def denied(count: int, second: int, used: str) -> RunEvent:
    """A refusal as it is told after so many."""
    detail = {"count": count, "last_at": after(second).isoformat(), "used": {"cpu": used}}
    message = f"cpu: asked 2, used {used} of 4"
    return event(9, key="denied:1", kind=EventKind.DENIED, message=message, detail=detail)


def refused(revision: str, count: int, second: int, used: str) -> Any:
    """A look at a run that waits because it is refused."""
    refusal = denied(count, second, used)
    return look(
        "a",
        Status.WAITING,
        revision,
        failure=refusal.message,
        failure_kind=FailureKind.LIMIT_RANGE,
        attributes={DENIALS: {**refusal.detail, "words": refusal.message}},
        events=(refusal,),
    )


def found_by(text: str) -> list[str]:
    """The runs that a search finds."""
    runs = search_for(parse(text), now=after(99)).take(
        JobRun.objects.all(), [f"-{name}" for name in KEY], 10
    )
    return [run.external_id for run in runs]


def test_a_refusal_is_one_row_that_has_the_newest_amounts(
    source: ScriptedSource, read: Reading
) -> None:
    source.pages = [[refused("1", 1, 10, "4")], [refused("3", 41, 70, "3800m")]]
    read()
    row = JobEvent.objects.get()
    assert (row.message, row.detail["count"]) == ("cpu: asked 2, used 3800m of 4", 41)
    run = JobRun.objects.get()
    assert (run.event_count, run.failure) == (1, "cpu: asked 2, used 3800m of 4")
    assert run.attributes[DENIALS]["count"] == 41


def test_an_older_telling_of_a_refusal_changes_nothing(
    source: ScriptedSource, read: Reading
) -> None:
    source.pages = [[refused("3", 41, 70, "3800m")], [refused("1", 1, 10, "4")]]
    read()
    row = JobEvent.objects.get()
    assert (row.message, row.detail["count"]) == ("cpu: asked 2, used 3800m of 4", 41)


def test_an_open_run_is_found_by_who_refuses_it_until_it_is_let_in(
    source: ScriptedSource, read: Reading
) -> None:
    source.pages = [[refused("1", 1, 10, "4")]]
    read()
    assert found_by("failure:limit_range") == found_by("LimitRange") == ["a"]
    (kinds,) = [facet for facet in facets(parse(""), now=after(99)) if facet.name == "failure"]
    assert [(value.label, value.count) for value in kinds.values] == [("LimitRange", 1)]
    source.pages.append([look("a", revision="5", is_well=True)])
    read()
    assert found_by("failure:limit_range") == found_by("LimitRange") == []
    assert JobRun.objects.get().failure == ""
    source.pages.append([refused("1", 1, 10, "4")])  # late news
    read()
    assert JobRun.objects.get().failure == ""
