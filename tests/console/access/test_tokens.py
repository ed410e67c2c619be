"""Sign-in of machines: a token signs its owner in, or nobody."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from console.access.models import ApiToken, User
from tests.console.endpoints import CALLS, api, assert_problem, operator, send, token

__all__ = ["api", "operator", "token"]  # fixtures

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.console.endpoints")]


def test_a_stranger_is_told_how_to_sign_in() -> None:
    response = Client().get("/entries/")
    assert_problem(response, 401, "not_authenticated")
    assert response["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("sent", ["Bearer hr_wrong", "Bearer", "Bearer a b"])
def test_a_wrong_token_is_refused(operator: User, sent: str) -> None:
    response = Client().get("/entries/", headers={"Authorization": sent})
    assert_problem(response, 401, "authentication_failed")


def test_a_revoked_or_expired_token_or_one_of_a_person_who_left_is_refused(
    api: Client, operator: User
) -> None:
    tokens = ApiToken.objects.all()
    assert api.get("/entries/").status_code == 200
    tokens.update(revoked_at=timezone.now())
    assert api.get("/entries/").status_code == 401
    tokens.update(revoked_at=None, expires_at=timezone.now() - timedelta(seconds=1))
    assert api.get("/entries/").status_code == 401
    tokens.update(expires_at=None)
    User.objects.update(is_active=False)
    assert api.get("/entries/").status_code == 401


def test_use_is_noted_at_most_once_a_minute(api: Client) -> None:
    api.get("/entries/")
    first = ApiToken.objects.get().last_used_at
    assert first
    api.get("/entries/")
    assert ApiToken.objects.get().last_used_at == first
    ApiToken.objects.update(last_used_at=first - timedelta(seconds=61))
    api.get("/entries/")
    assert ApiToken.objects.get().last_used_at != first - timedelta(seconds=61)


def test_a_session_needs_its_csrf_token(operator: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(operator)
    assert_problem(send(client, "a"), 403, "permission_denied")
    assert CALLS == []
