"""The same change for several tenants: from the list to the rollout."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from django.urls import reverse

from quotas.plans.models import PlanVersion
from tests.quotas.changes.page_client import (
    browser,
    of,
    said,
    through,
)

BULK = reverse("changes:bulk")
MANY = {"tenants": ["acme", "globex"]}


@pytest.mark.parametrize(
    ("action", "more"),
    [
        ("move_plan", {"plan": "gold"}),
        ("lease", {"key": "pods", "value": "150", "how": "lease", "span": "4"}),
        ("suspend", {}),
    ],
)
def test_the_same_change_for_several_tenants(
    dataset: SimpleNamespace, gold: PlanVersion, action: str, more: dict[str, str]
) -> None:
    admin = browser()
    form = admin.post(BULK, {**MANY, "action": action})
    assert form.status_code == 200
    assert "acme globex" in said(form)
    fields = {"tenants": "acme\nglobex", "action": action, "step": "propose", **more}
    rollout = through(admin, BULK, fields)
    assert rollout.total == 3
    assert "acme and globex" in rollout.title


def test_several_are_resumed_and_the_others_are_named(dataset: SimpleNamespace) -> None:
    admin = browser()
    through(admin, of("suspend"), {})
    fields = {"tenants": "acme, globex", "action": "resume", "step": "propose"}
    page = admin.post(BULK, fields, follow=True)
    assert "Left out, not suspended: globex." in said(page)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"action": "suspend"}, "Select at least one tenant first."),
        ({"action": "explode", "tenants": "acme"}, "'explode' cannot be done"),
    ],
)
def test_nothing_selected_leads_back_to_the_list(
    dataset: SimpleNamespace, fields: dict[str, str], message: str
) -> None:
    admin = browser()
    response = admin.post(BULK, fields)
    assert response["Location"] == reverse("enforcement:tenants")
    assert message in said(admin.get(reverse("changes:proposals")))


def test_an_unknown_tenant_among_several_is_named(dataset: SimpleNamespace) -> None:
    fields = {"tenants": "acme\nnobody", "action": "suspend", "step": "propose"}
    response = browser().post(BULK, fields)
    assert response.status_code == 422
    assert "nobody: there is no such tenant" in said(response)
