"""The preview page: what it says first, applying, staleness, drafts, objects, YAML."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from django.urls import reverse
from django.utils import timezone

from console import celery
from console.access.models import Role
from console.audit.services import Actor
from quotas.changes.kinds.lifecycle import Suspend
from quotas.changes.kinds.placements import Displace
from quotas.changes.kinds.plans import PublishPlan
from quotas.changes.models import Proposal, ProposalStatus
from quotas.changes.rules.preview_document import preview_json
from quotas.changes.services import proposals
from quotas.enforcement.models import Rollout
from quotas.plans.services import adjustments
from tests.quotas.changes.apply_change import propose
from tests.quotas.changes.memory_adapter import MemoryAdapter
from tests.quotas.changes.page_client import browser, field_value, said
from tests.quotas.conftest import LIMITS

LESS = PublishPlan("standard", 1, {**LIMITS, "requests.cpu": 30_000})


def page_of(draft: Proposal) -> str:
    return reverse("changes:proposal", args=[draft.pk])


def apply_to(draft: Proposal) -> str:
    return reverse("changes:proposal_apply", args=[draft.pk])


def test_the_answer_stands_first_and_names_who_is_hurt(
    dataset: SimpleNamespace, plane: MemoryAdapter, alice: Actor
) -> None:
    plane.memory.used["lab", "acme"] = {"requests.cpu": 38_200}
    draft, _ = propose(LESS, alice)
    text = said(browser().get(page_of(draft)))
    assert "3 tenants, 4 objects on 2 targets; 1 already uses more than the new limits." in text
    assert "40 cores 30 cores lowered 3 1 already uses more" in text
    assert "nothing is evicted" in text
    assert "writes nothing until you apply" in text


def test_what_wins_over_the_plan_and_what_cannot_be_pushed_is_said(
    dataset: SimpleNamespace, plane: MemoryAdapter, alice: Actor
) -> None:
    plane.memory.away.add("spare")
    until = timezone.now() + timedelta(hours=3)
    adjustments.grant_lease(
        tenants=[dataset.globex], key="requests.cpu", value=50_000, until=until,
        actor=alice, reason="load test",
    )  # fmt: skip
    draft, _ = propose(LESS, alice)
    text = said(browser().get(page_of(draft)))
    assert "Unchanged (1) their own lease or override wins" in text
    assert "load test" in text
    assert "Unreachable on spare" in text
    assert "follow by itself when it is back" in text


def test_applying_leads_to_the_rollout(dataset: SimpleNamespace, alice: Actor) -> None:
    draft, _ = propose(LESS, alice)
    admin = browser()
    page = admin.get(page_of(draft))
    form = {"fingerprint": field_value(page, "fingerprint"), "reason": "less for everybody"}
    done = admin.post(apply_to(draft), form)
    rollout = Rollout.objects.get()
    assert done["Location"] == reverse("enforcement:rollout", args=[rollout.pk])
    assert rollout.reason == "less for everybody"
    text = said(admin.get(page_of(draft)))
    assert "Applied" in text
    assert "Open its rollout" in text
    assert 'id="apply"' not in admin.get(page_of(draft)).content.decode()


def test_without_a_reason_nothing_is_written(dataset: SimpleNamespace, alice: Actor) -> None:
    draft, preview = propose(LESS, alice)
    admin = browser()
    for reason in ("", "x"):
        refused = admin.post(
            apply_to(draft), {"fingerprint": preview.fingerprint, "reason": reason}
        )
        assert refused.status_code == 422
        assert b'aria-invalid="true"' in refused.content
    assert Rollout.objects.count() == 0


def test_a_stale_preview_is_shown_anew_with_what_has_changed(
    dataset: SimpleNamespace, alice: Actor
) -> None:
    draft, preview = propose(LESS, alice)
    until = timezone.now() + timedelta(hours=3)
    adjustments.grant_lease(
        tenants=[dataset.acme], key="requests.cpu", value=60_000, until=until,
        actor=alice, reason="load test",
    )  # fmt: skip
    admin = browser()
    form = {"fingerprint": preview.fingerprint, "reason": "less for everybody"}
    stale = admin.post(apply_to(draft), form)
    text = said(stale)
    assert stale.status_code == 422
    assert "Nothing was written: something has changed since this preview was made." in text
    assert "acme" in text
    assert "less for everybody" in text
    assert Rollout.objects.count() == 0
    fresh = field_value(stale, "fingerprint")
    assert fresh != preview.fingerprint
    assert admin.post(apply_to(draft), {**form, "fingerprint": fresh}).status_code == 302
    assert Rollout.objects.count() == 1


def test_a_plan_that_moved_on_is_said_on_the_preview(
    dataset: SimpleNamespace, alice: Actor
) -> None:
    draft, preview = propose(LESS, alice)
    other, faster = propose(PublishPlan("standard", 1, {**LIMITS, "pods": 90}), alice)
    proposals.apply(
        proposal=other, fingerprint=faster.fingerprint, reason="fewer pods", actor=alice
    )
    form = {"fingerprint": preview.fingerprint, "reason": "less for everybody"}
    refused = browser().post(apply_to(draft), form)
    assert refused.status_code == 422
    assert "alice published version 2 of standard meanwhile (fewer pods)" not in said(refused)
    assert "You edited version 1 of standard, but alice published version 2" in said(refused)
    assert f"{reverse('changes:plan_edit', args=['standard'])}?proposal={draft.pk}" in (
        refused.content.decode()
    )


def test_applying_twice_leads_to_the_one_rollout(dataset: SimpleNamespace, alice: Actor) -> None:
    draft, preview = propose(LESS, alice)
    admin = browser()
    form = {"fingerprint": preview.fingerprint, "reason": "less for everybody"}
    admin.post(apply_to(draft), form)
    again = admin.post(apply_to(draft), form, follow=True)
    assert "was applied already" in said(again)
    assert Rollout.objects.count() == 1


def test_what_deletes_asks_for_the_name(dataset: SimpleNamespace, alice: Actor) -> None:
    draft, preview = propose(Displace(dataset.placements["acme"].pk), alice)
    admin = browser()
    assert "Type acme to say" in said(admin.get(page_of(draft)))
    form = {"fingerprint": preview.fingerprint, "reason": "moved away"}
    refused = admin.post(apply_to(draft), {**form, "confirm": "acne"})
    assert refused.status_code == 422
    assert "'acne' is not 'acme'" in said(refused)
    assert admin.post(apply_to(draft), {**form, "confirm": "acme"}).status_code == 302


def test_a_draft_is_kept_with_its_reason_and_can_be_discarded(
    dataset: SimpleNamespace, alice: Actor
) -> None:
    draft, _ = propose(LESS, alice)
    admin = browser()
    kept = admin.post(apply_to(draft), {"draft": "1", "reason": "for Monday"}, follow=True)
    assert "Kept as a draft: standard v1 → v2" in said(kept)
    assert "for Monday" in said(admin.get(page_of(draft)))
    path = reverse("changes:proposal_discard", args=[draft.pk])
    gone = admin.post(path, follow=True)
    assert "Discarded: standard v1 → v2. Nothing was written." in said(gone)
    draft.refresh_from_db()
    assert draft.status == ProposalStatus.DISCARDED
    assert "Propose it again" in said(admin.get(page_of(draft)))
    assert "was discarded already" in said(admin.post(path, follow=True))
    listed = admin.get(reverse("changes:proposals"), {"status": "discarded"})
    assert "standard v1 → v2" in said(listed)


def test_a_large_preview_is_waited_for_with_its_progress(
    dataset: SimpleNamespace, alice: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proposals, "LARGE", 1)
    monkeypatch.setattr(celery, "enqueue", lambda *_: True)
    draft, preview = proposals.propose(change=LESS, actor=alice)
    assert preview is None
    admin = browser()
    page = admin.get(page_of(draft))
    assert "being computed. Waiting for a worker" in said(page)
    assert b"fingerprint" not in page.content
    htmx: dict[str, Any] = {"headers": {"HX-Request": "true", "HX-Target": "preview-wait"}}
    assert "HX-Refresh" not in admin.get(page_of(draft), **htmx)
    proposals.update_preview(proposal=draft, now=timezone.now())
    assert admin.get(page_of(draft), **htmx)["HX-Refresh"] == "true"


def test_a_preview_that_turned_impossible_says_why(dataset: SimpleNamespace, alice: Actor) -> None:
    draft, _ = propose(Suspend(("acme",)), alice)
    Proposal.objects.filter(pk=draft.pk).update(
        preview=None, progress="Not possible: acme is gone."
    )
    admin = browser()
    text = said(admin.get(page_of(draft)))
    assert "Not possible: acme is gone." in text
    assert "being computed" not in text


def test_an_old_preview_offers_to_look_again(dataset: SimpleNamespace, alice: Actor) -> None:
    draft, _ = propose(LESS, alice)
    long_ago = timezone.now() - timedelta(hours=2)
    Proposal.objects.filter(pk=draft.pk).update(previewed_at=long_ago)
    admin = browser()
    assert "Compute it again" in said(admin.get(page_of(draft)))
    path = reverse("changes:proposal_refresh", args=[draft.pk])
    assert "Compute it again" not in said(admin.post(path, follow=True))


def test_objects_are_filtered_and_come_page_by_page(dataset: SimpleNamespace, alice: Actor) -> None:
    draft, _ = propose(LESS, alice)
    path = reverse("changes:proposal_objects", args=[draft.pk])
    viewer = browser(Role.VIEWER)
    text = said(viewer.get(path, {"tenant": "acme", "target": "spare"}))
    assert "1–1 of 1" in text
    partial = viewer.get(path, headers={"HX-Request": "true"}).content
    assert b"<html" not in partial
    assert "No object matches the filter." in said(viewer.get(path, {"tenant": "nobody"}))


def test_the_yaml_holds_the_change_and_its_objects(dataset: SimpleNamespace, alice: Actor) -> None:
    draft, _ = propose(LESS, alice)
    response = browser(Role.VIEWER).get(reverse("changes:proposal_yaml", args=[draft.pk]))
    document = yaml.safe_load(response.content)
    assert document["kind"] == "PublishPlan"
    assert document["change"]["limits"]["requests.cpu"] == "30"
    assert len(document["objects"]) == 4
    assert response["Content-Disposition"].endswith(f'filename="change-{draft.pk}.yaml"')


@pytest.mark.parametrize("number", ["²", "٣", "１", "9" * 5000, "-1", "1e400", "NaN", "x", ""])
def test_a_page_number_that_is_none_shows_the_first(
    dataset: SimpleNamespace, alice: Actor, number: str
) -> None:
    draft, _ = propose(LESS, alice)
    path = reverse("changes:proposal_objects", args=[draft.pk])
    assert "1–4 of 4" in said(browser().get(path, {"page": number}))
    page = browser().get(reverse("changes:proposal", args=[draft.pk]), {"page": number})
    assert page.status_code == 200


def test_many_tenants_are_typed_instead_of_chosen(dataset: SimpleNamespace, alice: Actor) -> None:
    draft, preview = propose(LESS, alice)
    item = preview_json(preview)["objects"][0]
    many = [{**item, "tenant": f"t{number}"} for number in range(201)]
    Proposal.objects.filter(pk=draft.pk).update(
        preview={**preview_json(preview), "objects": many, "objects_total": 201}
    )
    path = reverse("changes:proposal_objects", args=[draft.pk])
    page = browser().get(path, {"tenant": "t7"})
    assert "whole name, one of 201" in page.content.decode()
    assert '<option value="t7"' not in page.content.decode()
    assert "1–1 of 1" in said(page)
