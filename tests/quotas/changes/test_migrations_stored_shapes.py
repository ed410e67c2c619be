"""What older versions stored is read by this one: the data migrations of changes."""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.urls import reverse

from console.access.models import Role
from console.audit.services import Actor
from quotas.changes.kinds.adjustments import SetOverride
from quotas.changes.kinds.plans import PublishPlan
from quotas.changes.models import Proposal
from quotas.changes.rules.preview_document import preview_from
from quotas.changes.services import proposals
from quotas.enforcement.ports import ObjectRef
from quotas.plans.contracts import Policy
from tests.quotas.changes.apply_change import propose
from tests.quotas.changes.memory_adapter import MemoryAdapter
from tests.quotas.changes.page_client import browser, said

migration = import_module("quotas.changes.migrations.0002_previews_and_payloads_in_one_shape")
causes = import_module("quotas.changes.migrations.0003_cause_unobserved_in_previews")


def age(proposal: Proposal) -> Proposal:
    """The proposal as the version before stored it."""
    stored: dict[str, Any] = dict(proposal.preview or {})
    for old, new in migration.NAMES.items():
        stored[old] = stored.pop(new)
    stored["base"]["away"] = stored["base"].pop("unreachable")
    for item in stored["objects"]:
        for name in ("kind", "namespace", "name", "part"):
            del item[name]
        for field in item["fields"]:
            field["owner"], field["declarative"] = "argocd", True
    payload = {**proposal.payload, "limits": {"requests.cpu": "30", "pods": "unlimited"}}
    payload["policy"] = {"pod_security": "restricted"}
    Proposal.objects.filter(pk=proposal.pk).update(preview=stored, payload=payload)
    return Proposal.objects.get(pk=proposal.pk)


def test_a_draft_of_an_older_version_is_shown_and_can_be_applied(
    dataset: SimpleNamespace, alice: Actor, plane: MemoryAdapter
) -> None:
    plane.memory.objects["lab", "acme"] = {"hard[requests.cpu]": 1}
    proposed, made = propose(PublishPlan("standard", 1, {"requests.cpu": 30_000}), alice)
    old = age(proposed)
    migration.upgrade(apps, None)
    draft = Proposal.objects.get(pk=old.pk)
    preview = preview_from(draft.preview)
    assert preview is not None
    assert [item.change.ref for item in preview.objects] == [
        item.change.ref for item in made.objects
    ]
    assert proposals.change_of(draft) == PublishPlan(
        "standard", 1, {"requests.cpu": 30_000, "pods": None}, Policy(pod_security="restricted")
    )
    page = browser(Role.VIEWER).get(reverse("changes:proposal", args=[draft.pk]))
    assert "by argocd, which may write it again" in said(page)
    fresh = proposals.request_preview(proposal=draft)
    assert fresh is not None
    proposals.apply(proposal=draft, fingerprint=fresh.fingerprint, reason="because", actor=alice)


@pytest.mark.parametrize(
    "ref",
    [
        ObjectRef("Namespace", "", "acme"),
        ObjectRef("ResourceQuota", "acme", "headroom"),
        ObjectRef("TaskQueue", "default", "orders", "acme"),
    ],
    ids=str,
)
def test_the_name_of_an_object_is_taken_apart_as_it_was_put_together(ref: ObjectRef) -> None:
    match = migration.OBJECT.fullmatch(str(ref))
    assert match is not None
    assert ObjectRef(**match.groupdict("")) == ref


def test_the_way_back_leaves_payloads_that_the_older_version_reads(
    dataset: SimpleNamespace, alice: Actor
) -> None:
    draft, _ = propose(SetOverride(("acme",), "requests.cpu", 1500), alice)
    migration.downgrade(apps, None)
    draft.refresh_from_db()
    assert (draft.payload["value"], draft.preview) == ("1500m", None)
    migration.upgrade(apps, None)
    draft.refresh_from_db()
    assert draft.payload["value"] == 1500


def test_the_causes_of_a_stored_preview_follow_and_can_be_taken_back(
    dataset: SimpleNamespace, alice: Actor
) -> None:
    draft, _ = propose(SetOverride(("acme",), "requests.cpu", 1500), alice)
    blocked = [{"cause": "unseen"}, {"cause": "refused"}]
    rows = Proposal.objects.filter(pk=draft.pk)
    rows.update(preview={**(draft.preview or {}), "blocked": blocked})
    causes.upgrade(apps, None)
    assert rows.filter(preview__blocked=[{"cause": "unobserved"}, {"cause": "refused"}]).exists()
    causes.downgrade(apps, None)
    assert rows.filter(preview__blocked=blocked).exists()
