"""What every REST endpoint shares: problems, pages, preconditions."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from console.access.models import User
from console.audit.services import Actor, build, record_all
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


def write(number: int) -> None:
    at = timezone.now()
    record_all(
        [
            build(
                actor=Actor.loop("sweep"),
                action="drift.repair",
                object_type="tenant",
                object_id=index,
                object_label=f"t-{index}",
                at=at,
            )
            for index in range(number)
        ]
    )


def test_pages_give_every_row_once_although_their_times_are_equal(api: Client) -> None:
    write(25)
    seen: list[str] = []
    url = "/entries/?page_size=10"
    while url:
        body = api.get(url).json()
        seen += [row["object_label"] for row in body["results"]]
        last, url = body, body["next"]
    assert seen == [f"t-{index}" for index in range(25)]
    before = api.get(last["previous"]).json()
    assert [row["object_label"] for row in before["results"]] == seen[10:20]
    assert api.get(before["previous"]).json()["previous"] is None


def test_rows_that_arrive_meanwhile_shift_nothing(api: Client) -> None:
    write(15)
    first = api.get("/entries/?page_size=10").json()
    write(1)
    second = api.get(first["next"]).json()
    assert [row["object_label"] for row in second["results"]][:5] == [
        f"t-{index}" for index in range(10, 15)
    ]


@pytest.mark.parametrize("size", ["0", "501", "-1", "x", "²", ""])
def test_a_page_size_that_cannot_be_is_refused(api: Client, size: str) -> None:
    body = assert_problem(api.get("/entries/", {"page_size": size}), 400, "invalid_page_size")
    assert body["field"] == "page_size"


@pytest.mark.parametrize("cursor", ["x", "WzBd", "!!", "WzAsbnVsbCwxXQ"])
def test_an_invalid_cursor_is_a_problem(api: Client, cursor: str) -> None:
    assert_problem(api.get("/entries/", {"cursor": cursor}), 400, "invalid_cursor")


def test_a_write_needs_the_version_that_was_read(api: Client, operator: User) -> None:
    url = f"/people/{operator.pk}/"

    def patch(name: str, **headers: str) -> Any:
        return api.patch(
            url, {"first_name": name}, content_type="application/json", headers=headers
        )

    tag = api.get(url)["ETag"]
    assert_problem(patch("A"), 428, "precondition_required")
    assert_problem(patch("A", **{"If-Match": '"other"'}), 412, "precondition_failed")
    changed = patch("A", **{"If-Match": tag})
    assert changed.status_code == 200
    assert changed["ETag"] == f'"{operator.pk}-A"'
    assert_problem(patch("B", **{"If-Match": tag}), 412, "precondition_failed")
    assert patch("B", **{"If-Match": f'"x", {changed["ETag"]}'}).status_code == 200
    assert patch("C", **{"If-Match": "*"}).status_code == 200
    operator.refresh_from_db()
    assert operator.first_name == "C"


def test_what_has_not_changed_is_not_sent_again(api: Client, operator: User) -> None:
    url = f"/people/{operator.pk}/"
    again = api.get(url, headers={"If-None-Match": api.get(url)["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
