"""Targets: the list, one target, and the connection test."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from console.access.contracts import Permission
from console.access.rights import SignedInRequest, actor_of, requires
from console.pages.partials import render_partial_or_page, wants_partial
from quotas.enforcement.reconcile import operations
from quotas.enforcement.selectors.overview import target_lines
from quotas.enforcement.selectors.target_loops import loop_report
from quotas.enforcement.selectors.targets import target_page
from tenants.models import Target


@requires(Permission.VIEW)
@require_GET
def target_list(request: SignedInRequest) -> HttpResponse:
    """Every target with its health and what is managed there."""
    off = Target.objects.filter(enabled=False).order_by("slug")
    report = loop_report(timezone.now())
    lines = target_lines(report)
    loops = report.notes({line.slug for line in lines}) if lines else ()
    context = {"targets": lines, "disabled": off, "loops": loops}
    parts = {"targets-table": "enforcement/_targets_table.html"}
    return render_partial_or_page(request, "enforcement/target_list.html", context, partials=parts)


@requires(Permission.VIEW)
@require_GET
def target_detail(request: SignedInRequest, slug: str) -> HttpResponse:
    """Health over 24 h, versions, what is managed, what is left alone."""
    target = get_object_or_404(Target, slug=slug)
    context = {"page": target_page(target, now=timezone.now()), "target": target}
    parts = {"target-live": "enforcement/_target_live.html"}
    return render_partial_or_page(request, "enforcement/target.html", context, partials=parts)


@requires(Permission.OPERATE)
@require_POST
def target_test(request: SignedInRequest, slug: str) -> HttpResponse:
    """Reaches out now and says what was found: latency, version, missing permissions."""
    target = get_object_or_404(Target, slug=slug)
    report = operations.test_connection(target=target, actor=actor_of(request), now=timezone.now())
    if wants_partial(request):
        return render(
            request, "enforcement/_target_test.html", {"report": report, "target": target}
        )
    level = messages.success if report.ok else messages.error
    level(request, report.summary)
    return redirect("enforcement:target", slug=slug)


@requires(Permission.OPERATE)
@require_POST
def target_sync(request: SignedInRequest, slug: str) -> HttpResponse:
    """Asks for a look at the whole target now."""
    target = get_object_or_404(Target, slug=slug)
    if operations.sweep_now(target=target, actor=actor_of(request)):
        messages.success(request, f"{target.slug} is being compared with what is intended.")
    else:
        messages.warning(
            request, "The broker does not answer: the next regular sweep will compare this target."
        )
    return redirect("enforcement:target", slug=slug)
