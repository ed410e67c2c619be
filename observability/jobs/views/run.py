"""One run: its page, the part of it that lives, its events, its history to download."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from console.access.contracts import Permission
from console.access.rights import SignedInRequest, actor_of, requires
from console.numbers import whole_number
from console.pages.partials import (
    ANY,
    STOP_POLLING,
    render_partial_or_page,
    vary_on_partial,
    wants_partial,
)
from observability.jobs.models import JobRun
from observability.jobs.selectors import events as reads
from observability.jobs.selectors import run as page
from observability.jobs.selectors.limits_in_force import limits_in_force
from observability.jobs.selectors.tree import related
from observability.jobs.services.documents import download_history

_ORDERS = (("newest", "Newest first"), ("oldest", "Oldest first"))


def _run(request: SignedInRequest, pk: int) -> JobRun:
    visible = JobRun.objects.visible_to(request.user)
    return get_object_or_404(visible.select_related("target__state", "tenant"), pk=pk)


@requires(Permission.VIEW)
@require_GET
def run_detail(request: SignedInRequest, pk: int) -> HttpResponse:
    """What happened, who did what, and what belongs to it, on one page."""
    run, now = _run(request, pk), timezone.now()
    live = page.live_run(run, now=now)
    address = page.run_address(run, now=now)
    filters = reads.Filters.of(request.GET.dict())
    shown = reads.events_of(run, address, filters=filters, cursor=request.GET.get("cursor", ""))
    lanes = ((lane.step, lane.name) for lane in live.timeline.lane_summaries)
    context = {
        "run": run,
        "live": live,
        "poll_seconds": page.poll_seconds(run, now=now),
        "events": shown,
        "kinds": [(group.name, f"{group.label} ({group.count})") for group in reads.groups_of(run)],
        "orders": _ORDERS,
        "steps": reads.steps_of(lanes, filters.step),
        "tree": related(run),
        "limits": limits_in_force(run, now=now),
        "links": page.run_links(run, address),
        "actions_url": reverse("actions:panel", kwargs={"pk": run.pk}),
        "replays_url": reverse("replays:panel", kwargs={"pk": run.pk}),
    }
    return render(request, "jobs/run.html", context)


@requires(Permission.VIEW)
@require_GET
def run_live(request: SignedInRequest, pk: int) -> HttpResponse:
    """The status line and the picture, for as long as the run is open; `seen` is how many events
    the page has."""
    run = _run(request, pk)
    shown = whole_number(request.GET.get("seen", ""))
    context = {
        "run": run,
        "live": page.live_run(run, now=timezone.now()),
        "new_events": 0 if shown is None else max(run.event_count - shown, 0),
        "swap": True,
    }
    status = 200 if run.is_open else STOP_POLLING
    return render(request, "jobs/_run_live.html", context, status=status)


@requires(Permission.VIEW)
@require_GET
def run_events(request: SignedInRequest, pk: int) -> HttpResponse:
    """One page of events. Whoever opens this address gets the whole page at that place."""
    place = f"{reverse('jobs:run', args=[pk])}?{urlencode(request.GET.dict())}"
    if not wants_partial(request):
        return vary_on_partial(HttpResponseRedirect(f"{place}#events"))
    run, now = _run(request, pk), timezone.now()
    shown = reads.events_of(
        run,
        page.run_address(run, now=now),
        filters=reads.Filters.of(request.GET.dict()),
        cursor=request.GET.get("cursor", ""),
    )
    response = render(request, "jobs/_run_events.html", {"run": run, "events": shown})
    response["HX-Push-Url"] = place
    return vary_on_partial(response)


@requires(Permission.VIEW)
@require_GET
def run_event(request: SignedInRequest, pk: int, event: int) -> HttpResponse:
    """Everything that is kept of one event."""
    run = _run(request, pk)
    stored = get_object_or_404(run.events, pk=event)
    row = reads.event_row(run, stored, page.run_address(run, now=timezone.now()))
    parts = {ANY: "jobs/_run_payload.html"}
    context = {"run": run, "row": row}
    return render_partial_or_page(request, "jobs/run_event.html", context, partials=parts)


@requires(Permission.OPERATE)
@require_GET
def run_history(request: SignedInRequest, pk: int) -> HttpResponse:
    """The engine's own record of the run, unmasked, as a file; the ledger notes who took it."""
    download = download_history(run=_run(request, pk), actor=actor_of(request))
    response = HttpResponse(download.data, content_type=download.media)
    response["Content-Disposition"] = f'attachment; filename="{download.name}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response
