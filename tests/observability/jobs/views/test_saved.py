"""Searches that people keep under names: their own, and nobody else's."""

from __future__ import annotations

from datetime import timedelta
from html import unescape
from urllib.parse import quote, unquote_plus

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.utils import timezone

from console.access.models import Role, SavedLink, User
from console.pages.visible import visible
from observability.engines.contracts import Status
from tenants.models import Membership
from tests.observability.jobs.factories import make_run, make_tenant

pytestmark = pytest.mark.django_db
HOSTILE = "\"><script>alert('x')</script>\u202e"


def signed_in(name: str, role: str = Role.VIEWER) -> Client:
    client = Client()
    client.force_login(User.objects.create_user(name, role=role))
    return client


@pytest.fixture
def viewer() -> Client:
    """Somebody who may look."""
    return signed_in("vera")


def message_of(answer: object) -> str:
    """What the page told the person."""
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))  # type: ignore[attr-defined]  # of Django's test client


def test_a_search_is_saved_shown_opened_and_forgotten(viewer: Client) -> None:
    lately = timezone.now() - timedelta(days=1)
    make_run(type="Broken", status=Status.FAILED, created_at=lately, closed_at=lately)
    make_run(type="Splendid", status=Status.SUCCEEDED, created_at=lately, closed_at=lately)
    sent = {"name": "Night shift", "q": "status:failed since:7d"}
    answer = viewer.post("/jobs/saved/", sent)
    assert unquote_plus(answer["Location"]) == "/jobs/?q=status:failed since:7d"
    page = viewer.get("/jobs/").content.decode()
    link = f"/jobs/?q={quote(sent['q'])}"
    assert "Night shift" in page
    assert link in page
    page = viewer.get(link).content.decode()
    assert "Broken" in page
    assert "Splendid" not in page
    assert 'aria-current="true">Night shift' in page
    pk = SavedLink.objects.get().pk
    answer = viewer.post(f"/jobs/saved/{pk}/remove/", {"q": "engine:temporal"})
    assert unquote_plus(answer["Location"]) == "/jobs/?q=engine:temporal"
    assert not SavedLink.objects.exists()


def test_the_same_name_replaces_what_it_stood_for(viewer: Client) -> None:
    for query in ("status:failed", "status:lost"):
        viewer.post("/jobs/saved/", {"name": "Mine", "q": query})
    assert list(SavedLink.objects.values_list("name", "query")) == [("Mine", "status:lost")]


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({"name": "", "q": "status:failed"}, "Name: This field is required."),
        ({"name": "x" * 61, "q": "status:failed"}, "at most 60 characters"),
        ({"name": "Mine", "q": ""}, "Search: This field is required."),
        ({"name": "Mine", "q": "colour:red"}, "colour: is no filter"),
        ({"name": "Mine", "q": '""'}, "Search for something first"),
    ],
)
def test_what_cannot_be_saved_says_why(viewer: Client, sent: dict[str, str], words: str) -> None:
    answer = viewer.post("/jobs/saved/", sent)
    assert answer.status_code == 302
    assert words in message_of(answer)
    assert not SavedLink.objects.exists()


def test_there_is_a_most(viewer: Client) -> None:
    for number in range(SavedLink.MOST + 1):
        answer = viewer.post("/jobs/saved/", {"name": f"n{number}", "q": "status:failed"})
    assert "remove one first" in message_of(answer)
    assert SavedLink.objects.count() == SavedLink.MOST
    viewer.post("/jobs/saved/", {"name": "n3", "q": "status:lost"})
    assert SavedLink.objects.get(name="n3").query == "status:lost"


def test_nobody_sees_or_forgets_those_of_others(viewer: Client) -> None:
    viewer.post("/jobs/saved/", {"name": "Very secret", "q": "status:failed"})
    other = signed_in("otto", Role.ADMIN)
    assert "Very secret" not in other.get("/jobs/").content.decode()
    other.post(f"/jobs/saved/{SavedLink.objects.get().pk}/remove/")
    assert SavedLink.objects.get().name == "Very secret"
    other.post("/jobs/saved/", {"name": "Very secret", "q": "status:lost"})
    assert SavedLink.objects.count() == 2


def test_a_hostile_name_is_text(viewer: Client) -> None:
    viewer.post("/jobs/saved/", {"name": HOSTILE, "q": f'"{HOSTILE[2:]}"'})
    page = viewer.get("/jobs/").content.decode()
    assert "<script>alert" not in page
    assert visible(HOSTILE) in unescape(page)


def test_a_member_of_a_tenant_is_refused() -> None:
    client = signed_in("mia", Role.NOBODY)
    Membership.objects.create(tenant=make_tenant("acme"), user=User.objects.get(username="mia"))
    for path in ("/jobs/saved/", "/jobs/saved/1/remove/"):
        assert client.post(path, {"name": "a", "q": "status:failed"}).status_code == 403
    assert signed_in("v2").get("/jobs/saved/").status_code == 405
