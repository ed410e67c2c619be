"""Shortcuts of these tests: propose, preview and apply in one go."""

from __future__ import annotations

from django.utils import timezone

from console.audit.services import Actor
from quotas.changes.contracts import Change, Preview
from quotas.changes.models import Proposal
from quotas.changes.services import proposals
from quotas.enforcement.models import ItemState, Rollout, RolloutItem


def preview(change: Change, actor: Actor) -> tuple[Proposal, Preview]:
    """A draft and its preview."""
    draft = proposals.propose(change=change, actor=actor)
    return draft, proposals.update_preview(proposal=draft, now=timezone.now())


def carry_out(change: Change, actor: Actor, *, confirm: str = "") -> Rollout:
    """The change, applied as its preview said."""
    draft, seen = preview(change, actor)
    return proposals.apply(
        proposal=draft, fingerprint=seen.fingerprint, reason="because", actor=actor, confirm=confirm
    )


def settle(rollout: Rollout) -> None:
    """As if workers had pushed every item."""
    RolloutItem.objects.filter(rollout=rollout).update(
        state=ItemState.DONE, finished_at=timezone.now()
    )
