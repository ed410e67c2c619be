"""A pass over a target: what is stored, archived, counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from observability.engines.contracts import ChangePage, FailureKind, Hold, Status
from observability.ingest import reading
from observability.ingest.loop import read_once
from observability.ingest.reading import Read
from observability.jobs.models import ArchiveState, Attribution, IngestState, JobEvent, JobRun
from observability.jobs.services.archive import archived_document
from tenants.contracts import Unreadable
from tenants.models import Target
from tests.observability.jobs.factories import after, make_target
from tests.observability.jobs.fakes import ScriptedSource, event, history, look

pytestmark = pytest.mark.django_db(transaction=True)
Reading = Callable[[], Read]


def test_runs_and_their_events_become_rows(
    source: ScriptedSource, read: Reading, target: Target
) -> None:
    source.pages = [[look("a", events=(event(1), event(2)))], [look("b")]]
    done = read()
    assert (done.pages, done.runs, done.events) == (2, 2, 2)
    a, b = JobRun.objects.order_by("external_id")
    assert (a.status, a.event_count, a.key) == ("running", 2, "temporal/default/a/a-1")
    assert b.attribution == Attribution.NONE
    state = IngestState.objects.get(target=target)
    assert state.cursor == {"page": 2}
    assert (state.runs_read, state.events_read, state.caught_up) == (2, 2, True)


def test_pages_that_only_tell_of_silence_are_stored_now_and_then(
    source: ScriptedSource, read: Reading, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = source.changes

    def watched(**question: Any) -> Iterator[ChangePage]:
        return (replace(page, caught_up=True) for page in listed(**question))

    monkeypatch.setattr(source, "changes", watched)
    source.pages = [[look("a")], [], [], [look("b")], [], []]
    done = read()
    assert (done.pages, done.runs, done.caught_up) == (4, 2, True)
    assert IngestState.objects.get(target=target).cursor == {"page": 5}
    monkeypatch.setattr(reading, "QUIET_PAGES", 0.0)
    assert read().pages == 1
    assert IngestState.objects.get(target=target).cursor == {"page": 6}


def test_pages_with_something_that_cannot_be_read_are_stored_each(
    source: ScriptedSource, read: Reading
) -> None:
    source.pages = [[], [], []]
    source.unreadable = (Unreadable("Job", "acme", "odd", "its status is a list"),)
    assert read().pages == 3


def test_a_closed_run_is_fetched_and_archived(
    source: ScriptedSource, read: Reading, kept: Path
) -> None:
    source.pages = [[look("a", Status.SUCCEEDED, needs_history=True)]]
    source.histories = {"a": history(5, b'{"events": [1, 2]}')}
    done = read()
    run = JobRun.objects.get()
    assert (done.histories, run.event_count, run.history_through) == (1, 5, 5)
    assert (run.archive, run.history_due) == (ArchiveState.STORED, False)
    assert (kept / run.archive_path).is_file()
    assert archived_document(run).data == b'{"events": [1, 2]}'


def test_a_failure_that_is_over_leaves_the_row_whatever_comes_late(
    source: ScriptedSource, read: Reading
) -> None:
    failing = look("a", revision="2", failure="boom", failure_kind=FailureKind.APPLICATION)
    source.pages = [[failing]]
    read()
    assert JobRun.objects.values_list("failure", "failure_kind").get() == ("boom", "application")
    source.pages = [[failing], [look("a", revision="3", is_well=True)], [failing]]
    read()
    assert JobRun.objects.values_list("failure", "failure_kind").get() == ("", "")


def test_what_a_run_is_held_back_for_is_in_its_row(source: ScriptedSource, read: Reading) -> None:
    source.pages = [[look("a", Status.WAITING, hold=Hold(after(60), "cron"))], [look("a")]]
    read()
    assert JobRun.objects.get().hold == {"until": after(60).isoformat(), "reason": "cron"}


def test_reading_everything_again_changes_nothing(
    source: ScriptedSource, read: Reading, target: Target
) -> None:
    source.pages = [[look("a", Status.SUCCEEDED, needs_history=True, events=(event(9),))]]
    source.histories = {"a": history(3)}
    read()
    before = JobRun.objects.values().get()
    IngestState.objects.filter(target=target).update(cursor={})
    read()
    assert JobRun.objects.values().get() == before
    assert JobEvent.objects.count() == 4
    assert len(source.fetched) == 1


def test_one_target_that_cannot_be_understood_stops_no_other(
    source: ScriptedSource, target: Target
) -> None:
    other = make_target("other")
    source.pages = [[look("a")]]
    starts: list[str] = []

    def fail_at_first(step: str) -> None:
        starts.append(step)
        if len(starts) == 1:
            raise ValueError("what is this?")

    source.before = fail_at_first
    (failed,) = problems = read_once()
    assert problems[failed] == "Unexpected: ValueError: what is this?"
    assert IngestState.objects.get(target=failed).error == problems[failed]
    (well,) = {target.pk, other.pk} - {failed}
    assert JobRun.objects.get().target_id == well


def test_catching_up_takes_as_many_turns_as_it_needs(
    source: ScriptedSource, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "TURN", 0.0)
    names = [f"run-{number}" for number in range(7)]
    source.pages = [[look(name, Status.SUCCEEDED, needs_history=True)] for name in names]
    source.histories = {name: history(3) for name in names}
    assert read_once([target.slug]) == {}
    assert JobRun.objects.filter(archive=ArchiveState.STORED, history_due=False).count() == 7
    assert JobEvent.objects.count() == 21
    assert IngestState.objects.get(target=target).caught_up
