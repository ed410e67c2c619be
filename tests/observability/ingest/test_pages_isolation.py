"""A run that we stumble over costs that run only: its neighbours and its page are stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from observability.engines.contracts import Status
from observability.ingest.event_rows import event_rows
from observability.ingest.reading import Read
from observability.ingest.rules.merge import state_of
from observability.jobs.models import IngestState, JobEvent, JobRun
from tenants.contracts import Unreadable
from tenants.models import Target, UnreadableObject
from tests.observability.jobs.fakes import ScriptedSource, event, history, look

pytestmark = pytest.mark.django_db
Reading = Callable[[], Read]
BAD = "b"


def _looks(*names: str, **more: Any) -> list[Any]:
    return [look(name, events=(event(1),), **more) for name in names]


def test_a_run_that_cannot_be_merged_is_counted_and_its_page_stored(
    source: ScriptedSource, read: Reading, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumbles(snapshot: Any, **kwargs: Any) -> Any:
        if snapshot.external_id == BAD:
            raise KeyError("metadata")
        return state_of(snapshot, **kwargs)

    monkeypatch.setattr("observability.ingest.store.state_of", stumbles)
    source.pages = [_looks("a", BAD, "c"), _looks("d")]
    done = read()
    assert sorted(JobRun.objects.values_list("external_id", flat=True)) == ["a", "c", "d"]
    assert JobEvent.objects.count() == 3
    assert done.events == 3
    state = IngestState.objects.get()
    assert (state.error, state.events_read) == ("", 3)
    assert state.cursor  # it went on
    (row,) = UnreadableObject.objects.all()
    assert (row.target, row.kind, row.location, row.name, row.problem) == (
        target, "temporal run", "default", BAD,
        "Unexpected KeyError: 'metadata'. The log has the traceback.",
    )  # fmt: skip


def test_a_history_that_cannot_be_merged_is_said_to_be_unreadable(
    source: ScriptedSource, read: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumbles(run_id: int, events: Any, masker: Any) -> Any:
        if JobRun.objects.get(pk=run_id).external_id == BAD:
            raise KeyError("metadata")
        return event_rows(run_id, events, masker)

    source.pages = [[look(name, Status.SUCCEEDED, needs_history=True) for name in ("a", BAD, "c")]]
    source.histories = {name: history(2) for name in ("a", BAD, "c")}
    monkeypatch.setattr("observability.ingest.store.event_rows", stumbles)
    read()
    rows = {run.external_id: run for run in JobRun.objects.all()}
    assert [rows[name].event_count for name in ("a", BAD, "c")] == [2, 0, 2]
    assert rows[BAD].history_error == "The history cannot be read: KeyError: 'metadata'"


def test_what_a_source_sets_aside_is_kept_with_its_page(
    source: ScriptedSource, read: Reading
) -> None:
    problem = Unreadable("Workflow", "acme", "odd", "spec.templates[0] is a text, not an object")
    source.unreadable = (problem,)
    source.pages = [_looks("a")]
    read()
    row = UnreadableObject.objects.get()
    assert row.value() == problem
    assert row.reader == "jobs"
