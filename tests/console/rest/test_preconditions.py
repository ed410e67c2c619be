"""ETag and If-Match."""

from typing import Any

import pytest
from django.test import Client

from console.access.models import User
from tests.console.endpoints import api, assert_problem, operator, token

__all__ = ["api", "operator", "token"]  # fixtures

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.console.endpoints")]


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
