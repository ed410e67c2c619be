"""What every request passes through: ids, caches, policies, sizes, errors."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from pytest_django import Settings

from console.access.models import Role, User
from console.audit.models import Entry
from tests.rest import Rest

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def viewer(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_user("vera", role=Role.VIEWER))
    return client


# -- ids -----------------------------------------------------------------------------------------


def test_an_act_is_never_filed_under_an_id_that_the_caller_chose(db: None) -> None:
    rest = Rest("viewer")
    answer = rest.post("tenants/", {}, X_Request_ID="0123456789abcdef0123456789abcdef")
    assert answer.status_code == 403
    (entry,) = Entry.objects.filter(action="access.refused")
    assert entry.request_id == answer["X-Request-ID"] == answer.json()["request_id"]
    assert re.fullmatch("[0-9a-f]{32}", entry.request_id)
    assert entry.request_id != "0123456789abcdef0123456789abcdef"


# -- caches --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/audit/",
        "/tenants/",
        "/plans/",
        "/jobs/",
        "/access/account/",
        "/nope/",
        "/jobs/?cursor=x",
    ],
)
def test_no_cache_keeps_a_page_of_somebody_who_signed_in(viewer: Client, path: str) -> None:
    kept = viewer.get(path)["Cache-Control"]
    assert "private" in kept
    assert "no-store" in kept


@pytest.mark.parametrize("path", ["tenants/", "jobs/", "schema/", "nope/", "jobs/?cursor=x"])
def test_no_cache_keeps_an_answer_of_rest_or_gives_it_to_another_token(db: None, path: str) -> None:
    answer = Rest("viewer").get(path)
    assert answer["Cache-Control"] == "private, no-store"
    assert {"Authorization", "Cookie"} <= set(answer["Vary"].split(", "))


def test_strangers_answers_are_not_kept_either_and_static_files_are(settings: Settings) -> None:
    assert Client().get("/")["Cache-Control"] == "private, no-store"
    assert Client().get("/healthz")["Cache-Control"] == "private, no-store"
    settings.WHITENOISE_USE_FINDERS = settings.WHITENOISE_AUTOREFRESH = True
    kept = Client().get("/static/console/headroom.css")["Cache-Control"]
    assert "private" not in kept
    assert "no-store" not in kept


# -- the policy of content -----------------------------------------------------------------------


def test_no_style_and_no_script_runs_that_is_not_a_file_of_ours(viewer: Client) -> None:
    policy = viewer.get("/")["Content-Security-Policy"]
    assert "style-src 'self';" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy


def test_no_template_and_no_script_of_ours_brings_a_style_of_its_own() -> None:
    """An attribute or an element would be ignored by the browser, and look wrong in silence."""
    root = Path(settings.BASE_DIR)
    makes_style = re.compile(r"<style|\sstyle=|hx-on|\son[a-z]+=|setAttribute\(\s*.style")
    files = [
        *root.glob("templates/**/*.html"),
        *root.glob("console/static/console/*.js"),
        *root.glob("console/templatetags/*.py"),
        *root.glob("console/pages/*.py"),
        *root.glob("*/**/charts/*.py"),
    ]
    assert len(files) > 100
    bad = [
        (str(path.relative_to(root)), match[0])
        for path in files
        for match in [makes_style.search(path.read_text())]
        if match
    ]
    assert bad == []


def test_htmx_adds_no_style_of_its_own_wherever_it_is_loaded() -> None:
    for path in Path(settings.BASE_DIR, "templates").glob("**/*.html"):
        text = path.read_text()
        if "htmx-2" in text:
            assert '"includeIndicatorStyles":false' in text, path


# -- sizes ---------------------------------------------------------------------------------------

MOST = 2_621_440


def test_a_body_that_is_too_large_is_a_413_page_and_changes_nothing(viewer: Client) -> None:
    answer = viewer.post("/access/account/", b"name=" + b"x" * MOST, content_type=FORM)
    assert answer.status_code == 413
    assert "too much at once" in answer.content.decode()
    assert answer["Content-Type"].startswith("text/html")


def test_a_body_that_is_too_large_is_a_413_problem_over_rest(db: None) -> None:
    rest = Rest("operator")
    body = {"reason": "x" * MOST}
    answer = rest.post("leases/", body)
    assert_problem(answer, 413, "too_large")
    assert_problem(rest.patch("targets/lab/", body), 413, "too_large")


def test_it_is_refused_before_it_is_read_and_before_anybody_is_asked_who_they_are(
    db: None,
) -> None:
    class Unread(io.BytesIO):
        def read(self, *_: Any) -> bytes:
            raise AssertionError("read")

    unread: dict[str, Any] = {"wsgi.input": Unread(), "CONTENT_LENGTH": str(MOST + 1)}
    answer = Client().generic("POST", "/api/v1/leases/", b"", **unread)
    assert_problem(answer, 413, "too_large")


def test_a_body_of_the_most_is_read(db: None) -> None:
    frame = len('{"reason": ""}')
    answer = Rest("operator").post("leases/", {"reason": "x" * (MOST - frame)})
    assert answer.status_code == 422


def test_too_many_fields_and_files_are_a_413_too(viewer: Client) -> None:
    fields = "&".join(f"f{number}=1" for number in range(1_001))
    assert viewer.post("/access/account/", fields, content_type=FORM).status_code == 413
    assert viewer.get(f"/jobs/?{fields}").status_code == 413
    files = {f"f{number}": open(__file__, "rb") for number in range(11)}  # noqa: PTH123, SIM115 - closed below
    try:
        assert viewer.post("/access/account/", files).status_code == 413
    finally:
        for file in files.values():
            file.close()


@pytest.mark.parametrize(
    "charset", ["hex", "rot13", "bz2", "zlib", "base64", "idna", "punycode", "utf-7", "undefined"]
)
@pytest.mark.parametrize("kind", [FORM, "multipart/form-data; boundary=b", "application/json"])
def test_a_character_set_that_nobody_sends_is_refused(
    viewer: Client, charset: str, kind: str
) -> None:
    typed = f"{kind}; charset={charset}"
    part = b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nx\r\n--b--\r\n'
    assert viewer.generic("POST", "/access/account/", part, content_type=typed).status_code == 415
    answer = Rest("operator").client.generic("POST", "/api/v1/leases/", b"{}", content_type=typed)
    assert_problem(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize("charset", ["utf-8", "us-ascii", "latin-1", "nonsense"])
def test_what_is_sent_is_read(viewer: Client, charset: str) -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\n\xe9\r\n--b--\r\n'
    typed = f"multipart/form-data; boundary=b; charset={charset}"
    answer = viewer.generic("POST", "/access/account/", part, content_type=typed)
    assert answer.status_code == 422


# -- going back ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("referer", "link"),
    [
        ("http://testserver/audit/?actor=a", 'href="/audit/?actor=a"'),
        ("javascript:alert(1)", 'href="/"'),
        ("https://evil.example/", 'href="/"'),
    ],
)
def test_back_on_an_error_page_stays_here(viewer: Client, referer: str, link: str) -> None:
    page = viewer.get("/audit/?cursor=x", headers={"Referer": referer})
    assert page.status_code == 400
    assert f'<a class="button" {link}>' in page.content.decode()


def assert_problem(answer: Any, status: int, code: str) -> None:
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
    body = answer.json()
    assert (body["status"], body["code"]) == (status, code)
    assert body["request_id"] == answer["X-Request-ID"]
