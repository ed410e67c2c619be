"""The job explorer, its live parts, and the panels that other pages load."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from console.access.contracts import Permission
from console.access.models import SavedLink
from console.access.rights import SignedInRequest, requires
from console.database.keyset import Page, keyset_page
from console.errors import DomainError
from console.numbers import whole_number
from console.pages.partials import ANY, render_partial_or_page
from console.pages.visible import visible
from observability.jobs.models import JobRun
from observability.jobs.rules.query import CHIPS, Query, parse
from observability.jobs.selectors import explorer as reads
from observability.jobs.selectors.ingest import ingest_statuses
from observability.jobs.selectors.search import KEY, Search, search_for
from observability.jobs.services.saved import PLACE
from tenants.models import Tenant

MOST_NEW = 99
_IN_PANEL = 8
_SHOWN = 50


@requires(Permission.VIEW)
@require_GET
def explorer(request: SignedInRequest) -> HttpResponse:
    """Runs that match the box, newest first, 50 to a page; everything is in the URL."""
    now = timezone.now()
    statuses = ingest_statuses(now)
    context: dict[str, Any] = {
        "late": [status for status in statuses if status.late],
        "with_gaps": [status for status in statuses if status.gaps],
        "is_read": any(status.state for status in statuses),
        "chips": CHIPS,
        "saved": SavedLink.objects.of(request.user, place=PLACE),
    }
    try:
        query = _query_of(request)
    except DomainError as error:
        context |= {"error": error.message, "box": request.GET.get("q", ""), "rows": ()}
        return render(request, "jobs/explorer.html", context, status=400)
    search = search_for(query, now=now)
    page = _page(request, search)
    rows = reads.run_lines(page.rows, now=now)
    context |= {
        "query": query,
        "box": visible(str(query)),
        "link": _link(query),
        "active": _active(query),
        "rows": rows,
        "page": Page(rows=[], next=page.next, previous=page.previous),
        "fresh": _fresh_url(query, page.rows, is_first=not page.previous),
    }
    return render(request, "jobs/explorer.html", context)


@requires(Permission.VIEW)
@require_GET
def facets(request: SignedInRequest) -> HttpResponse:
    """What matches, by status, engine, tenant, type and target."""
    try:
        query = _query_of(request)
    except DomainError:
        query = Query()
    context = {"facets": reads.facets(query, now=timezone.now()), "link": _link(query)}
    parts = {ANY: "jobs/_facets.html"}
    return render_partial_or_page(request, "jobs/facets.html", context, partials=parts)


@requires(Permission.VIEW)
@require_GET
def fresh(request: SignedInRequest) -> HttpResponse:
    """How the shown runs stand now (each cell is swapped in its place), and how many are newer."""
    now = timezone.now()
    query = _query_of(request)
    numbers = map(whole_number, request.GET.get("ids", "").split("."))
    ids = [number for number in numbers if number is not None][:_SHOWN]
    shown = reads.with_line_fields(
        JobRun.objects.visible_to(request.user).filter(pk__in=ids)
    ).order_by("pk")
    context = {
        "rows": reads.run_lines(shown, now=now),
        "newer": _newer(request, search_for(query, now=now)),
        "most": MOST_NEW,
        "link": _link(query),
    }
    return render(request, "jobs/_fresh.html", context)


@requires(Permission.VIEW)
@require_GET
def tenant_panel(request: SignedInRequest, slug: str) -> HttpResponse:
    """The newest runs of one tenant, for its page."""
    tenant = get_object_or_404(Tenant.objects.visible_to(request.user), slug=slug)
    return _panel(request, Query().plus("tenant", tenant.slug), name="tenant")


@requires(Permission.VIEW)
@require_GET
def failures_panel(request: SignedInRequest) -> HttpResponse:
    """The newest runs of the last day that ended badly, for the overview."""
    return _panel(request, Query().plus("status", "bad").plus("since", "24h"), name="failures")


def _panel(request: SignedInRequest, query: Query, *, name: str) -> HttpResponse:
    now = timezone.now()
    runs = reads.with_line_fields(JobRun.objects.visible_to(request.user))
    newest = search_for(query, now=now).take(runs, [f"-{part}" for part in KEY], _IN_PANEL + 1)
    context = {
        "name": name,
        "rows": reads.run_lines(newest[:_IN_PANEL], now=now),
        "has_more": len(newest) > _IN_PANEL,
        "link": _link(query),
    }
    return render(request, "jobs/_panel.html", context)


def _query_of(request: SignedInRequest) -> Query:
    """The box, and chips that a link gives as parameters of their own. Raises DomainError."""
    chips = {name: request.GET.getlist(name) for name in CHIPS if name in request.GET}
    return parse(request.GET.get("q", ""), chips)


def _page(request: SignedInRequest, search: Search) -> Page[JobRun]:
    return keyset_page(
        reads.with_line_fields(JobRun.objects.visible_to(request.user)),
        cursor=request.GET.get("cursor", ""),
        key=KEY,
        size=_SHOWN,
        take=search.take,
    )


def _link(query: Query) -> str:
    url = reverse("jobs:explorer")
    return f"{url}?{urlencode({'q': str(query)})}" if query else url


def _active(query: Query) -> list[tuple[str, str, str]]:
    """Name and value of each chip, and where the search without it is."""
    return [
        (chip.name, chip.value, _link(query.without(chip.name, chip.value))) for chip in query.chips
    ]


def _fresh_url(query: Query, runs: list[JobRun], *, is_first: bool) -> str:
    """Where the shown rows' present state is; empty where nothing shown can change."""
    ids = ".".join(str(run.pk) for run in runs if run.is_open)
    if not ids and not is_first:
        return ""
    parameters = {"q": str(query), "ids": ids}
    if is_first:
        parameters["newest"] = str(runs[0].pk) if runs else "0"
    return f"{reverse('jobs:fresh')}?{urlencode(parameters)}"


def _newer(request: SignedInRequest, search: Search) -> int:
    """How many match that are newer than the first shown; 0 where that was not asked."""
    newest = whole_number(request.GET.get("newest", ""))
    if newest is None:
        return 0
    runs = reads.newer_than(newest, request.user)
    return len(search.take(runs, [f"-{part}" for part in KEY], MOST_NEW + 1))
