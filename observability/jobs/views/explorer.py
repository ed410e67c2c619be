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
from console.pages.partials import ANY, render_partial_or_page
from observability.jobs.models import JobRun
from observability.jobs.rules.query import CHIPS, Query, parse
from observability.jobs.selectors import explorer as reads
from observability.jobs.selectors.ingest import readings
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
    read = readings(now)
    context: dict[str, Any] = {
        "late": [each for each in read if each.late],
        "holes": [each for each in read if each.gaps],
        "is_read": any(each.state for each in read),
        "chips": CHIPS,
        "saved": SavedLink.objects.of(request.user, place=PLACE),
    }
    try:
        query = _asked(request)
    except DomainError as error:
        context |= {"error": error.message, "box": request.GET.get("q", ""), "rows": ()}
        return render(request, "jobs/explorer.html", context, status=400)
    found = search_for(query, now=now)
    page = _page(request, found)
    rows = reads.lines(page.rows, now=now)
    context |= {
        "query": query,
        "box": str(query),
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
        query = _asked(request)
    except DomainError:
        query = Query()
    found = reads.facets(query, now=timezone.now())
    context = {"facets": found, "link": _link(query)}
    parts = {ANY: "jobs/_facets.html"}
    return render_partial_or_page(request, "jobs/facets.html", context, partials=parts)


@requires(Permission.VIEW)
@require_GET
def fresh(request: SignedInRequest) -> HttpResponse:
    """How the shown runs stand now (each cell is swapped in its place), and how many are newer."""
    now = timezone.now()
    query = _asked(request)
    ids = [int(text) for text in request.GET.get("ids", "").split(".") if _is_id(text)][:_SHOWN]
    shown = reads.line_runs(JobRun.objects.visible_to(request.user).filter(pk__in=ids)).order_by(
        "pk"
    )
    context = {
        "rows": reads.lines(shown, now=now),
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
    runs = reads.line_runs(JobRun.objects.visible_to(request.user))
    found = search_for(query, now=now).take(runs, [f"-{part}" for part in KEY], _IN_PANEL + 1)
    context = {
        "name": name,
        "rows": reads.lines(found[:_IN_PANEL], now=now),
        "has_more": len(found) > _IN_PANEL,
        "link": _link(query),
    }
    return render(request, "jobs/_panel.html", context)


def _asked(request: SignedInRequest) -> Query:
    """The box, and chips that a link gives as parameters of their own. Raises DomainError."""
    given = {name: request.GET.getlist(name) for name in CHIPS if name in request.GET}
    return parse(request.GET.get("q", ""), given)


def _page(request: SignedInRequest, found: Search) -> Page[JobRun]:
    return keyset_page(
        reads.line_runs(JobRun.objects.visible_to(request.user)),
        cursor=request.GET.get("cursor", ""),
        key=KEY,
        size=_SHOWN,
        take=found.take,
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
    given = {"q": str(query), "ids": ids}
    if is_first:
        given["newest"] = str(runs[0].pk) if runs else "0"
    return f"{reverse('jobs:fresh')}?{urlencode(given)}"


def _newer(request: SignedInRequest, found: Search) -> int:
    """How many match that are newer than the first shown; 0 where that was not asked."""
    text = request.GET.get("newest", "")
    if not _is_id(text):
        return 0
    runs = reads.newer_than(int(text))
    return len(found.take(runs, [f"-{part}" for part in KEY], MOST_NEW + 1))


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 18
