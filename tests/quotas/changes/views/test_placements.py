"""The page of a placement's drift policy, and the group of a tenant."""

from __future__ import annotations

from types import SimpleNamespace

from django.urls import reverse

from console.access.models import Role
from console.audit.models import Entry
from console.audit.services import Actor
from quotas.changes.kinds.lifecycle import Offboard
from quotas.enforcement.models import Rollout
from tenants.models import Tenant
from tests.quotas.changes.apply_change import carry_out
from tests.quotas.changes.page_client import (
    browser,
    field_value,
    of,
    said,
)


def test_an_operator_holds_drift_at_one_placement(dataset: SimpleNamespace) -> None:
    operator, placement = browser(Role.OPERATOR), dataset.placements["acme"]
    path = reverse("changes:drift_policy", args=[placement.pk])
    tenant = reverse("enforcement:tenant", args=["acme"])
    assert path in operator.get(tenant).content.decode()
    page = said(operator.get(path))
    assert "As lab says (heal)" in page
    refused = operator.post(path, {"policy": "hold", "reason": " "})
    assert refused.status_code == 422
    done = operator.post(path, {"policy": "hold", "reason": "debugging"}, follow=True)
    assert f"Saved for {placement}" in said(done)
    placement.refresh_from_db()
    assert placement.drift_policy == "hold"
    assert Entry.objects.latest("pk").action == "placement.drift_policy"
    operator.post(path, {"policy": "follow", "reason": "done debugging"})
    placement.refresh_from_db()
    assert placement.drift_policy == ""


def test_a_new_group_says_which_rollout_writes_it(dataset: SimpleNamespace) -> None:
    client = browser()
    form = client.get(of("tenant_edit"))
    sent = {"name": "Acme", "group": "devs", "reason": "new team"}
    done = client.post(
        of("tenant_edit"), {**sent, "generation": field_value(form, "generation")}, follow=True
    )
    rollout = Rollout.objects.latest("pk")
    assert f"Rollout {rollout.pk} writes the new group" in said(done)
    assert Tenant.objects.get(slug="acme").group == "devs"


def test_a_tenant_that_is_off_boarded_can_be_looked_at_but_not_changed(
    dataset: SimpleNamespace, alice: Actor
) -> None:
    carry_out(Offboard("acme", confirm="acme"), alice)
    page = browser().get(reverse("enforcement:tenant", args=["acme"]))
    assert "Being off-boarded." in said(page)
    text = page.content.decode()
    for name in ("suspend", "limits", "place", "offboard"):
        assert of(name) not in text
    for name in ("displace", "drift_policy"):
        assert reverse(f"changes:{name}", args=[dataset.placements["acme"].pk]) not in text
