"""Every refusal of a REST endpoint is a problem."""

import pytest
from django.test import Client

from tests.console.endpoints import api, assert_problem, operator, token

__all__ = ["api", "operator", "token"]  # fixtures

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.console.endpoints")]


def test_a_domain_error_names_its_field(api: Client) -> None:
    body = assert_problem(api.get("/raise/domain/"), 409, "stale_preview")
    assert body["field"] == "fingerprint"
    assert body["errors"] == [
        {"field": "fingerprint", "code": "stale_preview", "detail": "It has changed."}
    ]


def test_an_outside_error_says_whether_to_retry(api: Client) -> None:
    response = api.get("/raise/throttled/")
    assert assert_problem(response, 503, "throttled")["retryable"] is True
    assert response["Retry-After"] == "2"
    assert assert_problem(api.get("/raise/conflict/"), 502, "conflict")["retryable"] is False


def test_what_is_missing_or_malformed_is_a_problem_too(api: Client) -> None:
    assert_problem(api.get("/raise/missing/"), 404, "not_found")
    malformed = api.post("/raise/x/", "{", content_type="application/json")
    assert_problem(malformed, 400, "parse_error")
    form = api.post("/raise/x/", {"name": "x"})
    assert_problem(form, 415, "unsupported_media_type")


def test_every_invalid_field_is_named_by_its_path(api: Client) -> None:
    sent = {"name": "too long", "limits": [1, "x"]}
    response = api.post("/raise/x/", sent, content_type="application/json")
    body = assert_problem(response, 400, "invalid")
    assert {(item["field"], item["code"]) for item in body["errors"]} == {
        ("name", "max_length"),
        ("limits.1", "invalid"),
    }
