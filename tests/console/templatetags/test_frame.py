"""The frame around every page: navigation, theme, error pages."""

from pathlib import Path

import pytest
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.test import Client
from django.urls import path

from console.access.contracts import Permission
from console.access.models import Role, User
from console.access.rights import SignedInRequest, requires
from console.errors import DomainError, Unreachable
from console.urls import urlpatterns as real_urls

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


@requires(Permission.VIEW)
def refused(request: SignedInRequest) -> HttpResponse:
    raise DomainError("stale", "The plan <Standard> has changed.", status=409)


@requires(Permission.VIEW)
def away(request: SignedInRequest) -> HttpResponse:
    raise Unreachable("prod-gke did not answer in 5 s.")


def broken(request: HttpRequest) -> HttpResponse:
    raise ZeroDivisionError


urlpatterns = [
    *real_urls,
    path("refused/", refused),
    path("away/", away),
    path("broken/", broken),
]


def client(role: str) -> Client:
    browser = Client(raise_request_exception=False)
    browser.force_login(User.objects.create_user(f"p-{role}", role=role))
    return browser


def text(browser: Client, url: str = "/audit/", **headers: str) -> str:
    return browser.get(url, headers=headers).content.decode()


def test_the_rail_marks_where_one_is_and_names_its_shortcut() -> None:
    page = text(client(Role.VIEWER))
    assert 'href="/audit/" data-go="a" aria-current="page"' in page
    assert 'href="/tenants/" data-go="t">' in page
    assert 'href="/jobs/" data-go="j">' in page
    for later in ("/usage/", "/billing/"):
        assert f'href="{later}"' not in page


def test_people_are_offered_to_admins_only() -> None:
    assert "/access/people/" in text(client(Role.ADMIN))
    assert "/access/people/" not in text(client(Role.OPERATOR))


def test_whoever_has_no_console_role_sees_no_rail_and_no_search() -> None:
    page = text(client(Role.NOBODY), "/access/account/")
    assert "data-go" not in page
    assert 'role="search"' not in page
    assert "My account" in page


@pytest.mark.parametrize(
    ("cookie", "attribute"),
    [("dark", 'data-theme="dark"'), ("light", 'data-theme="light"'), ('"><b>', "")],
)
def test_the_theme_is_drawn_by_the_server_at_once(cookie: str, attribute: str) -> None:
    browser = client(Role.VIEWER)
    browser.cookies["theme"] = cookie
    head = text(browser).partition("<head>")[0]
    assert attribute in head
    assert ("data-theme" in head) is bool(attribute)


def test_pages_run_no_inline_script() -> None:
    response = client(Role.ADMIN).get("/audit/")
    page = response.content.decode()
    assert "script-src 'self'" in response["Content-Security-Policy"]
    assert page.count("<script") == page.count('<script src="/static/')
    for handler in ("onclick=", "onload=", "onsubmit=", "hx-on", "javascript:"):
        assert handler not in page


def test_nothing_comes_from_another_host() -> None:
    page = text(client(Role.ADMIN))
    assert "http://" not in page
    assert "https://" not in page


def test_what_is_not_there_says_where_to_look() -> None:
    response = client(Role.VIEWER).get("/nowhere/")
    assert response.status_code == 404
    assert "Search the ledger" in response.content.decode()
    assert Client().get("/nowhere/").status_code in {302, 404}


def test_a_refusal_is_a_page_that_says_what_to_do() -> None:
    browser = client(Role.VIEWER)
    response = browser.get("/refused/")
    assert response.status_code == 409
    assert "The plan &lt;Standard&gt; has changed." in response.content.decode()
    assert 'id="rail"' in response.content.decode()


def test_a_partial_gets_the_refusal_as_a_partial() -> None:
    part = text(client(Role.VIEWER), "/refused/", **{"HX-Request": "true"})
    assert "data-problem" in part
    assert "<html" not in part


def test_an_outside_failure_says_that_it_may_pass() -> None:
    browser = client(Role.VIEWER)
    response = browser.get("/away/")
    assert response.status_code == 502
    assert "prod-gke did not answer" in response.content.decode()
    assert "This may pass by itself" in response.content.decode()


def test_a_bug_is_a_page_that_needs_nothing_to_be_drawn() -> None:
    response = client(Role.VIEWER).get("/broken/")
    assert response.status_code == 500
    assert "stay in force" in response.content.decode()
    assert "could not be understood" in render_to_string("400.html")


def test_every_icon_that_is_used_is_in_the_sprite() -> None:
    page = text(client(Role.ADMIN))
    used = {part.split('"')[0] for part in page.split('href="#i-')[1:]}
    drawn = {part.split('"')[0] for part in page.split('<symbol id="i-')[1:]}
    assert used <= drawn
    assert used


def test_the_sheet_has_both_themes_and_respects_less_motion() -> None:
    sheet = Path(settings.BASE_DIR, "console/static/console/headroom.css").read_text("utf-8")
    assert "prefers-reduced-motion" in sheet
    assert "@media print" in sheet
    assert "http" not in sheet
