"""What was asked for: the list, and one order with its progress."""

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
from observability.actions.models import Order
from observability.actions.selectors import pages
from observability.actions.services.batches import stop
from observability.actions.services.records import repeatable


@requires(Permission.VIEW)
@require_GET
def order_list(request: SignedInRequest) -> HttpResponse:
    """Actions, newest first."""
    filters = ListFilter(request.GET)
    orders = pages.listed(Order.objects.visible_to(request.user)).filter(**filters.lookups())
    page = keyset_page(
        orders, cursor=request.GET.get("cursor", ""), key=("created_at", "id"), size=50
    )
    return render(request, "actions/list.html", {"page": page, "filters": filters})


@requires(Permission.VIEW)
@require_GET
def order(request: SignedInRequest, pk: int) -> HttpResponse:
    """One action: who, why, what came of it; a batch with its progress and its runs."""
    order = get_object_or_404(
        Order.objects.visible_to(request.user).select_related("target", "tenant", "run", "user"),
        pk=pk,
    )
    return render_partial_or_page(
        request,
        "actions/order.html",
        _context(request, order),
        partials={"order-live": "actions/_order_live.html"},
        is_final=not order.is_open,
    )


@requires(Permission.OPERATE)
@require_POST
def order_stop(request: SignedInRequest, pk: int) -> HttpResponse:
    """Stops a batch; what is done stays done."""
    order = get_object_or_404(Order.objects.visible_to(request.user), pk=pk)
    form = ReasonForm(request.POST)
    try:
        if not form.is_valid():
            raise DomainError("reason_required", "Say why: the reason stays in the ledger.")
        stop(
            order=order,
            actor=actor_of(request),
            reason=form.cleaned_data["reason"],
            now=timezone.now(),
        )
    except DomainError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, "The batch is stopping. What is done already stays done.")
    return redirect("actions:order", pk=pk)


def _context(request: SignedInRequest, order: Order) -> dict[str, Any]:
    context: dict[str, Any] = {"order": order, "arguments": repeatable(order.arguments)}
    if order.is_batch:
        bad = request.GET.get("show") == "bad"
        context["only_bad"] = bad
        context["items"] = keyset_page(
            pages.with_items(order, bad=bad),
            cursor=request.GET.get("cursor", ""),
            key=("id",),
            size=50,
            descending=False,
        )
    return context
