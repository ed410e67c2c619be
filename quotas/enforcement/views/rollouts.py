"""Rollouts: the list, one rollout live, and what can be done about a group of failures."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from console.access.contracts import Permission
from console.access.rights import SignedInRequest, actor_of, requires
from console.database.keyset import keyset_page
from console.pages.partials import render_partial_or_page, wants_partial
from quotas.enforcement.forms import GroupActionForm
from quotas.enforcement.models import ItemState, Rollout, RolloutKind
from quotas.enforcement.reconcile import operations
from quotas.enforcement.selectors import rollouts as reads
from quotas.enforcement.selectors.overview import moving


@requires(Permission.VIEW)
@require_GET
def rollout_list(request: SignedInRequest) -> HttpResponse:
    """Rollouts, newest first; `state=open` shows those under way."""
    filters = {name: request.GET.get(name, "") for name in ("kind", "state", "actor")}
    rollouts = Rollout.objects.visible_to(request.user)
    if filters["kind"]:
        rollouts = rollouts.filter(kind=filters["kind"])
    if filters["state"] == "open":
        rollouts = rollouts.filter(finished_at__isnull=True)
    if filters["actor"]:
        rollouts = rollouts.filter(actor=filters["actor"])
    page = keyset_page(rollouts, cursor=request.GET.get("cursor", ""), key=("created_at", "id"))
    rows = moving(
        Rollout.objects.visible_to(request.user).filter(pk__in=[row.pk for row in page.rows])
    )
    context = {
        "page": page,
        "rows": sorted(rows, key=lambda row: row.rollout.pk, reverse=True),
        "moving": any(row.waiting for row in rows),
        "filters": filters,
        "kinds": RolloutKind.choices,
        "states": (("open", "under way"),),
    }
    parts = {"rollouts-table": "enforcement/_rollouts_table.html"}
    return render_partial_or_page(request, "enforcement/rollout_list.html", context, partials=parts)


@requires(Permission.VIEW)
@require_GET
def rollout_detail(request: SignedInRequest, pk: int) -> HttpResponse:
    """Progress per target, then only what is not fine, then every object."""
    rollout = get_object_or_404(Rollout.objects.visible_to(request.user), pk=pk)
    progress = reads.progress(rollout, now=timezone.now())
    filters = {name: request.GET.get(name, "") for name in ("state", "target")}
    context: dict[str, Any] = {
        "rollout": rollout,
        "progress": progress,
        "filters": filters,
        "states": ItemState.choices,
    }
    # The live part, which is asked for most, shows no items.
    if not wants_partial(request, "rollout-live"):
        context["page"] = keyset_page(
            reads.items(rollout, **filters),
            cursor=request.GET.get("cursor", ""),
            key=("id",),
            descending=False,
        )
    return render_partial_or_page(
        request,
        "enforcement/rollout.html",
        context,
        partials={
            "rollout-live": "enforcement/_rollout_live.html",
            "rollout-items": "enforcement/_rollout_items.html",
        },
        is_final=not progress.live,
    )


@requires(Permission.OPERATE)
@require_POST
def rollout_group(request: SignedInRequest, pk: int) -> HttpResponse:
    """Retries a group of failed items, takes their fields over, or leaves them as they are."""
    rollout = get_object_or_404(Rollout.objects.visible_to(request.user), pk=pk)
    form = GroupActionForm(request.POST)
    if not form.is_valid():
        problems = " ".join(str(error) for errors in form.errors.values() for error in errors)
        messages.error(request, problems)
        return redirect("enforcement:rollout", pk=pk)
    settled = operations.settle_group(
        rollout=rollout,
        items=form.cleaned_data["items"],
        action=form.cleaned_data["action"],
        reason=form.cleaned_data["reason"],
        actor=actor_of(request),
        now=timezone.now(),
    )
    messages.success(request, settled)
    return redirect("enforcement:rollout", pk=pk)
