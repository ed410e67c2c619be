"""Filters of lists: what no column holds is refused in words, before a database has to."""

from __future__ import annotations

import pytest
from django.test import Client

from console.access.models import Role, User
from tests.rest import Rest

pytestmark = pytest.mark.django_db
NO_IDS = [
    "9" * 18,
    "9" * 5_000,
    "-1",
    "1.5",
    "-9.7e218",
    "1e400",
    "NaN",
    "²",
    "٣",
    "x",
    "0x10",
    " ",
]
NO_MOMENTS = ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-13-01T00:00:00Z",
              "0000-00-00", "x", "²", "9" * 5_000]  # fmt: skip


@pytest.mark.parametrize("text", NO_IDS)
def test_an_id_that_is_none_is_refused(text: str) -> None:
    answer = Rest(Role.VIEWER).get("actions/", run=text)
    assert (answer.status_code, answer.json()["field"]) == (400, "run"), answer.content
    assert "use an id" in answer.json()["detail"]


@pytest.mark.parametrize("text", ["", "1", "007", "9" * 17])
def test_an_id_is_taken(text: str) -> None:
    assert Rest(Role.VIEWER).get("actions/", run=text).json()["results"] == []


@pytest.mark.parametrize("text", NO_MOMENTS)
def test_a_moment_that_is_none_is_refused(text: str) -> None:
    rest = Rest(Role.VIEWER)
    for path, name in (("drift/", "since"), ("jobs/", "updated_since"), ("jobs/", "since")):
        answer = rest.get(path, **{name: text})
        assert answer.status_code == 400, (path, name, answer.content)


@pytest.mark.parametrize("text", ["2026-11-22T18:00:00Z", "2026-11-22T18:00:00+05:30", ""])
def test_a_moment_is_taken(text: str) -> None:
    assert Rest(Role.VIEWER).get("drift/", since=text).status_code == 200


@pytest.mark.parametrize("text", ["0001-01-01", "9999-12-31", "0000-00-00", "²", "9" * 5_000, "x"])
def test_the_ledger_is_shown_whatever_its_dates_are(text: str) -> None:
    client = Client()
    client.force_login(User.objects.create_user("vera", role=Role.VIEWER))
    for name in ("since", "until"):
        assert client.get("/audit/", {name: text}).status_code == 200


@pytest.mark.parametrize("text", ["maybe", "%00", "%s", "%(x)s", "{% x %}", "²", "9" * 5_000])
def test_what_is_neither_true_nor_false_is_refused(text: str) -> None:
    rest = Rest(Role.VIEWER)
    for path, name in (("leases/", "active"), ("plans/", "archived"), ("rollouts/", "open")):
        answer = rest.get(path, **{name: text})
        assert answer.status_code == 400, (path, answer.content)
        assert f"{text[:80]!r} is not accepted; use true or false" in answer.json()["detail"]
