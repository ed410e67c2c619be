"""Who gets through to an endpoint, and what a refused attempt leaves behind."""

import pytest
from django.test import Client

from console.access.models import Role, User
from console.audit.models import ActorKind, Entry
from tests.console.endpoints import CALLS, api, assert_problem, operator, send, token

__all__ = ["api", "operator", "token"]  # fixtures

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.console.endpoints")]


def test_what_is_not_declared_is_denied(api: Client) -> None:
    assert_problem(api.get("/undeclared/"), 403, "permission_denied")


def test_a_method_that_is_not_there_is_said_to_be_none(api: Client) -> None:
    answer = api.put("/entries/")
    assert_problem(answer, 405, "method_not_allowed")
    assert answer["Allow"] == "GET, HEAD, OPTIONS"
    assert not Entry.objects.exists()


def test_a_refused_write_is_in_the_ledger_under_the_tokens_name(
    api: Client, operator: User
) -> None:
    User.objects.update(role=Role.VIEWER)
    body = assert_problem(send(api, "a"), 403, "permission_denied")
    assert "Leases, suspend and resume" in body["detail"]
    entry = Entry.objects.get()
    assert (entry.actor, entry.actor_kind) == ("olga/ci", ActorKind.KEY)
    assert CALLS == []


def test_a_one_time_password_opens_no_endpoint(api: Client) -> None:
    User.objects.update(password_is_one_time=True)
    assert api.get("/entries/").status_code == 403
