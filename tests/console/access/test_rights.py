"""Who may do what, and what a refused attempt leaves behind."""

import pytest
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.test import Client, RequestFactory

from console.access.contracts import Permission
from console.access.models import ApiToken, Role, User
from console.access.rights import SignedInRequest, actor_of, requires
from console.audit.models import Entry, Outcome

pytestmark = pytest.mark.django_db


@requires(Permission.OPERATE)
def repair(request: SignedInRequest, name: str) -> HttpResponse:
    return HttpResponse(f"{request.user.username} repairs {name}")


def person(role: str, **fields: bool) -> User:
    return User.objects.create_user(
        f"p-{role or 'none'}", None, "long enough 1", role=role, **fields
    )


def ask(user: object, method: str = "GET") -> HttpResponse:
    request = RequestFactory().generic(method, "/repair/acme/")
    request.user = user  # type: ignore[assignment]  # also the anonymous
    response = repair(request, "acme")
    assert isinstance(response, HttpResponse)
    return response


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.ADMIN])
def test_a_role_that_includes_the_permission_gets_in(role: str) -> None:
    assert ask(person(role)).content.decode().endswith("repairs acme")


@pytest.mark.parametrize("role", [Role.VIEWER, Role.NOBODY])
def test_another_role_is_refused_and_an_attempt_to_write_is_recorded(role: str) -> None:
    user = person(role)
    with pytest.raises(PermissionDenied):
        ask(user)
    assert not Entry.objects.exists()
    with pytest.raises(PermissionDenied):
        ask(user, "POST")
    entry = Entry.objects.get()
    assert (entry.actor, entry.outcome, entry.action) == (
        user.username,
        Outcome.REFUSED,
        "access.refused",
    )


def test_whoever_was_deactivated_may_nothing() -> None:
    with pytest.raises(PermissionDenied):
        ask(person(Role.ADMIN, is_active=False))


def test_a_stranger_is_sent_to_the_sign_in() -> None:
    response = Client().get("/audit/?tenant=acme")
    assert response.status_code == 302
    assert response["Location"] == "/access/sign-in/?next=/audit/%3Ftenant%3Dacme"


def test_a_one_time_password_opens_nothing_but_the_password_page() -> None:
    user = person(Role.ADMIN, password_is_one_time=True)
    assert ask(user)["Location"] == "/access/account/password/"
    client = Client()
    client.force_login(user)
    assert client.get("/audit/")["Location"] == "/access/account/password/"
    assert client.get("/access/account/")["Location"] == "/access/account/password/"
    assert client.get("/access/account/password/").status_code == 200


def test_a_refused_person_sees_a_page_that_says_why() -> None:
    client = Client()
    client.force_login(person(Role.VIEWER))
    response = client.get("/access/people/")
    assert response.status_code == 403
    assert "Plans, tenants, placements, targets, people" in response.content.decode()


def test_a_token_acts_under_its_own_name() -> None:
    user = person(Role.ADMIN)
    ApiToken.issue(user=user, name="gitops")
    request = RequestFactory().get("/")
    request.user = user
    assert actor_of(request).name == "p-admin"
    request.auth = ApiToken.objects.get()  # type: ignore[attr-defined]  # as DRF does
    assert actor_of(request).name == "p-admin/gitops"
