"""Applying: exactly what the preview said, or nothing."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from console.audit.models import Entry, Outcome
from console.audit.services import Actor
from console.errors import DomainError
from console.request import current_request_id
from quotas.changes.kinds.adjustments import SetOverride
from quotas.changes.kinds.lifecycle import Offboard, Suspend
from quotas.changes.kinds.plans import MovePlan, PublishPlan
from quotas.changes.kinds.repairs import Repair, TakeOver
from quotas.changes.models import Proposal, ProposalStatus
from quotas.changes.services import proposals
from quotas.changes.services.preview import compute_preview
from quotas.enforcement.models import Rollout, RolloutKind
from quotas.plans.models import PlanVersion, Subscription
from tests.quotas.changes.apply_change import carry_out, propose
from tests.quotas.changes.memory_adapter import MemoryAdapter
from tests.quotas.conftest import LIMITS

LESS = {**LIMITS, "requests.cpu": 30_000}
PUBLISH = PublishPlan("standard", 1, LESS)


def test_a_published_plan_reaches_everybody_who_has_it(
    dataset: SimpleNamespace, alice: Actor
) -> None:
    before = Entry.objects.count()
    rollout = carry_out(PUBLISH, alice)
    draft = Proposal.objects.get()
    assert (rollout.total, rollout.source) == (4, f"change:{draft.pk}")
    assert (draft.status, draft.rollout) == (ProposalStatus.APPLIED, rollout)
    held = Subscription.objects.filter(ends_at=None).values_list("version__number", flat=True)
    assert set(held) == {2}
    entries = Entry.objects.order_by("pk")[before:]
    assert sorted(entry.action for entry in entries) == [
        "plan.version.publish", "subscription.start", "subscription.start", "subscription.start",
    ]  # fmt: skip
    assert len({entry.request_id for entry in entries}) == 1
    assert {entry.reason for entry in entries} == {"because"}
    dataset.acme.refresh_from_db()
    assert dataset.acme.generation == 2


def test_the_request_id_of_the_page_is_kept(dataset: SimpleNamespace, alice: Actor) -> None:
    token = current_request_id.set("page-1234")
    try:
        carry_out(Suspend(("acme",)), alice)
    finally:
        current_request_id.reset(token)
    assert Entry.objects.latest("pk").request_id == "page-1234"


@pytest.mark.parametrize("reason", ["", "  ", "ok", " x "])
def test_a_reason_is_asked_for(dataset: SimpleNamespace, alice: Actor, reason: str) -> None:
    draft, preview = propose(PUBLISH, alice)
    with pytest.raises(DomainError, match="at least 3 characters") as refused:
        proposals.apply(proposal=draft, fingerprint=preview.fingerprint, reason=reason, actor=alice)
    assert refused.value.field == "reason"
    assert Rollout.objects.count() == 0


def test_two_who_apply_at_once_apply_once(
    dataset: SimpleNamespace, alice: Actor, bob: Actor
) -> None:
    draft, preview = propose(PUBLISH, alice)
    again = Proposal.objects.get(pk=draft.pk)
    approval = {"fingerprint": preview.fingerprint, "reason": "because"}
    proposals.apply(proposal=draft, actor=alice, **approval)
    with pytest.raises(DomainError) as refused:
        proposals.apply(proposal=again, actor=bob, **approval)
    assert (refused.value.code, refused.value.status) == ("not_a_draft", 409)
    assert refused.value.detail["rollout"] == draft.rollout_id
    assert Rollout.objects.count() == 1
    assert PlanVersion.objects.count() == 2


def test_whoever_loses_the_race_inside_the_transaction_writes_nothing(
    dataset: SimpleNamespace, alice: Actor, bob: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bob's apply has looked at the planes already when alice's is committed."""
    draft, preview = propose(PUBLISH, alice)
    approval = {"fingerprint": preview.fingerprint, "reason": "because"}
    mine = Proposal.objects.get(pk=draft.pk)

    def slow(*args: object, **kwargs: object) -> object:
        result = compute_preview(*args, **kwargs)  # type: ignore[arg-type]  # passed on as they came
        monkeypatch.setattr(proposals, "compute_preview", compute_preview)
        proposals.apply(proposal=draft, actor=alice, **approval)
        return result

    monkeypatch.setattr(proposals, "compute_preview", slow)
    with pytest.raises(DomainError) as refused:
        proposals.apply(proposal=mine, actor=bob, **approval)
    assert refused.value.code == "not_a_draft"
    assert PlanVersion.objects.count() == 2


def test_rows_that_change_between_the_look_and_the_transaction_make_it_stale(
    dataset: SimpleNamespace, alice: Actor, bob: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft, preview = propose(SetOverride(("acme",), "pods", 7), alice)
    other, theirs = propose(SetOverride(("acme",), "requests.cpu", 1000), bob)

    def slow(*args: object, **kwargs: object) -> object:
        result = compute_preview(*args, **kwargs)  # type: ignore[arg-type]  # passed on as they came
        monkeypatch.setattr(proposals, "compute_preview", compute_preview)
        proposals.apply(proposal=other, fingerprint=theirs.fingerprint, reason="faster", actor=bob)
        return result

    monkeypatch.setattr(proposals, "compute_preview", slow)
    with pytest.raises(DomainError) as refused:
        proposals.apply(
            proposal=draft, fingerprint=preview.fingerprint, reason="slower", actor=alice
        )
    assert refused.value.code == "stale_preview"
    draft.refresh_from_db()
    assert draft.status == ProposalStatus.DRAFT


def test_the_second_of_two_editors_is_told_who_was_faster(
    dataset: SimpleNamespace, alice: Actor, bob: Actor
) -> None:
    mine, preview = propose(PublishPlan("standard", 1, {**LIMITS, "pods": 50}), alice)
    carry_out(PUBLISH, bob)
    with pytest.raises(DomainError, match="bob published version 2") as refused:
        proposals.apply(proposal=mine, fingerprint=preview.fingerprint, reason="mine", actor=alice)
    assert (refused.value.code, refused.value.status) == ("plan_moved_on", 409)
    assert refused.value.detail["version"] == 2
    assert refused.value.detail["author"] == "bob"
    assert PlanVersion.objects.count() == 2


def test_a_stale_preview_is_refused_with_what_has_changed(
    dataset: SimpleNamespace, alice: Actor, plane: MemoryAdapter
) -> None:
    plane.memory.objects["lab", "acme"] = {"hard[requests.cpu]": 40_000}
    draft, preview = propose(PUBLISH, alice)
    plane.memory.objects["lab", "acme"] = {"hard[requests.cpu]": 38_000}
    with pytest.raises(DomainError) as refused:
        proposals.apply(proposal=draft, fingerprint=preview.fingerprint, reason="why", actor=alice)
    assert (refused.value.code, refused.value.status) == ("stale_preview", 409)
    assert refused.value.detail["since"] == [
        {
            "what": "hard[requests.cpu] of Quota acme/headroom on lab was 40000 and is 38000 now.",
            "tenant": "acme",
            "target": "lab",
            "object": "Quota acme/headroom",
            "path": "hard[requests.cpu]",
        }
    ]
    draft.refresh_from_db()
    assert (draft.status, Rollout.objects.count()) == (ProposalStatus.DRAFT, 0)
    fresh = proposals.request_preview(proposal=draft)
    assert fresh is not None
    proposals.apply(proposal=draft, fingerprint=fresh.fingerprint, reason="why", actor=alice)
    assert draft.status == ProposalStatus.APPLIED


def test_targets_and_tenants_that_come_and_go_make_a_preview_stale(
    dataset: SimpleNamespace, alice: Actor, bob: Actor, plane: MemoryAdapter, gold: PlanVersion
) -> None:
    plane.memory.away.add("spare")
    draft, preview = propose(PUBLISH, alice)
    plane.memory.away.clear()
    carry_out(MovePlan(("globex",), "gold"), bob)
    carry_out(SetOverride(("initech",), "pods", 1), bob)
    with pytest.raises(DomainError) as refused:
        proposals.apply(proposal=draft, fingerprint=preview.fingerprint, reason="why", actor=alice)
    differences = [difference["what"] for difference in refused.value.detail["since"]]
    assert differences[:3] == [
        "spare can be reached again.",
        "globex is not concerned any more.",
        "What is intended for initech was changed.",
    ]
    assert "Quota acme/headroom on spare needed no change, and now was missing." in differences


def test_use_alone_does_not_make_a_preview_stale(
    dataset: SimpleNamespace, alice: Actor, plane: MemoryAdapter
) -> None:
    draft, preview = propose(PUBLISH, alice)
    plane.memory.used["lab", "acme"] = {"requests.cpu": 39_000}
    proposals.apply(proposal=draft, fingerprint=preview.fingerprint, reason="why", actor=alice)
    assert draft.status == ProposalStatus.APPLIED


def test_a_refused_attempt_is_in_the_ledger(dataset: SimpleNamespace, alice: Actor) -> None:
    draft, _ = propose(Offboard("acme"), alice)
    with pytest.raises(DomainError):
        proposals.apply(
            proposal=draft, fingerprint="old", reason="they left", actor=alice, confirm="acme"
        )
    entry = Entry.objects.latest("pk")
    assert (entry.action, entry.outcome, entry.tenant) == ("change.apply", Outcome.REFUSED, "acme")
    assert entry.message.startswith("Nothing was written")
    assert entry.reason == "they left"


def test_a_discarded_draft_cannot_be_applied(dataset: SimpleNamespace, alice: Actor) -> None:
    draft, preview = propose(PUBLISH, alice)
    proposals.discard(proposal=draft, actor=alice)
    with pytest.raises(DomainError, match="discarded already"):
        proposals.apply(proposal=draft, fingerprint=preview.fingerprint, reason="why", actor=alice)
    with pytest.raises(DomainError, match="discarded already"):
        proposals.discard(proposal=draft, actor=alice)


@pytest.mark.parametrize(
    ("change", "kind", "force"),
    [(Repair, RolloutKind.REPAIR, False), (TakeOver, RolloutKind.TAKEOVER, True)],
)
def test_repair_and_take_over_change_no_intent(
    dataset: SimpleNamespace,
    alice: Actor,
    change: type[Repair] | type[TakeOver],
    kind: str,
    force: bool,
) -> None:
    rollout = carry_out(change((dataset.placements["acme"].pk,)), alice)
    item = rollout.items.get()
    assert (rollout.kind, item.force, item.generation) == (kind, force, 1)
