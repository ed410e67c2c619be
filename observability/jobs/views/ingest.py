"""How far a target has been read, as a panel of the target's page."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_GET

from console.access.contracts import Permission
from console.access.rights import SignedInRequest, requires
from observability.jobs.selectors.ingest import Backlog, backlogs, ingest_status
from tenants.models import Target


@requires(Permission.VIEW)
@require_GET
def ingest_panel(request: SignedInRequest, slug: str) -> HttpResponse:
    """Lag, what is left to do, and gaps of the last day; empty for a kind that runs no jobs."""
    target = get_object_or_404(Target, slug=slug)
    context = {
        "status": ingest_status(target, now=timezone.now()),
        "backlog": backlogs(target).get(target.pk, Backlog()),
    }
    return render(request, "jobs/_ingest.html", context)
