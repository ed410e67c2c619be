"""A run's own record to carry away: by whom, from where, and what is said when it is gone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import History as TemporalHistory
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory

from console.access.models import Role, User
from console.audit.models import Entry
from console.errors import NotFound, Unreachable
from observability.engines.contracts import (
    JSON_DOCUMENT,
    TEMPORAL_HISTORY,
    EventKind,
    History,
    Status,
)
from observability.jobs.models import ArchiveState, JobDocument, JobRun
from observability.jobs.services import archive, documents
from tests.observability.jobs.factories import (
    make_events,
    make_run,
    make_target,
    make_tenant,
    seen,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator() -> Client:
    """Somebody who may operate."""
    client = Client()
    client.force_login(User.objects.create_user("olga", role=Role.OPERATOR))
    return client


class Engine:
    """A source that answers with what the test gave it."""

    def __init__(self) -> None:
        self.answer: History | Exception = History((), b'{"kind": "Job"}', JSON_DOCUMENT)

    def history(self, **_: Any) -> History:
        """The answer."""
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Every kind of target is read by this source."""
    fake = Engine()
    monkeypatch.setattr(documents, "source_for", lambda _kind: fake)
    return fake


def temporal_document() -> bytes:
    """A history of one event."""
    event = HistoryEvent(event_id=1, event_type=EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED)
    return TemporalHistory(events=[event]).SerializeToString()


def spooled(run: JobRun, data: bytes, media: str) -> None:
    """A document that waits for object storage."""
    document: JobDocument = archive.spool(run, archive.pack(data, media))
    document.save()


def test_a_temporal_history_is_the_json_that_its_tools_read(operator: Client) -> None:
    run = make_run(tenant=make_tenant(), external_id="order/7", archive=ArchiveState.DUE)
    spooled(run, temporal_document(), TEMPORAL_HISTORY)
    response = operator.get(f"/jobs/{run.pk}/history/")
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"
    assert "attachment; filename=" in response["Content-Disposition"]
    assert "/" not in response["Content-Disposition"].partition("filename=")[2]
    parsed = WorkflowHistory.from_json("order/7", response.content.decode())
    assert len(parsed.events) == 1


def test_the_ledger_says_who_took_it(operator: Client) -> None:
    run = make_run(tenant=make_tenant(), archive=ArchiveState.DUE)
    spooled(run, temporal_document(), TEMPORAL_HISTORY)
    operator.get(f"/jobs/{run.pk}/history/")
    entry = Entry.objects.get(action="job.history.download")
    assert (entry.actor, entry.tenant, entry.object_id) == ("olga", "acme", str(run.pk))


def test_an_open_run_is_fetched_from_its_engine(operator: Client, engine: Engine) -> None:
    run = make_run(make_target("k8s", "kubernetes"), status=Status.RUNNING)
    response = operator.get(f"/jobs/{run.pk}/history/")
    assert json.loads(response.content) == {"kind": "Job"}


def test_celery_keeps_nothing_so_our_rows_are_given(operator: Client) -> None:
    run = make_run(make_target("mail", "celery"), status=Status.RUNNING)
    make_events(run, [seen(1, EventKind.STARTED)])
    document = json.loads(operator.get(f"/jobs/{run.pk}/history/").content)
    assert [event["kind"] for event in document["events"]] == ["started"]


def test_what_is_gone_is_explained(operator: Client) -> None:
    run = make_run(archive=ArchiveState.UNAVAILABLE)
    response = operator.get(f"/jobs/{run.pk}/history/")
    assert response.status_code == 410
    assert "before it could be archived" in response.content.decode()
    assert not Entry.objects.filter(action="job.history.download").exists()


@pytest.mark.parametrize(
    ("error", "status"), [(NotFound("no such run"), 404), (Unreachable("server away"), 502)]
)
def test_an_engine_that_does_not_give_it_is_said(
    operator: Client, engine: Engine, error: Exception, status: int
) -> None:
    engine.answer = error
    run = make_run(status=Status.RUNNING)
    assert operator.get(f"/jobs/{run.pk}/history/").status_code == status
    assert not Entry.objects.filter(action="job.history.download").exists()


def test_a_viewer_is_refused() -> None:
    client = Client()
    client.force_login(User.objects.create_user("vera", role=Role.VIEWER))
    run = make_run()
    assert client.get(f"/jobs/{run.pk}/history/").status_code == 403
    assert "/history/" not in client.get(f"/jobs/{run.pk}/").content.decode()
