"""The ledger's page: filters in the URL, keyset pages, diffs."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from console.access.models import Role, User
from console.audit.models import Entry
from console.audit.services import Actor, build, record_all

pytestmark = pytest.mark.django_db

START = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture
def viewer() -> Client:
    client = Client()
    client.force_login(User.objects.create_user("vera", role=Role.VIEWER))
    return client


def write(number: int = 1, **fields: object) -> None:
    values: dict[str, object] = {
        "actor": Actor.loop("sweep"),
        "action": "drift.repair",
        "object_type": "tenant",
        "object_id": "acme",
        "object_label": "acme",
        "tenant": "acme",
        "at": START,
    }
    values.update(fields)
    # Many of one moment: the id must tell them apart at a page's edge.
    record_all([build(**values) for _ in range(number)])  # type: ignore[arg-type]  # as above


def page(client: Client, query: str = "") -> str:
    response = client.get(f"/audit/{query}")
    assert response.status_code == 200
    return response.content.decode()


def test_whoever_may_see_the_console_may_search_the_ledger(viewer: Client) -> None:
    assert "Nothing is recorded yet" in page(viewer)
    outsider = Client()
    outsider.force_login(User.objects.create_user("zed"))
    assert outsider.get("/audit/").status_code == 403


@pytest.mark.parametrize(
    ("query", "labels"),
    [
        ("actor=sweep", {"A", "B"}),
        ("action=plan", {"C"}),
        ("tenant=acme", {"A"}),
        ("outcome=refused", {"B"}),
        ("object_type=plan", {"C"}),
        ("object_type=plan&object_id=7", {"C"}),
        ("text=quota", {"A"}),
        ("text=no+room", {"B"}),
        ("since=2026-11-03", {"C"}),
        ("until=2026-11-01", {"A"}),
        ("since=2026-11-02&until=2026-11-02", {"B"}),
        ("since=yesterday", {"A", "B", "C"}),
        ("outcome=odd", {"A", "B", "C"}),
        ("actor=sweep&tenant=globex", {"B"}),
    ],
)
def test_filters_stand_in_the_url(viewer: Client, query: str, labels: set[str]) -> None:
    write(object_label="label-A", reason="more Quota")
    write(
        object_label="label-B",
        tenant="globex",
        outcome="refused",
        message="no room",
        at=START + timedelta(days=1),
    )
    write(
        object_label="label-C",
        actor=Actor.command("plans apply"),
        action="plan.version.publish",
        object_type="plan",
        object_id="7",
        tenant="",
        at=START + timedelta(days=2),
    )
    assert set(re.findall(r"label-([ABC])</a>", page(viewer, f"?{query}"))) == labels


@pytest.mark.parametrize("name", ["action", "order"])
def test_what_is_called_otherwise_now_is_found_with_its_older_entries(
    viewer: Client, name: str
) -> None:
    for number, written in enumerate(["order", "action"], start=1):
        write(object_type=written, object_id="7", object_label=f"entry-{number}")
    write(object_type="plan", object_id="7", object_label="entry-3")
    text = page(viewer, f"?object_type={name}&object_id=7")
    links = re.findall(r'href="/jobs/actions/7/">(entry-\d)</a>', text)
    assert sorted(links) == ["entry-1", "entry-2"]


def test_pages_show_every_entry_once_there_and_back(viewer: Client) -> None:
    write(120)
    rows: list[str] = []
    query = "?actor=sweep"
    while True:
        text = page(viewer, query)
        rows += re.findall(r"<tr>\s*<td class=\"fit\"><time", text)
        following = re.search(r'rel="next" href="([^"]+)"', text)
        if not following:
            break
        assert "actor=sweep" in following[1]
        query = following[1].replace("&amp;", "&")
    assert len(rows) == 120
    back = re.search(r'rel="prev" href="([^"]+)"', text)
    assert back
    middle = page(viewer, back[1].replace("&amp;", "&"))
    assert 'rel="next"' in middle
    assert 'rel="prev"' in middle


@pytest.mark.parametrize("cursor", ["x", "WzBd", "e30", "WzAsIm5vIGRhdGUiLDFd", "é"])
def test_a_cursor_that_nobody_gave_out_is_refused_in_words(viewer: Client, cursor: str) -> None:
    response = viewer.get("/audit/", {"cursor": cursor})
    assert response.status_code == 400
    assert "not one that this list gave out" in response.content.decode()


def test_a_page_takes_the_same_queries_however_long_the_ledger(
    viewer: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    write(200, before={"cpu": 1}, after={"cpu": 2})
    with django_assert_max_num_queries(3):
        page(viewer)


def test_an_entry_shows_its_diff_and_its_links(viewer: Client) -> None:
    write(before={"cpu": 40}, after={"cpu": 30}, reason="<b>less</b>")
    text = page(viewer)
    assert "<del>40</del>" in text
    assert "<ins>30</ins>" in text
    assert "&lt;b&gt;less" in text
    assert 'href="/tenants/acme/"' in text
    assert Entry.objects.count() == 1


def test_nothing_found_says_how_to_find_more(viewer: Client) -> None:
    assert "Nothing matches" in page(viewer, "?tenant=nobody")
