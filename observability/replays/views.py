"""Pages of bundles and replays, and the panel on a run's page."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from console.access.contracts import Permission
from console.access.rights import SignedInRequest, actor_of, requires
from console.database.keyset import keyset_page
from console.errors import DomainError
from console.pages.forms import bound_data
from console.pages.partials import ANY, render_partial_or_page
from observability.jobs.models import JobRun
from observability.replays import selectors
from observability.replays.forms import BundleForm, ReplayForm, ReplayHereForm, RetireForm
from observability.replays.models import Replay, ReplayResult, ResultVerdict, WorkflowBundle
from observability.replays.services import bundles, replays, run_selection


@requires(Permission.VIEW)
@require_GET
def bundle_list(request: SignedInRequest) -> HttpResponse:
    """Registered workflow code, the newest first."""
    page = keyset_page(
        WorkflowBundle.objects.select_related("author"),
        cursor=request.GET.get("cursor", ""),
        key=("id",),
    )
    context = {"page": page, "unconfined": not bundles.confines()}
    return render(request, "replays/bundles.html", context)


@requires(Permission.ADMINISTER)
@require_http_methods(["GET", "POST"])
def bundle_new(request: SignedInRequest) -> HttpResponse:
    """Registers a bundle: imports it once and shows what importing it raised, if it did."""
    form = BundleForm(bound_data(request))
    if request.method == "POST" and form.is_valid():
        try:
            bundle = bundles.register(actor=actor_of(request), **form.cleaned_data)
        except DomainError as error:
            _add_error(form, error)
        else:
            messages.success(request, f"{bundle} has {', '.join(bundle.workflows)}.")
            return redirect("replays:bundles")
    context = {
        "form": form,
        "title": "Register a bundle",
        "button": "Import and register",
        "unconfined": not bundles.confines(),
    }
    return render(request, "replays/form.html", context, status=422 if form.errors else 200)


@requires(Permission.ADMINISTER)
@require_http_methods(["GET", "POST"])
def bundle_retire(request: SignedInRequest, pk: int) -> HttpResponse:
    """Takes a bundle out of use."""
    bundle = get_object_or_404(WorkflowBundle, pk=pk)
    form = RetireForm(bound_data(request))
    if request.method == "POST" and form.is_valid():
        bundles.retire(bundle=bundle, actor=actor_of(request), reason=form.cleaned_data["reason"])
        messages.success(request, f"{bundle} is retired.")
        return redirect("replays:bundles")
    context = {"form": form, "title": f"Retire {bundle}", "button": "Retire"}
    return render(request, "replays/form.html", context, status=422 if form.errors else 200)


@requires(Permission.VIEW)
@require_GET
def replay_list(request: SignedInRequest) -> HttpResponse:
    """Replays, the newest first."""
    page = keyset_page(
        Replay.objects.visible_to(request.user).select_related("bundle"),
        cursor=request.GET.get("cursor", ""),
        key=("created_at", "id"),
    )
    context = {
        "page": page,
        "rows": selectors.progress_of(page.rows),
        "moving": any(replay.is_open for replay in page.rows),
    }
    parts = {"replays-table": "replays/_replays_table.html"}
    return render_partial_or_page(request, "replays/list.html", context, partials=parts)


@requires(Permission.OPERATE)
@require_http_methods(["GET", "POST"])
def replay_new(request: SignedInRequest) -> HttpResponse:
    """Many runs at once: does this build replay the last 500 runs of that workflow?"""
    initial = {"q": request.GET.get("q", ""), "last": 500}
    form = ReplayForm(bound_data(request), initial=initial)
    if request.method == "POST" and form.is_valid():
        wanted = form.cleaned_data
        try:
            runs, description = run_selection.newest(request.user, wanted["q"], last=wanted["last"])
            replay = replays.ask(
                bundle=wanted["bundle"], runs=runs, selection=description, actor=actor_of(request)
            )
        except DomainError as error:
            _add_error(form, error)
        else:
            return redirect("replays:replay", pk=replay.pk)
    context = {"form": form, "any_bundle": form.fields["bundle"].queryset.exists()}  # type: ignore[attr-defined]  # a ModelChoiceField
    return render(request, "replays/new.html", context, status=422 if form.errors else 200)


@requires(Permission.VIEW)
@require_GET
def replay_detail(request: SignedInRequest, pk: int) -> HttpResponse:
    """How far it is, what diverged and where, then every run."""
    replay = get_object_or_404(
        Replay.objects.visible_to(request.user).select_related("bundle"), pk=pk
    )
    verdict = request.GET.get("verdict", "")
    results = (
        ReplayResult.objects.visible_to(request.user)
        .filter(replay=replay)
        .select_related("run__tenant")
    )
    if verdict in ResultVerdict.values and verdict:
        results = results.filter(verdict=verdict)
    elif verdict == "bad":
        results = results.exclude(verdict__in=(ResultVerdict.NONE, ResultVerdict.DETERMINISTIC))
    page = keyset_page(results, cursor=request.GET.get("cursor", ""), key=("id",), descending=False)
    (progress,) = selectors.progress_of([replay])
    context = {
        "replay": replay,
        "progress": progress,
        "page": page,
        "verdict": verdict,
        "verdicts": [
            ("bad", "all but deterministic"),
            *((value, label.lower()) for value, label in ResultVerdict.choices if value),
        ],
    }
    return render_partial_or_page(
        request,
        "replays/replay.html",
        context,
        partials={"replay-live": "replays/_replay_live.html"},
        is_final=not replay.is_open,
    )


@requires(Permission.OPERATE)
@require_POST
def replay_stop(request: SignedInRequest, pk: int) -> HttpResponse:
    """Stops a replay; what is done stays."""
    replay = get_object_or_404(
        Replay.objects.visible_to(request.user).select_related("bundle"), pk=pk
    )
    if not replays.stop(replay=replay, actor=actor_of(request)):
        messages.info(request, "It had ended already.")
    return redirect("replays:replay", pk=pk)


@requires(Permission.VIEW)
@require_http_methods(["GET", "POST"])
def panel(request: SignedInRequest, pk: int) -> HttpResponseBase:
    """On a run's page: the form to replay it here, and how its last replays ended."""
    run = get_object_or_404(JobRun.objects.visible_to(request.user), pk=pk)
    if request.method == "POST":
        return _replay_here(request, run)
    replayable = replays.is_replayable(run)
    offered = selectors.bundles_for(run) if replayable else []
    context = {
        "run": run,
        "replayable": replayable,
        "bundles": [(bundle, run.type in bundle.workflows) for bundle in offered],
        "results": selectors.latest_results(run),
    }
    moving = any(result.replay.is_open for result in context["results"])  # type: ignore[attr-defined]  # a list of results
    return render_partial_or_page(
        request,
        "replays/panel.html",
        {**context, "moving": moving},
        partials={ANY: "replays/_panel.html"},
    )


@requires(Permission.OPERATE)
def _replay_here(request: SignedInRequest, run: JobRun) -> HttpResponse:
    form = ReplayHereForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Bundle: choose one that is registered and not retired.")
        return redirect("jobs:run", pk=run.pk)
    replay = replays.ask(
        bundle=form.cleaned_data["bundle"],
        runs=[run],
        selection=f"run {run.external_id}",
        actor=actor_of(request),
    )
    return redirect("replays:replay", pk=replay.pk)


def _add_error(form: Any, error: DomainError) -> None:
    form.add_error(error.field if error.field in form.fields else None, error.message)
