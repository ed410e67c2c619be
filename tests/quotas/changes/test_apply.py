"""Applying: exactly what the preview said, or nothing."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from console.audit.models import Entry, Outcome
from console.audit.services import Actor
from console.errors import DomainError
from console.request import current_request_id
from quotas.changes.contracts import PublishPlan, SetOverride
from quotas.changes.models import ProposalStatus
from quotas.changes.services import proposals
from quotas.plans.models import PlanVersion, Subscription
from tests.quotas.changes.planes import MemoryAdapter
from tests.quotas.conftest import LIMITS

LESS = {**LIMITS, "requests.cpu": 30_000}


def test_a_published_plan_reaches_everybody_who_has_it(
    house: SimpleNamespace, alice: Actor
) -> None:
    draft = proposals.propose(change=PublishPlan("standard", 1, LESS), actor=alice)
    preview = proposals.request_preview(proposal=draft)
    assert preview is not None
    before = Entry.objects.count()
    rollout = proposals.apply(
        proposal=draft, fingerprint=preview.fingerprint, reason="too generous", actor=alice
    )
    assert rollout.total == 4
    assert rollout.source == f"change:{draft.pk}"
    assert draft.status == ProposalStatus.APPLIED
    assert draft.rollout == rollout
    held = Subscription.objects.filter(ends_at=None).values_list("version__number", flat=True)
    assert set(held) == {2}
    entries = Entry.objects.order_by("pk")[before:]
    assert sorted(entry.action for entry in entries) == [
        "plan.version.publish", "subscription.start", "subscription.start", "subscription.start",
    ]  # fmt: skip
    assert len({entry.request_id for entry in entries}) == 1
    assert {entry.reason for entry in entries} == {"too generous"}
    house.acme.refresh_from_db()
    assert house.acme.generation == 2
