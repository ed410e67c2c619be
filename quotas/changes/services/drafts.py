"""Keeping a change for later."""

from __future__ import annotations

from quotas.changes.models import Proposal, ProposalStatus


def keep(*, proposal: Proposal, reason: str) -> bool:
    """Remembers the reason on a draft, for whoever applies it; False when it is none any more.

    Nothing that is in force changes, so nothing goes to the ledger.
    """
    drafts = Proposal.objects.filter(pk=proposal.pk, status=ProposalStatus.DRAFT)
    return drafts.update(reason=reason.strip()[:1000]) == 1
