"""Cursor pages of REST lists."""

import pytest
from django.test import Client
from django.utils import timezone

from console.audit.services import Actor, build, record_all
from tests.console.endpoints import api, assert_problem, operator, token

__all__ = ["api", "operator", "token"]  # fixtures

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.console.endpoints")]


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
    labels: list[str] = []
    url = "/entries/?page_size=10"
    while url:
        body = api.get(url).json()
        labels += [row["object_label"] for row in body["results"]]
        last, url = body, body["next"]
    assert labels == [f"t-{index}" for index in range(25)]
    before = api.get(last["previous"]).json()
    assert [row["object_label"] for row in before["results"]] == labels[10:20]
    assert api.get(before["previous"]).json()["previous"] is None


def test_rows_that_arrive_meanwhile_shift_nothing(api: Client) -> None:
    write(15)
    first = api.get("/entries/?page_size=10").json()
    write(1)
    second = api.get(first["next"]).json()
    assert [row["object_label"] for row in second["results"]][:5] == [
        f"t-{index}" for index in range(10, 15)
    ]


@pytest.mark.parametrize("size", ["0", "501", "-1", "x", "²", "٣", "9" * 5_000, "1e400", "NaN", ""])
def test_a_page_size_that_cannot_be_is_refused(api: Client, size: str) -> None:
    body = assert_problem(api.get("/entries/", {"page_size": size}), 400, "invalid_page_size")
    assert body["field"] == "page_size"


@pytest.mark.parametrize("cursor", ["x", "WzBd", "!!", "WzAsbnVsbCwxXQ"])
def test_an_invalid_cursor_is_a_problem(api: Client, cursor: str) -> None:
    assert_problem(api.get("/entries/", {"cursor": cursor}), 400, "invalid_cursor")
