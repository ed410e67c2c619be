"""Sign-in, my account, people."""

import re

import pytest
from django.test import Client

from console.access.models import ApiToken, Role, User
from console.audit.models import Entry

pytestmark = pytest.mark.django_db

PASSWORD = "a long password 1"


@pytest.fixture
def ana() -> User:
    return User.objects.create_superuser("ana", "ana@example.org", PASSWORD)


@pytest.fixture
def admin(ana: User) -> Client:
    client = Client()
    client.force_login(ana)
    return client


def test_who_createsuperuser_makes_is_an_admin_of_the_console(ana: User) -> None:
    assert ana.role == Role.ADMIN


def test_signing_in_leads_to_where_one_wanted_to_go(ana: User) -> None:
    response = Client().post(
        "/access/sign-in/", {"username": "ana", "password": PASSWORD, "next": "/audit/?a=b"}
    )
    assert response["Location"] == "/audit/?a=b"


def test_signing_in_never_leads_to_another_site(ana: User) -> None:
    response = Client().post(
        "/access/sign-in/?next=//evil.example",
        {"username": "ana", "password": PASSWORD, "next": "https://evil.example/"},
    )
    assert response["Location"] == "/"


def test_a_wrong_password_is_said_without_saying_which_half_was_wrong(ana: User) -> None:
    response = Client().post("/access/sign-in/", {"username": "ana", "password": "no"})
    assert response.status_code == 422
    assert "do not belong together" in response.content.decode()
    assert Entry.objects.get().action == "session.refused"


def test_after_ten_failures_the_right_password_has_to_wait_too(ana: User) -> None:
    for _ in range(10):
        Client().post("/access/sign-in/", {"username": "ana", "password": "no"})
    response = Client().post("/access/sign-in/", {"username": "ana", "password": PASSWORD})
    assert response.status_code == 422
    assert "Wait five minutes" in response.content.decode()
    other = User.objects.create_user("ben", password=PASSWORD)
    assert (
        Client().post("/access/sign-in/", {"username": "ben", "password": PASSWORD}).status_code
        == 302
    )
    assert other.role == Role.NOBODY


def test_a_partial_that_meets_the_sign_in_moves_the_whole_page(ana: User) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/tenants/?q=a"}
    response = Client().get("/access/sign-in/?next=/tenants/rows/", headers=headers)
    assert response["HX-Redirect"] == "/access/sign-in/?next=%2Ftenants%2F%3Fq%3Da"


def test_signing_out_ends_the_session(admin: Client) -> None:
    assert admin.get("/access/sign-out/").status_code == 405
    admin.post("/access/sign-out/")
    assert admin.get("/access/account/").status_code == 302


def test_a_new_token_is_shown_once_and_stored_as_a_hash(admin: Client, ana: User) -> None:
    page = admin.post(
        "/access/account/", {"name": "gitops", "days": "90", "scope": "read"}
    ).content.decode()
    plain = re.search(r'data-copy="(hr_[^"]+)"', page)
    assert plain
    token = ApiToken.objects.get()
    assert token.digest == ApiToken.digest_of(plain[1])
    assert token.expires_at
    assert plain[1] not in admin.get("/access/account/").content.decode()
    assert Entry.objects.get().action == "token.issue"
    assert plain[1] not in str(Entry.objects.values())


def test_a_token_without_a_name_is_asked_for_one(admin: Client) -> None:
    response = admin.post("/access/account/", {"days": "90"})
    assert response.status_code == 422
    assert 'id="id_name_error"' in response.content.decode()


def test_only_ones_own_token_can_be_revoked(admin: Client) -> None:
    ben = User.objects.create_user("ben")
    ApiToken.issue(user=ben, name="ben's")
    token = ApiToken.objects.get()
    assert admin.post(f"/access/account/tokens/{token.pk}/revoke/").status_code == 404
    client = Client()
    client.force_login(ben)
    assert client.post(f"/access/account/tokens/{token.pk}/revoke/").status_code == 302
    assert client.post(f"/access/account/tokens/{token.pk}/revoke/").status_code == 302
    token.refresh_from_db()
    assert token.revoked_at
    assert Entry.objects.filter(action="token.revoke").count() == 1


def test_an_invited_person_signs_in_once_and_chooses_a_password(admin: Client) -> None:
    page = admin.post(
        "/access/people/new/",
        {"username": "cleo", "email": "", "role": "operator", "reason": "joins the team"},
    ).content.decode()
    once = re.search(r'class="secret">.*?data-copy="([^"]+)"', page, re.DOTALL)
    assert once
    cleo = Client()
    assert cleo.login(username="cleo", password=once[1])
    assert cleo.get("/audit/")["Location"] == "/access/account/password/"
    changed = cleo.post("/access/account/password/", {"current": once[1], "new": PASSWORD})
    assert changed["Location"] == "/access/account/"
    assert cleo.get("/audit/").status_code == 200
    entry = Entry.objects.get(action="person.create")
    assert entry.reason == "joins the team"
    assert entry.after == {"email": "", "role": "operator", "active": True}
    assert once[1] not in str(Entry.objects.values())


@pytest.mark.parametrize(
    ("current", "new", "message"),
    [
        ("wrong", PASSWORD + "x", "not your current password"),
        (PASSWORD, PASSWORD, "password you have now"),
        (PASSWORD, "short", "too short"),
        (PASSWORD, "password123", "too common"),
    ],
)
def test_a_new_password_must_be_a_good_one(
    admin: Client, current: str, new: str, message: str
) -> None:
    response = admin.post("/access/account/password/", {"current": current, "new": new})
    assert response.status_code == 422
    assert message in response.content.decode()


def test_a_name_that_is_taken_is_said_at_the_field(admin: Client) -> None:
    response = admin.post(
        "/access/people/new/", {"username": "ANA", "role": "viewer", "reason": "again"}
    )
    assert response.status_code == 422
    assert "already a person named ANA" in response.content.decode()


def test_a_change_without_a_reason_is_refused(admin: Client) -> None:
    ben = User.objects.create_user("ben", role=Role.VIEWER)
    assert admin.post(f"/access/people/{ben.pk}/role/", {"role": "admin"}).status_code == 422
    assert admin.post(f"/access/people/{ben.pk}/active/", {}).status_code == 422
    assert admin.post(f"/access/people/{ben.pk}/password/", {}).status_code == 422
    ben.refresh_from_db()
    assert (ben.role, ben.is_active) == (Role.VIEWER, True)
    assert not Entry.objects.exists()


def test_a_role_is_changed_with_before_and_after(admin: Client) -> None:
    ben = User.objects.create_user("ben", role=Role.VIEWER)
    admin.post(f"/access/people/{ben.pk}/role/", {"role": "operator", "reason": "on call"})
    entry = Entry.objects.get()
    assert entry.before == {"email": "", "role": "viewer", "active": True}
    assert entry.after == {"email": "", "role": "operator", "active": True}
    assert entry.actor == "ana"


def test_the_last_admin_stays_one(admin: Client, ana: User) -> None:
    response = admin.post(f"/access/people/{ana.pk}/role/", {"role": "viewer", "reason": "oops"})
    assert response.status_code == 422
    assert "last admin" in response.content.decode()
    assert admin.post(f"/access/people/{ana.pk}/active/", {"reason": "x"}).status_code == 422
    User.objects.create_user("ben", role=Role.ADMIN)
    assert admin.post(f"/access/people/{ana.pk}/active/", {"reason": "x"}).status_code == 302


def test_who_is_deactivated_is_out_at_once(admin: Client) -> None:
    ben = User.objects.create_user("ben", role=Role.VIEWER)
    client = Client()
    client.force_login(ben)
    assert client.get("/audit/").status_code == 200
    admin.post(f"/access/people/{ben.pk}/active/", {"reason": "left"})
    assert client.get("/audit/").status_code == 302
    admin.post(f"/access/people/{ben.pk}/active/", {"reason": "is back"})
    ben.refresh_from_db()
    assert ben.is_active


def test_a_lost_password_is_replaced_by_a_one_time_one(admin: Client) -> None:
    ben = User.objects.create_user("ben", password=PASSWORD, role=Role.VIEWER)
    page = admin.post(f"/access/people/{ben.pk}/password/", {"reason": "lost it"}).content.decode()
    ben.refresh_from_db()
    assert ben.password_is_one_time
    once = re.search(r'class="secret">.*?data-copy="([^"]+)"', page, re.DOTALL)
    assert once
    assert ben.check_password(once[1])


def test_people_are_listed(admin: Client) -> None:
    User.objects.create_user("ben", role=Role.VIEWER, password_is_one_time=True)
    page = admin.get("/access/people/").content.decode()
    assert "for a first sign-in" in page
    assert "Operator" not in page
