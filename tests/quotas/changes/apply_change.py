"""Shortcuts of these tests: propose, preview and apply in one go."""

from __future__ import annotations

from django.utils import timezone

from console.audit.services import Actor
from quotas.changes.contracts import Preview
from quotas.changes.kinds.change import ProposedChange
from quotas.changes.models import Proposal
from quotas.changes.services import proposals
from quotas.enforcement.models import ItemState, Rollout, RolloutItem


def propose(change: ProposedChange, actor: Actor) -> tuple[Proposal, Preview]:
    """A draft and its preview."""
    proposal, preview = proposals.propose(change=change, actor=actor)
    assert preview is not None
    return proposal, preview


def carry_out(change: ProposedChange, actor: Actor, *, confirm: str = "") -> Rollout:
    """The change, applied as its preview said."""
    draft, preview = propose(change, actor)
    return proposals.apply(
        proposal=draft,
        fingerprint=preview.fingerprint,
        reason="because",
        actor=actor,
        confirm=confirm,
    )


def settle(rollout: Rollout) -> None:
    """As if workers had pushed every item."""
    RolloutItem.objects.filter(rollout=rollout).update(
        state=ItemState.DONE, finished_at=timezone.now()
    )
