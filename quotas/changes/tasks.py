"""Changes as Celery's tasks: parse, call one verb."""

from __future__ import annotations

from django.utils import timezone

from console.celery import app
from console.errors import DomainError
from quotas.changes.models import Proposal
from quotas.changes.services import offboarding, proposals
from quotas.changes.services.proposals import PREVIEW_TASK


@app.task(name=PREVIEW_TASK)
def compute_preview(proposal_id: int) -> None:
    """Computes the preview of a draft; why it is not possible is on the row."""
    proposal = Proposal.objects.filter(pk=proposal_id).first()
    if proposal is None:
        return
    try:
        proposals.update_preview(proposal=proposal, now=timezone.now())
    except DomainError:
        return  # `progress` says it to whoever waits for the preview


@app.task(name="quotas.changes.tasks.finish_offboarding")
def finish_offboarding() -> None:
    """Forgets placements that are empty, and tenants that have none left."""
    offboarding.finish_offboarding(at=timezone.now())
