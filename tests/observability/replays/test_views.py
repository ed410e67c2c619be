"""Pages of bundles and replays: who sees what, and what they say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from console.access.models import Role, User
from console.audit.services import Actor
from console.clients.temporal.replay import landlock
from observability.replays.models import (
    Replay,
    ReplayResult,
    ReplayState,
    ResultVerdict,
    WorkflowBundle,
)
from observability.replays.services import replays
from tests.observability.jobs.factories import make_run, make_target

pytestmark = pytest.mark.django_db
BUNDLE: dict[str, Any] = {
    "kind": "directory",
    "modules": ["flows"],
    "isolated": True,
    "workflows": ["InvoiceFlow"],
    "reason": "build",
    "created_at": "2026-11-22T12:00Z",
}


@pytest.fixture
def bundle() -> WorkflowBundle:
    return WorkflowBundle.objects.create(name="flows", version="42", **BUNDLE)


def signed_in(role: str) -> Client:
    client = Client()
    client.force_login(User.objects.create_user(f"page-{role or 'nobody'}", role=role))
    return client


def ask(bundle: WorkflowBundle, count: int = 2, **fields: Any) -> Replay:
    user = User.objects.create_user(f"asker-{count}", role=Role.OPERATOR)
    runs = [make_run(**fields) for _ in range(count)]
    return replays.ask(bundle=bundle, runs=runs, selection="x", actor=Actor.person(user))


@pytest.mark.parametrize(
    ("path", "method", "needs"),
    [
        ("/jobs/bundles/", "get", Role.VIEWER),
        ("/jobs/bundles/new/", "get", Role.ADMIN),
        ("/jobs/bundles/new/", "post", Role.ADMIN),
        ("/jobs/bundles/{bundle}/retire/", "post", Role.ADMIN),
        ("/jobs/replays/", "get", Role.VIEWER),
        ("/jobs/replays/new/", "get", Role.OPERATOR),
        ("/jobs/replays/new/", "post", Role.OPERATOR),
        ("/jobs/replays/{replay}/", "get", Role.VIEWER),
        ("/jobs/replays/{replay}/stop/", "post", Role.OPERATOR),
        ("/jobs/{run}/replays/", "get", Role.VIEWER),
        ("/jobs/{run}/replays/", "post", Role.OPERATOR),
    ],
)
def test_a_role_that_is_not_enough_is_refused(
    bundle: WorkflowBundle, path: str, method: str, needs: str
) -> None:
    replay = ask(bundle)
    run = replay.results.order_by("id")[0].run_id
    url = path.format(bundle=bundle.pk, replay=replay.pk, run=run)
    order = [Role.NOBODY, Role.VIEWER, Role.OPERATOR, Role.ADMIN]
    for role in order:
        response = getattr(signed_in(role), method)(url)
        enough = order.index(role) >= order.index(Role(needs))
        assert (response.status_code == 403) is not enough, (role, response.status_code)


def test_the_page_of_a_replay_shows_what_diverged_and_escapes_it(bundle: WorkflowBundle) -> None:
    replay = ask(bundle)
    first = replay.results.order_by("id")[0]
    ReplayResult.objects.filter(pk=first.pk).update(
        verdict=ResultVerdict.DIVERGED,
        event_id=11,
        event_type="TimerStarted",
        expected="start a timer of 5 s",
        actual="schedule activity <script>alert(1)</script>",
    )
    page = signed_in(Role.VIEWER).get(f"/jobs/replays/{replay.pk}/").content.decode()
    assert "start a timer of 5 s" in page
    assert "event 11, TimerStarted" in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    assert "50 %" in page


def test_code_that_could_reach_our_files_is_marked_so_on_its_replay(bundle: WorkflowBundle) -> None:
    replay, client = ask(bundle), signed_in(Role.VIEWER)
    url = f"/jobs/replays/{replay.pk}/"
    warning = "This code ran with"
    assert warning not in client.get(url).content.decode()
    for isolated, confined, words in (
        (True, False, "the server's files within its reach"),
        (False, True, "the network within its reach"),
        (False, False, "the server's files and the network within its reach"),
    ):
        Replay.objects.filter(pk=replay.pk).update(isolated=isolated, confined=confined)
        page = " ".join(client.get(url).content.decode().split())
        assert f"{warning} {words}" in page
    Replay.objects.filter(pk=replay.pk).update(isolated=True, confined=True)
    assert warning not in client.get(url).content.decode()


def test_a_server_that_cannot_confine_bundles_says_so_where_they_are_registered(
    bundle: WorkflowBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = signed_in(Role.ADMIN)
    for version, expected in ((0, True), (landlock.WHOLE, False)):
        monkeypatch.setattr(landlock, "version", lambda version=version: version)
        for path in ("/jobs/bundles/", "/jobs/bundles/new/"):
            page = client.get(path).content.decode()
            assert ("its kernel lacks Landlock" in page) is expected, path
    WorkflowBundle.objects.filter(pk=bundle.pk).update(confined=False)
    listed = client.get("/jobs/bundles/").content.decode()
    assert "imported with the server's files within its reach" in listed


def test_results_can_be_narrowed_to_what_is_bad(bundle: WorkflowBundle) -> None:
    replay = ask(bundle, count=3)
    bad, good, _ = replay.results.order_by("id")
    ReplayResult.objects.filter(pk=bad.pk).update(verdict=ResultVerdict.TIMED_OUT)
    ReplayResult.objects.filter(pk=good.pk).update(verdict=ResultVerdict.DETERMINISTIC)
    page = signed_in(Role.VIEWER).get(f"/jobs/replays/{replay.pk}/?verdict=bad")
    assert [row.pk for row in page.context["page"].rows] == [bad.pk]


def test_a_finished_replay_is_not_polled_any_more(bundle: WorkflowBundle) -> None:
    replay = ask(bundle)
    url, client = f"/jobs/replays/{replay.pk}/", signed_in(Role.VIEWER)
    partial = {"HX-Request": "true", "HX-Target": "replay-live"}
    assert client.get(url, headers=partial).status_code == 200
    Replay.objects.filter(pk=replay.pk).update(
        state=ReplayState.DONE, finished_at="2026-11-22T12:00Z"
    )
    assert client.get(url, headers=partial).status_code == 286
    assert "hx-trigger" not in client.get(url).content.decode().split('id="replay-live"')[1][:200]


def test_the_list_is_looked_at_less_often_while_nothing_moves(bundle: WorkflowBundle) -> None:
    replay, client = ask(bundle), signed_in(Role.VIEWER)
    assert 'hx-trigger="every 5s"' in client.get("/jobs/replays/").content.decode()
    Replay.objects.filter(pk=replay.pk).update(
        state=ReplayState.DONE, finished_at="2026-11-22T12:00Z"
    )
    assert 'hx-trigger="every 15s"' in client.get("/jobs/replays/").content.decode()


def test_replaying_from_a_runs_page_leads_to_the_replay(bundle: WorkflowBundle) -> None:
    run = make_run()
    client = signed_in(Role.OPERATOR)
    panel = client.get(f"/jobs/{run.pk}/replays/").content.decode()
    assert "flows@42" in panel
    response = client.post(f"/jobs/{run.pk}/replays/", {"bundle": bundle.pk})
    made = Replay.objects.get()
    assert response["Location"] == f"/jobs/replays/{made.pk}/"
    assert made.results.get().run_id == run.pk


def test_the_panel_is_a_page_for_whoever_opens_it(bundle: WorkflowBundle) -> None:
    run, client = make_run(), signed_in(Role.OPERATOR)
    path = f"/jobs/{run.pk}/replays/"
    assert "<html" in client.get(path).content.decode()
    assert "<html" not in client.get(path, headers={"HX-Request": "true"}).content.decode()


def test_other_engines_say_that_there_is_nothing_to_replay(bundle: WorkflowBundle) -> None:
    run = make_run(make_target("cluster", "kubernetes"))
    panel = signed_in(Role.OPERATOR).get(f"/jobs/{run.pk}/replays/").content.decode()
    assert "records no history" in panel
    assert "Replay here" not in panel


def test_many_runs_are_chosen_by_the_search_of_the_jobs(bundle: WorkflowBundle) -> None:
    wanted = make_run(type="InvoiceFlow")
    make_run(type="AuditFlow")
    make_run(make_target("cluster", "kubernetes"), type="InvoiceFlow")
    form = {"bundle": bundle.pk, "q": "type:InvoiceFlow", "last": "500"}
    signed_in(Role.OPERATOR).post("/jobs/replays/new/", form)
    assert [result.run_id for result in Replay.objects.get().results.all()] == [wanted.pk]


def test_a_search_that_cannot_be_read_is_said_at_the_field(bundle: WorkflowBundle) -> None:
    form = {"bundle": bundle.pk, "q": "colour:red", "last": "500"}
    response = signed_in(Role.OPERATOR).post("/jobs/replays/new/", form)
    assert response.status_code == 422
    assert "colour: is no filter" in response.content.decode()


@pytest.mark.parametrize(
    "path", ["/jobs/replays/new/", "/jobs/bundles/new/", "/jobs/bundles/{bundle}/retire/"]
)
def test_a_form_that_is_sent_empty_says_what_is_required(bundle: WorkflowBundle, path: str) -> None:
    response = signed_in(Role.ADMIN).post(path.format(bundle=bundle.pk))
    assert response.status_code == 422
    assert response.context["form"].errors


def test_lists_cost_the_same_however_long(
    bundle: WorkflowBundle, django_assert_num_queries: Callable[[int], Any]
) -> None:
    client = signed_in(Role.VIEWER)
    client.get("/jobs/replays/")
    for count in (1, 4):
        ask(bundle, count=count)
    with django_assert_num_queries(4):
        client.get("/jobs/replays/")
