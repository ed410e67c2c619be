"""The pages: what is offered, what is asked, who may, and what was done."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from console.access.models import Role
from console.audit.models import Entry
from observability.actions.models import Action, ActionStatus
from observability.actions.services.batch_worker import run_batch
from observability.engines.contracts import EventKind, Status
from observability.jobs.models import JobRun
from tenants.models import Membership
from tests.observability.actions.fakes import FakeControls
from tests.observability.jobs.factories import make_events, make_run, make_tenant, seen
from tests.quotas.changes.page_client import browser, field_value, said

BATCH = "/jobs/actions/batch/?engine=temporal&verb=terminate"


@pytest.fixture
def page(operator: Any) -> Client:
    """Olga's browser."""
    client = Client()
    client.force_login(operator)
    return client


def test_the_panel_offers_what_is_possible_and_says_why_the_rest_is_not(
    run: JobRun, page: Client, fake: FakeControls
) -> None:
    answer = page.get(f"/jobs/{run.pk}/actions/", headers={"HX-Request": "true"})
    text = said(answer)
    assert "Terminate…" in text
    assert "<html" not in answer.content.decode()
    ended = make_run(status=Status.FAILED)
    text = said(page.get(f"/jobs/{ended.pk}/actions/"))
    assert "Terminate…" not in text
    assert "Reset…" in text
    assert "The run has ended: failed." in text


def test_viewers_see_no_buttons(run: JobRun, fake: FakeControls) -> None:
    answer = browser(Role.VIEWER).get(f"/jobs/{run.pk}/actions/")
    assert "Terminate…" not in said(answer)
    assert "acting needs an operator" in said(answer)


def test_asking_says_what_will_happen_and_leads_to_the_outcome(
    run: JobRun, page: Client, fake: FakeControls
) -> None:
    path = f"/jobs/{run.pk}/actions/signal/"
    form = page.get(path)
    assert "The workflow gets the signal" in said(form)
    sent = {
        "name": "go",
        "input": '{"ok": true}',
        "reason": "finance agreed",
        "seen_status": field_value(form, "seen_status"),
    }
    done = page.post(path, sent)
    assert done.status_code == 302
    shown = said(page.get(done["Location"]))
    assert "The engine did it." in shown
    assert "finance agreed" in shown
    assert "olga" in shown
    assert fake.requests[0].arguments == {"name": "go", "input": '{"ok": true}'}
    panel = said(page.get(f"/jobs/{run.pk}/actions/"))
    assert "finance agreed" in panel
    assert "finance agreed" in said(page.get("/jobs/actions/?tenant=acme"))
    assert "finance agreed" not in said(page.get("/jobs/actions/?tenant=globex"))


def test_the_way_back_is_not_called_like_what_is_done(
    run: JobRun, page: Client, fake: FakeControls
) -> None:
    text = "".join(page.get(f"/jobs/{run.pk}/actions/cancel/").content.decode().split())
    assert text.count(">Cancel<") == 2  # the heading and the button
    assert ">Leaveitasitis</a>" in text


def test_open_activities_are_offered_by_name(run: JobRun, page: Client, fake: FakeControls) -> None:
    make_events(
        run,
        [
            seen(5, EventKind.SCHEDULED, step="a1", step_name="charge-card"),
            seen(6, EventKind.SCHEDULED, step="a2", step_name="send-mail"),
            seen(7, EventKind.STEP_COMPLETED, step="a2", step_name="send-mail"),
        ],
    )
    html = page.get(f"/jobs/{run.pk}/actions/pause_activity/").content.decode()
    assert '<option value="a1">charge-card</option>' in html
    assert 'value="a2"' not in html


def test_what_was_wrong_is_said_at_its_field_and_nothing_is_done(
    run: JobRun, page: Client, fake: FakeControls
) -> None:
    path = f"/jobs/{run.pk}/actions/reset/"
    answer = page.post(path, {"point": "event", "event": "x", "reason": "again"})
    assert answer.status_code == 422
    assert "'x' is not accepted; use a whole number" in said(answer)
    answer = page.post(f"/jobs/{run.pk}/actions/terminate/", {"reason": "again", "confirm": "no"})
    assert "type invoice-7" in said(answer)
    answer = page.post(f"/jobs/{run.pk}/actions/cancel/", {"reason": " "})
    assert answer.status_code == 422
    assert Action.objects.count() == 0


def test_two_people_at_once_the_second_is_told(
    run: JobRun, page: Client, fake: FakeControls
) -> None:
    form = page.get(f"/jobs/{run.pk}/actions/cancel/")
    JobRun.objects.filter(pk=run.pk).update(status=Status.TERMINATED)
    sent = {"reason": "it hangs", "seen_status": field_value(form, "seen_status")}
    answer = page.post(f"/jobs/{run.pk}/actions/cancel/", sent)
    assert answer.status_code == 409
    assert "running when you looked and is terminated now" in said(answer)
    assert fake.requests == []


def test_hostile_names_are_text(page: Client, fake: FakeControls) -> None:
    evil = make_run(status=Status.RUNNING, external_id="<script>alert(1)</script>", type="<b>x")
    sent = {"reason": "<img src=x onerror=alert(1)>"}
    done = page.post(f"/jobs/{evil.pk}/actions/cancel/", sent)
    for path in (
        f"/jobs/{evil.pk}/actions/",
        f"/jobs/{evil.pk}/actions/terminate/",
        "/jobs/actions/",
        done["Location"],
    ):
        html = page.get(path).content.decode()
        assert "<script>alert" not in html
        assert "<img src=x" not in html


def test_what_a_signal_carried_is_told_by_its_size_only(
    run: JobRun, page: Client, fake: FakeControls
) -> None:
    sent = {"name": "go", "input": '{"password": "hunter2"}', "reason": "it waits"}
    done = page.post(f"/jobs/{run.pk}/actions/signal/", sent)
    text = browser(Role.VIEWER).get(done["Location"]).content.decode()
    assert "hunter2" not in text
    assert "bytes" in text


def test_a_batch_is_counted_confirmed_and_watched(
    run: JobRun, page: Client, fake: FakeControls, enqueued: list[Any]
) -> None:
    make_run(status=Status.FAILED, tenant=make_tenant("acme"))
    assert "Terminate" in said(page.get("/jobs/actions/batch/?q=tenant:acme"))
    assert "tenant:acme" in page.get(f"{BATCH}&q=tenant:acme").content.decode()
    chosen = {"query": "tenant:acme", "rate": "50", "where": ""}
    counted = page.post(BATCH, chosen)
    text = said(counted)
    assert "Terminate would be done to 1 of 2 runs found" in text
    assert "The run has ended: failed." in text
    assert Action.objects.count() == 0
    wrong = page.post(
        BATCH, {**chosen, "apply": "1", "expected": "1", "reason": "old", "confirm": "2"}
    )
    assert wrong.status_code == 422
    assert "type 1 to say" in said(wrong)
    stale = page.post(
        BATCH, {**chosen, "apply": "1", "expected": "4", "reason": "old", "confirm": "1"}
    )
    assert stale.status_code == 409
    assert "about 4 runs when you looked and is about 1 now" in said(stale)
    done = page.post(
        BATCH, {**chosen, "apply": "1", "expected": "1", "reason": "old", "confirm": "1"}
    )
    assert done.status_code == 302
    action = Action.objects.get()
    live = page.get(done["Location"], headers={"HX-Request": "true", "HX-Target": "action-live"})
    assert live.status_code == 200
    stopped = page.post(f"/jobs/actions/{action.pk}/stop/", {"reason": "mistake"})
    assert stopped.status_code == 302
    run_batch(action_id=action.pk)
    live = page.get(done["Location"], headers={"HX-Request": "true", "HX-Target": "action-live"})
    assert live.status_code == 286
    action.refresh_from_db()
    assert action.status == ActionStatus.CANCELLED
    assert "1 not tried: stopped by olga" in said(live)


def test_a_batch_that_cannot_be_read_is_said_at_its_field(page: Client, fake: FakeControls) -> None:
    answer = page.post(BATCH, {"query": "colour:red", "rate": "900"})
    assert answer.status_code == 422
    assert "less than or equal to 50" in said(answer)
    answer = page.post(BATCH, {"query": "colour:red", "rate": "5"})
    assert answer.status_code == 400
    assert "is no filter" in said(answer)


def test_many_runs_have_no_event_to_go_back_to(page: Client, fake: FakeControls) -> None:
    html = page.get("/jobs/actions/batch/?engine=temporal&verb=reset").content.decode()
    assert 'value="first"' in html
    assert 'value="event"' not in html
    assert 'name="event"' not in html


def test_lists_take_as_many_queries_for_one_as_for_many(
    run: JobRun, page: Client, fake: FakeControls, django_assert_max_num_queries: Any
) -> None:
    for _ in range(8):
        page.post(f"/jobs/{run.pk}/actions/cancel/", {"reason": "it hangs"})
    with django_assert_max_num_queries(6):
        assert said(page.get("/jobs/actions/")).count("it hangs") == 8
    with django_assert_max_num_queries(12):
        page.get(f"/jobs/{run.pk}/actions/")


PATHS = [
    ("/jobs/{run}/actions/", "get", {Role.VIEWER, Role.OPERATOR}),
    ("/jobs/{run}/actions/cancel/", "get", {Role.OPERATOR}),
    ("/jobs/{run}/actions/cancel/", "post", {Role.OPERATOR}),
    ("/jobs/actions/", "get", {Role.VIEWER, Role.OPERATOR}),
    ("/jobs/actions/{action}/", "get", {Role.VIEWER, Role.OPERATOR}),
    ("/jobs/actions/{action}/stop/", "post", {Role.OPERATOR}),
    ("/jobs/actions/batch/", "get", {Role.OPERATOR}),
    ("/jobs/actions/batch/?engine=temporal&verb=cancel", "post", {Role.OPERATOR}),
]


@pytest.mark.parametrize(("path", "method", "allowed"), PATHS)
def test_only_who_may_gets_in(
    run: JobRun, page: Client, fake: FakeControls, path: str, method: str, allowed: set[str]
) -> None:
    page.post(f"/jobs/{run.pk}/actions/cancel/", {"reason": "it hangs"})
    fake.requests.clear()
    where = path.format(run=run.pk, action=Action.objects.get().pk)
    member = browser(Role.NOBODY, "mia")
    Membership.objects.create(tenant=make_tenant("acme"), user_id=member.session["_auth_user_id"])
    people = {Role.NOBODY: member, Role.VIEWER: browser(Role.VIEWER)}
    for role, client in people.items():
        answer = getattr(client, method)(where, {"reason": "because"})
        assert (answer.status_code == 403) == (role not in allowed), (role, answer.status_code)
        if method == "post":
            assert Entry.objects.filter(action="access.refused").exists()
    assert Client().get(where).status_code == 302
    assert fake.requests == []
