"""Whatever goes wrong below /api/ is a problem with the id of the request."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from console.access.models import Role, User
from quotas.plans.api import PlanReads
from tests.rest import Rest

pytestmark = pytest.mark.django_db


def assert_problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
    body: dict[str, Any] = answer.json()
    assert (body["status"], body["code"]) == (status, code)
    assert body["type"] == f"urn:headroom:problem:{code}"
    assert body["title"]
    assert body["detail"]
    assert body["request_id"] == answer["X-Request-ID"]
    return body


@pytest.fixture
def viewer() -> Rest:
    rest = Rest("viewer")
    rest.client.raise_request_exception = False
    return rest


def test_a_fault_of_ours_is_a_problem_that_says_nothing_of_its_cause(
    viewer: Rest, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("secret of the house")

    monkeypatch.setattr(PlanReads, "shape", broken)
    body = assert_problem(viewer.get("plans/"), 500, "server_fault")
    assert "secret" not in str(body)
    assert "ZeroDivisionError" in caplog.text  # whoever runs it finds the cause in the log
    head = viewer.client.head("/api/v1/plans/")
    assert (head.status_code, head.content) == (500, b"")


@pytest.mark.parametrize(
    "path", ["/api/", "/api/nope", "/api/v2/tenants/", "/api/v1/nope/", "/api/v1/"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_address_that_leads_nowhere_is_a_problem(viewer: Rest, path: str, method: str) -> None:
    assert_problem(viewer.client.generic(method, path), 404, "not_found")
    assert_problem(Client().generic(method, path), 401, "not_authenticated")


@pytest.mark.parametrize(
    ("method", "path"),
    [("DELETE", "plans/"), ("PUT", "plans/standard/"), ("PATCH", "jobs/1/"), ("POST", "drift/"),
     ("TRACE", "plans/"), ("PROPFIND", "plans/")],
)  # fmt: skip
def test_a_method_that_an_address_does_not_have_is_a_problem(
    viewer: Rest, method: str, path: str
) -> None:
    answer = viewer.client.generic(method, f"/api/v1/{path}")
    assert_problem(answer, 405, "method_not_allowed")
    assert "GET" in answer["Allow"]


@pytest.mark.parametrize("host", ["evil.example", "a b", "x:y", "testserver.evil.example"])
def test_a_host_that_is_not_ours_is_a_problem(viewer: Rest, host: str) -> None:
    for path in ("/api/v1/tenants/", "/api/nope"):
        assert_problem(viewer.client.get(path, headers={"Host": host}), 400, "bad_request")
    page = viewer.client.get("/tenants/", headers={"Host": host})
    assert page.status_code == 400
    assert page["Content-Type"].startswith("text/html")


def test_a_forged_form_is_a_problem() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_user("olga", role=Role.OPERATOR))
    answer = client.post("/api/v1/leases/", {}, content_type="application/json")
    assert_problem(answer, 403, "permission_denied")
    assert_problem(client.post("/api/docs/"), 403, "permission_denied")
    page = client.post("/audit/")
    assert page.status_code == 403
    assert "Nothing was changed" in page.content.decode()
    assert "style" not in page.content.decode().replace("stylesheet", "")


@pytest.mark.parametrize("sent", ["yaml", "json", "html", "odd"])
def test_a_problem_is_json_whatever_format_was_asked_for(viewer: Rest, sent: str) -> None:
    """A format that there is not is itself not found."""
    answers = [
        Client().get(f"/api/v1/schema/?format={sent}"),
        Client().get("/api/v1/schema/", headers={"Accept": f"application/{sent}"}),
        viewer.client.get(f"/api/v1/tenants/?format={sent}&x=y"),
    ]
    for answer in answers:
        assert answer["Content-Type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status_code in (400, 401, 404, 406)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=" + "x" * 300, b"x"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name"),
        ("application/x-www-form-urlencoded", b"a=%ff%00"),
        ("text/plain", b"x"),
        ("", b"x"),
        ("application/json", b"\xff\xfe"),
    ],
)
def test_a_body_that_cannot_be_read_is_a_problem(content_type: str, body: bytes) -> None:
    session = Client(enforce_csrf_checks=True)
    session.force_login(User.objects.create_user("olga", role=Role.OPERATOR))
    for client in (Rest("operator").client, session):
        answer = client.generic("POST", "/api/v1/leases/", body, content_type=content_type)
        assert answer.status_code in (400, 403, 415)
        assert answer["Content-Type"] == "application/problem+json"


def test_a_database_that_is_away_is_a_problem_that_says_when_to_ask_again(
    viewer: Rest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(PlanReads, "shape", away)
    answer = viewer.get("plans/")
    assert_problem(answer, 503, "unavailable")
    assert answer["Retry-After"] == "5"


def test_the_page_of_the_api_stays_a_page_for_a_browser() -> None:
    client = Client()
    client.force_login(User.objects.create_user("nobody"))
    page = client.get("/api/docs/", headers={"Accept": "text/html,*/*;q=0.8"})
    assert (page.status_code, page["Content-Type"]) == (403, "text/html; charset=utf-8")
    assert_problem(client.get("/api/docs/"), 403, "permission_denied")
