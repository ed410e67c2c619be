"""A whole page for a browser, a part of it for htmx."""

import re
from pathlib import Path

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django_htmx.middleware import HtmxMiddleware

from console.access.models import Role, User
from console.pages.partials import ANY, STOP_POLLING, render_partial_or_page, wants_partial

ROOT = Path(__file__).resolve().parents[3]
PARTS = {"one": "console/_form_errors.html", "two": "errors/_problem.html"}
PAGE = "lone.html"


def asked(**headers: str) -> HttpRequest:
    """A request as a view gets it; `HX_Target` stands for the header HX-Target."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    request = RequestFactory().get("/", headers=sent)
    HtmxMiddleware(lambda _: HttpResponse())(request)
    return request


def used(request: HttpRequest, **arguments: object) -> tuple[str, HttpResponse]:
    """Which of the templates was rendered, by what only it has."""
    context = {"errors": ["THE ERROR"], "problem": {"message": "THE PROBLEM"}}
    response = render_partial_or_page(request, PAGE, context, **{"partials": PARTS, **arguments})  # type: ignore[arg-type]  # one of its arguments each
    text = response.content.decode()
    if "<!doctype html>" in text:
        return "page", response
    return ("one" if "THE ERROR" in text else "two"), response


def test_a_browser_gets_the_page_whatever_target_it_names() -> None:
    assert used(asked())[0] == "page"
    assert used(asked(HX_Target="one"))[0] == "page"


def test_htmx_gets_the_part_that_stands_in_the_element_it_swaps() -> None:
    for target in PARTS:
        assert used(asked(HX_Request="true", HX_Target=target))[0] == target


@pytest.mark.parametrize(
    "target", ["three", "", "../../settings", "errors/problem.html", "lone.html"]
)
def test_a_target_that_the_view_does_not_know_gets_the_page(target: str) -> None:
    assert used(asked(HX_Request="true", HX_Target=target))[0] == "page"
    assert used(asked(HX_Request="true"))[0] == "page"


def test_a_part_for_any_element_needs_no_target() -> None:
    parts = {ANY: PARTS["two"]}
    for headers in ({}, {"HX_Target": "somewhere"}, {"HX_Target": ""}):
        assert used(asked(HX_Request="true", **headers), partials=parts)[0] == "two"


def test_a_boosted_link_and_a_page_from_the_history_get_the_page() -> None:
    for header in ("HX_Boosted", "HX_History_Restore_Request"):
        request = asked(**{"HX_Request": "true", "HX_Target": "one", header: "true"})
        assert not wants_partial(request)
        assert used(request)[0] == "page"


def test_a_template_is_told_whether_it_is_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """An element that htmx swaps out of band would stand twice in a whole page."""
    contexts: list[dict[str, object]] = []

    def rendered(_: object, __: str, context: dict[str, object], **___: object) -> HttpResponse:
        contexts.append(context)
        return HttpResponse()

    monkeypatch.setattr("console.pages.partials.render", rendered)
    asking = {"HX_Request": "true", "HX_Target": "one"}
    for request in (asked(**asking), asked(**asking, HX_History_Restore_Request="true"), asked()):
        render_partial_or_page(request, PAGE, {}, partials=PARTS)
    assert [context["is_partial"] for context in contexts] == [True, False, False]


def test_only_a_part_is_told_to_stop_polling() -> None:
    part = asked(HX_Request="true", HX_Target="one")
    assert used(part, is_final=True)[1].status_code == STOP_POLLING
    assert used(part)[1].status_code == 200
    assert used(asked(), is_final=True)[1].status_code == 200
    assert used(asked(), is_final=True, status=422)[1].status_code == 422


def test_caches_are_told_that_the_answer_depends_on_the_asker() -> None:
    for request in (asked(), asked(HX_Request="true", HX_Target="one")):
        names = {name.strip() for name in used(request)[1]["Vary"].split(",")}
        assert {"HX-Request", "HX-Target"} <= names


def test_a_view_asks_which_of_several_parts_is_wanted() -> None:
    request = asked(HX_Request="true", HX_Target="two")
    assert wants_partial(request)
    assert wants_partial(request, "one", "two")
    assert not wants_partial(request, "one")
    assert not wants_partial(asked(), "two")
    assert not wants_partial(HttpRequest())


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("/", "overview-live"),
        ("/search/?q=a", "search-results"),
        ("/tenants/", "tenants-table"),
        ("/rollouts/", "rollouts-table"),
        ("/targets/", "targets-table"),
        ("/jobs/replays/", "replays-table"),
        ("/jobs/facets/", "facets"),
    ],
)
def test_each_page_and_its_part_share_an_address_and_say_so(url: str, target: str) -> None:
    browser = Client()
    browser.force_login(User.objects.create_user("viewer", role=Role.VIEWER))
    page = browser.get(url)
    part = browser.get(url, headers={"HX-Request": "true", "HX-Target": target})
    assert "<html" in page.content.decode()
    assert "<html" not in part.content.decode()
    for response in (page, part):
        assert "HX-Request" in response["Vary"]
        assert "HX-Target" in response["Vary"]


def test_no_view_tells_parts_from_pages_by_hand() -> None:
    """One rule for all: who replaces the whole page, and what caches must know, stands once."""
    by_hand = [
        str(path.relative_to(ROOT))
        for app in ("console", "tenants", "quotas", "observability")
        for path in (ROOT / app).rglob("*.py")
        if path != ROOT / "console/pages/partials.py"
        and re.search(r"\.htmx\b(?!, \"current_url)", path.read_text(encoding="utf-8"))
    ]
    assert by_hand == []
    templates = (ROOT / "templates").rglob("*.html")
    assert [path.name for path in templates if "request.htmx" in path.read_text("utf-8")] == []
