"""The people of a tenant over REST."""

from __future__ import annotations

from typing import Any

import pytest

from console.access.models import Role, User
from console.audit.models import Entry
from tenants.models import Membership, Tenant
from tests.rest import Rest

pytestmark = pytest.mark.django_db
WHY = {"reason": "joins the team"}


@pytest.fixture
def admin() -> Rest:
    Tenant.objects.create(slug="acme", name="Acme")
    for name in ("ida", "joe"):
        User.objects.create_user(name)
    return Rest(Role.ADMIN)


def test_a_person_is_added_listed_and_taken_out(
    admin: Rest, django_assert_num_queries: Any
) -> None:
    made = admin.post("tenants/acme/members/", {"user": "ida", "role": "owner", **WHY})
    assert made.status_code == 201, made.content
    assert (made.json()["user"], made.json()["role"]) == ("ida", "owner")
    admin.post("tenants/acme/members/", {"user": "joe", **WHY})
    with django_assert_num_queries(3):  # the token, the tenant, the page
        rows = admin.get("tenants/acme/members/").json()["results"]
    assert [(row["user"], row["role"]) for row in rows] == [("ida", "owner"), ("joe", "member")]
    path = f"tenants/acme/members/{made.json()['id']}/"
    tag = admin.get(path)["ETag"]
    assert admin.delete(f"{path}?reason=left").status_code == 428
    assert admin.delete(f"{path}?reason=left", If_Match='"1-2-3"').status_code == 412
    assert admin.delete(path, If_Match=tag).json()["code"] == "reason_required"
    assert admin.delete(f"{path}?reason=left", If_Match=tag).status_code == 204
    assert Membership.objects.count() == 1
    actions = list(Entry.objects.order_by("pk").values_list("action", "reason"))
    assert actions[-1] == ("tenant.member.remove", "left")


@pytest.mark.parametrize(
    ("body", "status", "field", "words"),
    [
        ({"user": "eve", **WHY}, 422, "user", "'eve' is not a user"),
        ({"user": "ida"}, 422, "reason", "eason"),
        ({"user": "ida", "role": "king", **WHY}, 422, "role", "'king'"),
        ({"user": "ida", "rank": 1, **WHY}, 422, "rank", "use user, role, reason"),
        ({"user": 5, **WHY}, 422, "user", "use a text"),
    ],
)
def test_a_fault_is_named(
    admin: Rest, body: dict[str, Any], status: int, field: str, words: str
) -> None:
    response = admin.post("tenants/acme/members/", body)
    assert (response.status_code, response.json()["field"]) == (status, field)
    assert words in response.json()["detail"]
    assert Membership.objects.count() == 0


def test_nobody_is_a_member_twice(admin: Rest) -> None:
    admin.post("tenants/acme/members/", {"user": "ida", **WHY})
    again = admin.post("tenants/acme/members/", {"user": "ida", **WHY})
    assert (again.status_code, again.json()["code"]) == (409, "taken")


def test_people_of_another_tenant_are_not_found_here(admin: Rest) -> None:
    other = Tenant.objects.create(slug="other", name="Other")
    member = Membership.objects.create(tenant=other, user=User.objects.get(username="ida"))
    assert admin.get(f"tenants/acme/members/{member.pk}/").status_code == 404
    assert admin.get("tenants/nobody/members/").status_code == 404
