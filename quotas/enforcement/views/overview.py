"""The overview, the drift list and the search."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from console.access.contracts import Permission
from console.access.rights import SignedInRequest, requires
from console.database.keyset import keyset_page
from console.numbers import whole_number
from console.pages.partials import ANY, render_partial_or_page
from quotas.enforcement.models import Drift, Rollout
from quotas.enforcement.selectors import overview as reads
from quotas.enforcement.selectors.target_loops import loop_report
from quotas.plans.models import Plan
from tenants.models import Placement, Target, Tenant

_MOST_RESULTS = 6
_OUTCOMES = (
    ("open", "open"),
    ("healed", "healed"),
    ("reverted", "reverted by somebody else"),
    ("accepted", "limits changed to match"),
)


@requires(Permission.VIEW)
@require_GET
def overview(request: SignedInRequest) -> HttpResponse:
    """What needs somebody, first."""
    context = {"page": reads.overview(now=timezone.now())}
    parts = {"overview-live": "enforcement/_overview_live.html"}
    return render_partial_or_page(request, "enforcement/overview.html", context, partials=parts)


@requires(Permission.VIEW)
@require_GET
def target_dots(request: SignedInRequest) -> HttpResponse:
    """The health dots of the top bar."""
    lines = reads.target_lines(loop_report(timezone.now()))
    return render(request, "enforcement/_target_dots.html", {"targets": lines})


@requires(Permission.VIEW)
@require_GET
def drift_list(request: SignedInRequest) -> HttpResponse:
    """Every finding that somebody else changed an object of ours, newest first."""
    drifts = Drift.objects.visible_to(request.user).select_related(
        "tenant", "target", "placement__target"
    )
    filters = {name: request.GET.get(name, "") for name in ("tenant", "target", "outcome")}
    if filters["tenant"]:
        drifts = drifts.filter(tenant__slug=filters["tenant"])
    if filters["target"]:
        drifts = drifts.filter(target__slug=filters["target"])
    if filters["outcome"]:
        drifts = drifts.filter(outcome=filters["outcome"])
    page = keyset_page(drifts, cursor=request.GET.get("cursor", ""), key=("found_at", "id"))
    context = {"page": page, "filters": filters, "outcomes": _OUTCOMES}
    return render(request, "enforcement/drift_list.html", context)


@requires(Permission.VIEW)
@require_GET
def search(request: SignedInRequest) -> HttpResponse:
    """Tenants, placements, plans, targets and rollouts by part of a name: a few of each."""
    words = request.GET.get("q", "").strip()
    context = {"q": words, **(_search(request, words) if words else {})}
    parts = {ANY: "enforcement/_search.html"}
    return render_partial_or_page(request, "enforcement/search.html", context, partials=parts)


def _search(request: SignedInRequest, words: str) -> dict[str, object]:
    named = Q(slug__icontains=words) | Q(name__icontains=words)
    placed = Placement.objects.visible_to(request.user).filter(location__icontains=words)
    rollouts = Rollout.objects.visible_to(request.user).filter(title__icontains=words)
    number = whole_number(words.lstrip("#"))
    if number is not None:
        rollouts = Rollout.objects.visible_to(request.user).filter(pk=number)
    results: dict[str, QuerySet[Any]] = {
        "tenants": Tenant.objects.visible_to(request.user)
        .filter(named)
        .order_by("slug")[:_MOST_RESULTS],
        "placements": placed.select_related("tenant", "target").order_by("location")[
            :_MOST_RESULTS
        ],
        "plans": Plan.objects.filter(named).order_by("slug")[:_MOST_RESULTS],
        "targets": Target.objects.filter(named).order_by("slug")[:_MOST_RESULTS],
        "rollouts": rollouts.order_by("-id")[:_MOST_RESULTS],
    }
    lists = {name: list(rows) for name, rows in results.items()}
    return {**lists, "empty": not any(lists.values())}
