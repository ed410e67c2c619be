"""The ledger, searchable by whoever may see the console."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from console.access.contracts import Permission
from console.access.rights import SignedInRequest, requires
from console.audit import selectors
from console.audit.forms import LedgerFilter


@requires(Permission.VIEW)
@require_GET
def ledger(request: SignedInRequest) -> HttpResponse:
    """Who did what to whom, and why; newest first, filters in the URL."""
    form = LedgerFilter(request.GET)
    entries = form.entries(request.user)
    page, rows = selectors.ledger_page(entries, cursor=request.GET.get("cursor", ""))
    context = {"form": form, "page": page, "rows": rows, "active": form.active()}
    return render(request, "audit/ledger.html", context)
