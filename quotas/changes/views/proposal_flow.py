"""The way every change takes: a form, a proposal, its preview. Nothing is written before that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.forms import Form
from django.http import HttpResponse
from django.shortcuts import redirect, render

from console.access.rights import SignedInRequest, actor_of, require
from console.errors import DomainError
from quotas.changes.forms.errors import add_domain_error
from quotas.changes.kinds.change import ProposedChange
from quotas.changes.services import proposals

SUSPEND = (
    "New work stops on every target: no new pod, Job or task starts.",
    "What runs already goes on until it ends; nothing is evicted or deleted.",
    "Limits, leases and the plan stay as they are and hold again after resuming.",
)
RESUME = (
    "New work may start again, up to the limits that hold now.",
    "What has waited in queues starts by itself.",
)


def propose_and_preview(request: SignedInRequest, change: ProposedChange) -> HttpResponse:
    """Proposes the change and leads to its preview. Raises DomainError where it cannot be made."""
    require(request, change.permission)
    proposal, _ = proposals.propose(change=change, actor=actor_of(request))
    return redirect("changes:proposal", pk=proposal.pk)


def propose_from_form(
    request: SignedInRequest,
    form: Form,
    make: Callable[[], ProposedChange],
    *,
    template: str,
    context: Mapping[str, Any],
) -> HttpResponse:
    """Shows the form; once it is valid, leads to the preview of the change that `make` gives."""
    if request.method == "POST" and form.is_valid():
        try:
            return propose_and_preview(request, make())
        except DomainError as error:
            add_domain_error(form, error)
    status = 422 if form.is_bound and form.errors else 200
    return render(request, template, {**context, "form": form}, status=status)
