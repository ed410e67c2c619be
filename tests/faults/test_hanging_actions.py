"""An engine that accepts connections and never answers holds neither an action on a job nor a
connection test: the page says in time that nothing came back; what was asked is written down."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from console.access.models import Role, User
from console.audit.models import Entry
from observability.actions.models import Action
from observability.actions.services.actions import UNANSWERED
from observability.engines.contracts import Status
from observability.jobs.models import JobRun
from quotas.enforcement.models import TargetState
from tenants.models import Target
from tests.faults.installation import Installation
from tests.faults.test_hanging import PATIENT, SOON, hanging, timed
from tests.observability.jobs.factories import make_run, make_target
from tests.rest import Rest
from tests.servers import KubeControlPlane, Server, temporal_server, valkey


@pytest.fixture(autouse=True)
def _patient_clients(settings: Settings) -> None:
    settings.TARGET_TIMEOUT_SECONDS = PATIENT


@pytest.fixture
def tasks(installation: Installation) -> Iterator[tuple[Target, Server]]:
    """A Celery app whose broker may hang."""
    with valkey() as server:
        yield installation.celery(server.url), server


@pytest.fixture
def jobs(installation: Installation, tmp_path: Path) -> Iterator[tuple[Target, Server]]:
    """A Temporal server that may hang."""
    with temporal_server(db_file=tmp_path / "temporal.db") as server:
        yield installation.temporal(server.address), server


@pytest.fixture
def lab(installation: Installation, plane: KubeControlPlane) -> tuple[Target, Server]:
    """A cluster whose API server may hang."""
    return installation.cluster(plane.kubeconfig), plane.apiserver


ENGINES = [
    pytest.param("tasks", "revoke"),
    pytest.param("jobs", "cancel", marks=pytest.mark.temporal),
    pytest.param("lab", "suspend", marks=pytest.mark.cluster),
]


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> tuple[Target, Server]:
    """The one that is named."""
    made: tuple[Target, Server] = request.getfixturevalue(request.param)
    return made


def running(target: Target) -> JobRun:
    """A run there."""
    return make_run(target, status=Status.RUNNING, queue="acme", location="default")


def act(run: JobRun, verb: str) -> Any:
    """Asked over REST."""
    body = {"verb": verb, "reason": "it hangs", "confirm": run.external_id}
    return Rest(Role.OPERATOR).post(f"jobs/{run.pk}/actions/", body)


def browser() -> Client:
    """An operator's."""
    client = Client()
    client.force_login(User.objects.create_user("olive", role=Role.OPERATOR))
    return client


@pytest.mark.parametrize(("engine", "verb"), ENGINES, indirect=["engine"])
def test_an_action_says_in_time_that_nothing_came_back(
    engine: tuple[Target, Server], verb: str
) -> None:
    target, server = engine
    run = running(target)
    with hanging(server):
        answer, seconds = timed(lambda: act(run, verb))
    assert answer.status_code == 200, answer.content
    assert seconds < SOON
    row = answer.json()
    assert row["status"] == "failed"
    assert f"{target.slug} did not answer" in row["message"]
    assert UNANSWERED in row["message"]
    steps = Entry.objects.filter(action=f"job.{verb}").order_by("pk")
    assert [entry.outcome for entry in steps][-1] == "failed"


@pytest.mark.parametrize("engine", [param.values[0] for param in ENGINES[:1]], indirect=True)
def test_the_page_of_an_action_comes_in_time_too(engine: tuple[Target, Server]) -> None:
    target, server = engine
    run, client = running(target), browser()
    with hanging(server):
        answer, seconds = timed(
            lambda: client.post(f"/jobs/{run.pk}/actions/revoke/", {"reason": "it hangs"})
        )
    assert answer.status_code == 302, answer.content.decode()
    assert seconds < SOON
    assert "did not answer" in Action.objects.get().message
    assert "did not answer" in client.get(answer["Location"]).content.decode()


@pytest.mark.parametrize(
    "engine", [pytest.param(*one.values[:1], marks=one.marks) for one in ENGINES], indirect=True
)
def test_a_connection_test_ends_in_time_and_judges_nobody(engine: tuple[Target, Server]) -> None:
    target, server = engine
    before = TargetState.objects.get(target=target)
    client = browser()
    with hanging(server):
        answer, seconds = timed(
            lambda: client.post(f"/targets/{target.slug}/test/", HTTP_HX_REQUEST="true")
        )
    assert answer.status_code == 200
    assert seconds < SOON
    text = " ".join(answer.content.decode().split())
    assert f"{target.slug} did not answer while this page could wait" in text
    assert f"the regular checks give it up to {PATIENT} s" in text
    state = TargetState.objects.get(target=target)
    assert (state.condition, state.failures) == (before.condition, before.failures)
    assert Entry.objects.get(action="target.test").outcome == "failed"


def test_a_broker_that_hangs_holds_no_batch(installation: Installation) -> None:
    running(make_target())
    body = {"engine": "temporal", "verb": "cancel", "query": "status:running", "rate": 50}
    with hanging(installation.broker):
        answer, seconds = timed(
            lambda: Rest(Role.OPERATOR).post(
                "actions/batch/", {**body, "reason": "because", "expected": 1, "confirm": "1"}
            )
        )
    assert answer.status_code == 202, answer.content
    assert seconds < SOON
    assert Action.objects.get().status == "asked"


@pytest.mark.temporal
def test_a_temporal_server_that_hangs_holds_no_count_of_a_batch(
    jobs: tuple[Target, Server],
) -> None:
    target, server = jobs
    body = {
        "engine": "temporal", "verb": "terminate", "target": target.slug, "rate": 50,
        "query": "ExecutionStatus='Running'", "dry_run": True,
    }  # fmt: skip
    with hanging(server):
        answer, seconds = timed(lambda: Rest(Role.OPERATOR).post("actions/batch/", body))
    assert seconds < SOON
    assert answer.status_code in {502, 503, 504}, answer.content
    assert answer["Content-Type"] == "application/problem+json"
