"""Celery's door to changes: parse, call one verb."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from console.errors import DomainError
from quotas.changes.models import Proposal
from quotas.changes.services import leaving, proposals


@shared_task
def compute_preview(proposal_id: int) -> None:
    """Computes the preview of a draft; why it is not possible is on the row."""
    proposal = Proposal.objects.filter(pk=proposal_id).first()
    if proposal is None:
        return
    try:
        proposals.compute_preview(proposal=proposal, now=timezone.now())
    except DomainError:
        return  # `progress` says it to whoever waits for the preview


@shared_task
def finish_offboarding() -> None:
    """Forgets placements that are empty, and tenants that have none left."""
    leaving.finish_offboarding(at=timezone.now())
