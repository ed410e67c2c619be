"""The same change for several tenants at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from console.access.contracts import Permission
from console.access.rights import SignedInRequest, require, requires
from quotas.changes.forms.limits import ManyForm, ManyLimitForm
from quotas.changes.forms.tenants import ManyMoveForm
from quotas.changes.kinds.change import ProposedChange
from quotas.changes.kinds.lifecycle import Resume, Suspend
from quotas.changes.kinds.plans import MovePlan
from quotas.changes.rules.catalogue import offers
from quotas.changes.views.proposal_flow import (
    RESUME,
    SUSPEND,
    propose_from_form,
)


@requires(Permission.OPERATE)
@require_POST
def bulk(request: SignedInRequest) -> HttpResponse:
    """The same change for several tenants: first the form, then (step=propose) the preview."""
    action = request.POST.get("action", "")
    chosen = tuple(dict.fromkeys(request.POST.getlist("tenants")))
    if action not in _BULK:
        messages.error(request, f"{action!r} cannot be done with several tenants.")
        return redirect("enforcement:tenants")
    if action == "move_plan":
        require(request, MovePlan.permission)
    if not any(slug.strip() for slug in chosen):
        messages.warning(request, "Select at least one tenant first.")
        return redirect("enforcement:tenants")
    data = request.POST if request.POST.get("step") == "propose" else None
    title, lines, form, make = _BULK[action](data, {"tenants": chosen})
    context = {
        "title": title,
        "lines": lines,
        "hidden": {"action": action, "step": "propose"},
        "offers": offers() if action == "lease" else (),
        "form": form,
    }
    if data is None:
        return render(request, "changes/change_form.html", context)
    return propose_from_form(
        request, form, make, template="changes/change_form.html", context=context
    )


Bulk = tuple[str, tuple[str, ...], Any, Callable[[], ProposedChange]]


def _bulk_move(data: Any, initial: dict[str, Any]) -> Bulk:
    form = ManyMoveForm(data, initial=initial)
    return "Move tenants to a plan", (), form, lambda: form.change(form.cleaned_data["tenants"])


def _bulk_lease(data: Any, initial: dict[str, Any]) -> Bulk:
    form = ManyLimitForm(data, initial=initial, may_override=False)
    return "Lease for several tenants", (), form, lambda: form.change(form.cleaned_data["tenants"])


def _bulk_suspend(data: Any, initial: dict[str, Any]) -> Bulk:
    form = ManyForm(data, initial=initial)
    return "Suspend tenants", SUSPEND, form, lambda: Suspend(form.cleaned_data["tenants"])


def _bulk_resume(data: Any, initial: dict[str, Any]) -> Bulk:
    form = ManyForm(data, initial=initial)
    return "Resume tenants", RESUME, form, lambda: Resume(form.cleaned_data["tenants"])


_BULK: dict[str, Callable[[Any, dict[str, Any]], Bulk]] = {
    "move_plan": _bulk_move,
    "lease": _bulk_lease,
    "suspend": _bulk_suspend,
    "resume": _bulk_resume,
}
