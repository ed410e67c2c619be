"""Proposals that are no longer kept: those that are settled, and drafts that nobody took up."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q

from console.database.pruning import prune
from quotas.changes.models import Proposal, ProposalStatus


def prune_proposals(now: datetime, until: float) -> int:
    """Proposals that were applied or discarded long ago; the ledger keeps what was applied."""
    old = now - timedelta(days=settings.PROPOSAL_RETENTION_DAYS)
    settled = Proposal.objects.exclude(status=ProposalStatus.DRAFT).filter(created_at__lt=old)
    return prune(settled.filter(Q(applied_at=None) | Q(applied_at__lt=old)), until=until)


def prune_drafts(now: datetime, until: float) -> int:
    """Drafts that were last previewed long ago: they have written nothing."""
    old = now - timedelta(days=settings.DRAFT_RETENTION_DAYS)
    drafts = Proposal.objects.filter(status=ProposalStatus.DRAFT, created_at__lt=old)
    return prune(drafts.filter(Q(previewed_at=None) | Q(previewed_at__lt=old)), until=until)
