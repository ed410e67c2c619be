"""The tenant list and the page of one tenant."""

from __future__ import annotations

from dataclasses import fields

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_GET

from console.access.contracts import Permission
from console.access.rights import SignedInRequest, requires
from console.database.keyset import Page, keyset_page
from console.pages.partials import render_partial_or_page
from quotas.enforcement.models import Condition
from quotas.enforcement.selectors import tenant_list as lists
from quotas.enforcement.selectors.target_loops import loop_report
from quotas.enforcement.selectors.tenant_page import tenant_page
from quotas.plans.models import Plan
from tenants.models import Target, Tenant, TenantStatus


@requires(Permission.VIEW)
@require_GET
def tenant_list(request: SignedInRequest) -> HttpResponse:
    """Tenants by slug, 50 to a page; every filter is in the URL."""
    chosen = {field.name: request.GET.get(field.name, "") for field in fields(lists.TenantFilters)}
    filters = lists.TenantFilters(**chosen)
    tenants = lists.filtered(filters, request.user).select_related("state")
    page = keyset_page(
        tenants, cursor=request.GET.get("cursor", ""), key=("slug",), descending=False
    )
    report = loop_report(timezone.now())
    context = {
        "loops": report.notes(report.unchecked) if page.rows else (),
        "filters": filters,
        "page": Page(rows=[], next=page.next, previous=page.previous),
        "rows": lists.rows(page.rows, report.unchecked),
        "conditions": Condition.choices,
        "statuses": TenantStatus.choices,
        "fullness": (("near", "90 % used or more"), ("over", "over a limit")),
        "plans": Plan.objects.order_by("slug").values_list("slug", flat=True),
        "targets": Target.objects.order_by("slug").values_list("slug", flat=True),
    }
    parts = {"tenants-table": "enforcement/_tenants_table.html"}
    return render_partial_or_page(request, "enforcement/tenant_list.html", context, partials=parts)


@requires(Permission.VIEW)
@require_GET
def tenant_detail(request: SignedInRequest, slug: str) -> HttpResponse:
    """Limits (intended, enforced, used, headroom) per placement, leases, history."""
    tenant = get_object_or_404(
        Tenant.objects.visible_to(request.user).select_related("state"), slug=slug
    )
    now = timezone.now()
    context = {"page": tenant_page(tenant, now=now, report=loop_report(now)), "tenant": tenant}
    parts = {"tenant-live": "enforcement/_tenant_live.html"}
    return render_partial_or_page(request, "enforcement/tenant.html", context, partials=parts)
