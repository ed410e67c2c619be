"""What was asked for: the list, and one action with its progress."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from console.access.contracts import Permission
from console.access.forms import ReasonForm
from console.access.rights import SignedInRequest, actor_of, requires
from console.database.keyset import keyset_page
from console.errors import DomainError
from console.pages.partials import render_partial_or_page
from observability.actions.forms import ListFilter
from observability.actions.models import Action
from observability.actions.selectors import pages
from observability.actions.services.batches import stop
from observability.actions.services.records import repeatable


@requires(Permission.VIEW)
@require_GET
def action_list(request: SignedInRequest) -> HttpResponse:
    """Actions, newest first."""
    filters = ListFilter(request.GET)
    actions = pages.listed(Action.objects.visible_to(request.user)).filter(**filters.lookups())
    page = keyset_page(
        actions, cursor=request.GET.get("cursor", ""), key=("created_at", "id"), size=50
    )
    return render(request, "actions/list.html", {"page": page, "filters": filters})


@requires(Permission.VIEW)
@require_GET
def action(request: SignedInRequest, pk: int) -> HttpResponse:
    """One action: who, why, what came of it; a batch with its progress and its runs."""
    action = get_object_or_404(
        Action.objects.visible_to(request.user).select_related("target", "tenant", "run", "user"),
        pk=pk,
    )
    return render_partial_or_page(
        request,
        "actions/action.html",
        _context(request, action),
        partials={"action-live": "actions/_action_live.html"},
        is_final=not action.is_open,
    )


@requires(Permission.OPERATE)
@require_POST
def action_stop(request: SignedInRequest, pk: int) -> HttpResponse:
    """Stops a batch; what is done stays done."""
    action = get_object_or_404(Action.objects.visible_to(request.user), pk=pk)
    form = ReasonForm(request.POST)
    try:
        if not form.is_valid():
            raise DomainError("reason_required", "Say why: the reason stays in the ledger.")
        stop(
            action=action,
            actor=actor_of(request),
            reason=form.cleaned_data["reason"],
            now=timezone.now(),
        )
    except DomainError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, "The batch is stopping. What is done already stays done.")
    return redirect("actions:detail", pk=pk)


def _context(request: SignedInRequest, action: Action) -> dict[str, Any]:
    context: dict[str, Any] = {"action": action, "arguments": repeatable(action.arguments)}
    if action.is_batch:
        bad = request.GET.get("show") == "bad"
        context["only_bad"] = bad
        context["items"] = keyset_page(
            pages.with_items(action, bad=bad),
            cursor=request.GET.get("cursor", ""),
            key=("id",),
            size=50,
            descending=False,
        )
    return context
