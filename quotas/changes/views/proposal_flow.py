"""The way every change takes: a form, a proposal, its preview. Nothing is written before that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.forms import Form
from django.http import HttpResponse
from django.shortcuts import redirect, render

from console.access.rights import SignedInRequest, actor_of, require
from console.errors import DomainError
from quotas.changes.contracts import Change
from quotas.changes.forms.errors import add_domain_error
from quotas.changes.rules.rights import permission_for
from quotas.changes.services import proposals

SUSPEND = (
    "New work stops on every plane: no new pod, Job or task starts.",
    "What runs already goes on until it ends; nothing is evicted or deleted.",
    "Limits, leases and the plan stay as they are and hold again after resuming.",
)
RESUME = (
    "New work may start again, up to the limits that hold now.",
    "What has waited in queues starts by itself.",
)


def propose_and_preview(request: SignedInRequest, change: Change) -> HttpResponse:
    """Proposes the change and leads to its preview. Raises DomainError where it cannot be made."""
    require(request, permission_for(type(change).__name__))
    actor = actor_of(request)
    proposal = proposals.propose(change=change, actor=actor)
    try:
        proposals.request_preview(proposal=proposal)
    except DomainError:
        proposals.discard(proposal=proposal, actor=actor)
        raise
    return redirect("changes:proposal", pk=proposal.pk)


def propose_from_form(
    request: SignedInRequest,
    form: Form,
    make: Callable[[], Change],
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


def bound_data(request: SignedInRequest) -> Any:
    """The form data of a POST, None otherwise: what Django's forms take as `data`."""
    return request.POST if request.method == "POST" else None
