"""The job explorer as a page: rows, chips, facets, live parts, panels, and whom it refuses."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import quote

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from console.access.models import Role, User
from observability.engines.contracts import FailureKind, Status
from observability.jobs.models import IngestGap, IngestState, JobRun
from observability.jobs.rules.query import LONGEST_QUERY
from observability.jobs.rules.search_words import search_words
from observability.jobs.selectors import explorer as reads
from tenants.models import Membership
from tests.observability.jobs.factories import make_run, make_target, make_tenant

pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert('x')</script>\u202e" + "ü" * 150


@pytest.fixture
def viewer() -> Client:
    """Somebody who may look."""
    client = Client()
    client.force_login(User.objects.create_user("vera", role=Role.VIEWER))
    return client


def text_of(client: Client, path: str, **query: str) -> str:
    """The page's text, which has to be one."""
    answer = client.get(path, query)
    assert answer.status_code == 200, answer.content
    return str(answer.content.decode())


def test_a_row_says_what_ran_for_whom_and_how_it_went(viewer: Client) -> None:
    make_run(
        make_target("argo-eu", "argo"), tenant=make_tenant("acme"), status=Status.TIMED_OUT,
        failure="waited  for\na lock", attempts=3,
    )  # fmt: skip
    make_run(status=Status.RUNNING, progress={"done": 1200, "total": 3000})
    page = text_of(viewer, "/jobs/")
    for part in ("Timed out", "acme", "on argo-eu", "waited for a lock", ">3<", "1 min<"):
        assert part in page
    for part in ("Running", "unattributed", "1,200 of 3,000", "so far"):
        assert part in page


@pytest.mark.parametrize(
    ("engine", "status", "kind", "words"),
    [
        ("temporal", Status.RUNNING, FailureKind.APPLICATION, "Retrying: no"),
        ("kubernetes", Status.RUNNING, FailureKind.APPLICATION, "Last failure: no"),
        ("kubernetes", Status.WAITING, FailureKind.QUOTA, "Denied: no"),
        ("argo", Status.RUNNING, FailureKind.WEBHOOK, "Denied: no"),
        ("temporal", Status.PAUSED, FailureKind.APPLICATION, "Paused after: no"),
    ],
)
def test_the_failure_of_an_open_run_is_not_told_as_its_end(
    viewer: Client, engine: str, status: Status, kind: FailureKind, words: str
) -> None:
    make_run(make_target("t", engine), status=status, failure="no", failure_kind=kind)
    assert f">{words}<" in text_of(viewer, "/jobs/").replace("\n", "")


def test_hostile_names_are_text(viewer: Client) -> None:
    run = make_run(
        type=HOSTILE, external_id=HOSTILE * 4, failure=HOSTILE, status=Status.FAILED,
        worker=HOSTILE, search=search_words(HOSTILE),
    )  # fmt: skip
    for path in (
        "/jobs/", f"/jobs/?q={quote(HOSTILE[:40])}", "/jobs/facets/", "/jobs/panels/failures/",
        f"/jobs/fresh/?ids={run.pk}", f"/jobs/?q={quote('type:' + chr(34) + HOSTILE + chr(34))}",
    ):  # fmt: skip
        page = viewer.get(path).content.decode()
        assert "<script>alert" not in page, path
    assert "&lt;script&gt;alert" in text_of(viewer, "/jobs/")


@pytest.mark.parametrize("sent", ["tennant:x", "status:never", "x" * (LONGEST_QUERY + 1)])
def test_a_search_that_cannot_be_read_says_what_would_be_right(viewer: Client, sent: str) -> None:
    make_run()
    answer = viewer.get("/jobs/", {"q": sent})
    assert answer.status_code == 400
    assert 'role="alert"' in answer.content.decode()
    assert "The search cannot be read" in answer.content.decode()


def test_a_search_for_a_nul_is_no_request_that_can_be_meant(viewer: Client) -> None:
    answer = viewer.get("/jobs/", {"q": "q\0"})
    assert answer.status_code == 400
    assert "The request could not be understood" in answer.content.decode()


def test_plain_parameters_are_chips(viewer: Client) -> None:
    make_run(tenant=make_tenant("acme"), external_id="mine")
    make_run(external_id="other")
    page = text_of(viewer, "/jobs/", tenant="acme", engine="temporal")
    assert 'value="tenant:acme engine:temporal"' in page
    assert "mine" in page
    assert ">other<" not in page


def test_empty_says_what_to_do(viewer: Client) -> None:
    assert "No target is read yet" in text_of(viewer, "/jobs/")
    IngestState.objects.create(target=make_target(), read_at=timezone.now(), caught_up=True)
    assert "No runs yet" in text_of(viewer, "/jobs/")
    assert "No run matches" in text_of(viewer, "/jobs/", q="nothing")
    assert "No run failed" in text_of(viewer, "/jobs/panels/failures/")


def test_it_says_how_far_behind_it_is_and_what_may_be_missing(viewer: Client) -> None:
    now, target = timezone.now(), make_target("temporal-eu")
    IngestState.objects.create(target=target, through=now - timedelta(minutes=4))
    IngestGap.objects.create(
        target=target, starts_at=now - timedelta(hours=2), ends_at=now - timedelta(hours=1),
        cause="the broker restarted",
    )  # fmt: skip
    with time_machine.travel(now, tick=False):
        page = " ".join(text_of(viewer, "/jobs/").split())
    assert "<strong>temporal-eu</strong> is 4 min behind" in page
    assert "the broker restarted" in page


def test_a_page_takes_as_many_queries_for_fifty_runs_as_for_one(
    viewer: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    make_run(tenant=make_tenant("acme"), status=Status.FAILED, search="boom")
    paths = ("/jobs/?q=status:bad boom", "/jobs/facets/?q=boom", "/jobs/panels/tenant/acme/")
    counts = []
    for path in paths:
        with django_assert_max_num_queries(14) as few:
            viewer.get(path)
        counts.append(len(few))
    for number in range(60):
        tenant = make_tenant(f"tenant-{number % 7}")
        make_run(make_target(f"engine-{number % 5}"), tenant=tenant, status=Status.FAILED,
                 search="boom")  # fmt: skip
    for path, most in zip(paths, counts, strict=True):
        with django_assert_max_num_queries(most):
            viewer.get(path)


def test_pages_go_on_and_back_with_the_search(viewer: Client) -> None:
    for number in range(60):
        make_run(external_id=f"job-{number:02}", tenant=make_tenant("acme"))
    first = viewer.get("/jobs/", {"q": "tenant:acme"})
    cursor = first.context["page"].next
    second = viewer.get("/jobs/", {"q": "tenant:acme", "cursor": cursor})
    assert [row.name for row in second.context["rows"]] == [f"job-{n:02}" for n in range(9, -1, -1)]
    assert viewer.get("/jobs/", {"cursor": "nonsense"}).status_code == 400


def test_what_is_shown_stays_where_it_is_and_newer_runs_are_announced(viewer: Client) -> None:
    run = make_run(status=Status.RUNNING)
    fresh = viewer.get("/jobs/").context["fresh"]
    assert f"ids={run.pk}" in fresh
    JobRun.objects.filter(pk=run.pk).update(status=Status.FAILED, failure="boom")
    make_run(created_at=run.created_at)
    make_run(created_at=run.created_at - timedelta(hours=1))
    page = text_of(viewer, fresh)
    assert "1 new run </a>" in " ".join(page.split())
    assert f'id="run-{run.pk}-status" hx-swap-oob="true"' in page
    assert "Failed" in page
    assert "boom" in page


def test_nothing_is_asked_again_where_nothing_can_change(viewer: Client) -> None:
    for number in range(60):
        make_run(external_id=f"job-{number:02}")
    first = viewer.get("/jobs/")
    assert "newest=" in first.context["fresh"]
    second = viewer.get("/jobs/", {"cursor": first.context["page"].next})
    assert second.context["fresh"] == ""


def test_facets_count_what_matches_and_ignore_their_own_filter(viewer: Client) -> None:
    acme, globex = make_tenant("acme"), make_tenant("globex")
    for status, tenant in (
        (Status.FAILED, acme), (Status.FAILED, acme), (Status.SUCCEEDED, acme),
        (Status.FAILED, globex), (Status.LOST, None),
    ):  # fmt: skip
        make_run(tenant=tenant, status=status)
    shown = viewer.get("/jobs/facets/", {"q": "status:failed tenant:acme"}).context["facets"]
    by_name = {
        facet.name: [(value.value, value.count, value.is_chosen) for value in facet.values]
        for facet in shown
    }
    assert by_name["status"] == [("failed", 2, True), ("succeeded", 1, False)]
    assert by_name["tenant"] == [("acme", 2, True), ("globex", 1, False)]
    assert by_name["engine"] == [("temporal", 2, False)]
    assert all(facet.is_exact for facet in shown)


def test_a_facet_adds_and_removes_its_chip(viewer: Client) -> None:
    make_run(status=Status.FAILED, search="job")
    make_run(status=Status.LOST, search="job")
    facets = viewer.get("/jobs/facets/", {"q": "status:bad job"}).context["facets"]
    queries = {value.value: value.query for value in facets[0].values}
    assert queries["failed"] == "status:deleted status:lost status:timed_out job"
    tenants = {value.value: value.query for value in facets[2].values}
    assert tenants == {"none": "status:bad tenant:none job"}


def test_facets_are_a_page_without_javascript(viewer: Client) -> None:
    make_run()
    assert "<html" in text_of(viewer, "/jobs/facets/")
    part = viewer.get("/jobs/facets/", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
    assert "Temporal" in part


def test_operators_act_on_and_replay_what_they_see(viewer: Client) -> None:
    operator = Client()
    operator.force_login(User.objects.create_user("olga", role=Role.OPERATOR))
    page = text_of(operator, "/jobs/", q="status:bad type:A&B")
    for path in ("/jobs/actions/batch/", "/jobs/replays/new/"):
        link = f"{path}?q=status%3Abad%20type%3AA%26B"
        assert link in page
        assert path not in text_of(viewer, "/jobs/", q="status:bad")
    batch = text_of(operator, "/jobs/actions/batch/", q="status:bad type:A&B")
    assert "status:bad type:A&amp;B" in batch
    assert 'href="/jobs/actions/"' in text_of(viewer, "/jobs/")
    assert 'href="/jobs/replays/"' in text_of(viewer, "/jobs/")


def test_facets_of_many_say_how_many_they_counted(
    viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reads, "COUNTED", 3)
    for _ in range(5):
        make_run()
    page = text_of(viewer, "/jobs/facets/")
    assert "of the newest 3" in page


def test_a_tenants_panel_has_only_its_runs(viewer: Client) -> None:
    make_run(tenant=make_tenant("acme"), external_id="mine")
    make_run(tenant=make_tenant("globex"), external_id="theirs")
    page = text_of(viewer, "/jobs/panels/tenant/acme/")
    assert "mine" in page
    assert "theirs" not in page
    assert viewer.get("/jobs/panels/tenant/nobody/").status_code == 404
    assert '/jobs/panels/tenant/acme/"' in text_of(viewer, "/tenants/acme/")


def test_the_overview_and_the_search_lead_to_jobs(viewer: Client) -> None:
    assert '"/jobs/panels/failures/"' in text_of(viewer, "/")
    assert "/jobs/?q=pay%20%26" in text_of(viewer, "/search/", q="pay &")


@pytest.mark.parametrize(
    "path", ["/jobs/", "/jobs/facets/", "/jobs/fresh/", "/jobs/panels/failures/",
             "/jobs/panels/tenant/acme/"],
)  # fmt: skip
def test_members_of_a_tenant_have_no_console(path: str) -> None:
    member = User.objects.create_user("mia", role=Role.NOBODY)
    Membership.objects.create(tenant=make_tenant("acme"), user=member)
    client = Client()
    client.force_login(member)
    assert client.get(path).status_code == 403
