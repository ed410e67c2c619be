"""What people read about a tenant, and who belongs to it."""

from __future__ import annotations

from types import SimpleNamespace

from django.urls import reverse

from console.access.models import User
from console.audit.models import Entry
from console.audit.services import Actor
from tenants.models import Membership
from tenants.services import governance as tenants
from tests.quotas.changes.page_client import (
    browser,
    field_value,
    of,
    said,
)


def test_a_tenant_is_edited_once_by_whoever_comes_first(dataset: SimpleNamespace) -> None:
    admin = browser()
    page = admin.get(of("tenant_edit"))
    form = {
        "name": "Acme Corp", "contact": "ops@acme.example", "group": "", "labels": "team=red",
        "generation": field_value(page, "generation"), "reason": "new name",
    }  # fmt: skip
    assert admin.post(of("tenant_edit"), form).status_code == 302
    dataset.acme.refresh_from_db()
    assert (dataset.acme.name, dataset.acme.labels) == ("Acme Corp", {"team": "red"})
    late = admin.post(of("tenant_edit"), {**form, "name": "ACME"})
    assert late.status_code == 422
    assert "acme was changed meanwhile" in said(late)
    assert 'value="ACME"' in late.content.decode()


def test_members_come_and_go_with_a_reason(dataset: SimpleNamespace) -> None:
    User.objects.create_user("erin")
    admin = browser()
    path = of("member_add")
    form = {"member-user": "erin", "member-role": "owner", "member-reason": "new owner"}
    assert "erin belongs to acme now." in said(admin.post(path, form, follow=True))
    twice = admin.post(path, form)
    assert twice.status_code == 422
    assert "member of this tenant already" in said(twice)
    nobody = admin.post(path, {**form, "member-user": "frank"})
    assert "no user has that name" in said(nobody)
    member = Membership.objects.get()
    remove = reverse("changes:member_remove", args=["acme", member.pk])
    assert "Say why" in said(admin.post(remove, {"reason": ""}, follow=True))
    assert Membership.objects.count() == 1
    assert admin.post(remove, {"reason": "left the team"}).status_code == 302
    assert Membership.objects.count() == 0
    assert Entry.objects.latest("pk").action == "tenant.member.remove"
    other = tenants.add_member(
        tenant=dataset.acme, user=User.objects.get(username="erin"), actor=Actor.command("test"),
        reason="again",
    )  # fmt: skip
    wrong = reverse("changes:member_remove", args=["globex", other.pk])
    assert admin.post(wrong, {"reason": "not theirs"}).status_code == 404
