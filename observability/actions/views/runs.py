"""What can be done to one run: the panel of its page, and asking for it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET

from console.access.contracts import Permission
from console.access.rights import SignedInRequest, actor_of, requires
from console.errors import DomainError
from console.pages.forms import bound_data
from console.pages.partials import ANY, render_partial_or_page
from observability.actions.forms import STEPS_ID, ActionForm, add_problems
from observability.actions.models import ActionStatus
from observability.actions.selectors.facts import facts_of, offers
from observability.actions.selectors.pages import panel_of
from observability.actions.services.actions import ActionCommand, act
from observability.engines.catalogue import find_verb
from observability.engines.verbs import find
from observability.jobs.models import JobRun

_TONES = {ActionStatus.DONE: messages.SUCCESS, ActionStatus.REFUSED: messages.ERROR}


@requires(Permission.VIEW)
@require_GET
def panel(request: SignedInRequest, pk: int) -> HttpResponse:
    """Buttons for what is possible now, reasons for what is not, and what was done."""
    run = _run(request, pk)
    context = {"run": run, "panel": panel_of(run)}
    parts = {ANY: "actions/_panel.html"}
    return render_partial_or_page(request, "actions/panel.html", context, partials=parts)


@requires(Permission.OPERATE)
def ask(request: SignedInRequest, pk: int, verb: str) -> HttpResponse:
    """Says what will happen, asks for arguments and the reason, and does it."""
    run = _run(request, pk)
    about = find_verb(run.engine, verb)
    if about is None:
        raise Http404(f"Nothing called {verb} can be done on {run.get_engine_display()}.")
    form = ActionForm(
        bound_data(request), verb=about, confirm=run.external_id, initial=_initial(request, run)
    )
    status = 200
    if form.is_bound and form.is_valid():
        command = ActionCommand(
            verb=about.name,
            reason=form.cleaned_data["reason"],
            arguments=form.arguments(),
            confirm=form.cleaned_data.get("confirm", ""),
            seen_status=form.cleaned_data["seen_status"],
        )
        try:
            action = act(run=run, command=command, actor=actor_of(request))
        except DomainError as error:
            add_problems(form, error)
            status = error.status
        else:
            tone = _TONES.get(ActionStatus(action.status), messages.WARNING)
            messages.add_message(request, tone, f"{action.what}: {action.message}")
            return redirect("actions:detail", pk=action.pk)
    elif form.is_bound:
        status = 422
    facts = facts_of(run)
    offered = find(offers(run, facts), about.name)
    context: dict[str, Any] = {
        "run": run,
        "verb": about,
        "form": form,
        "why_not": offered.why_not if offered else "",
        "steps": facts.steps,
        "steps_id": STEPS_ID,
    }
    return render(request, "actions/ask.html", context, status=status)


def _run(request: SignedInRequest, pk: int) -> JobRun:
    visible = JobRun.objects.visible_to(request.user)
    return get_object_or_404(visible.select_related("target", "tenant"), pk=pk)


def _initial(request: SignedInRequest, run: JobRun) -> dict[str, Any]:
    """What the address says already (`?event=12&point=event`), and the status that is shown."""
    return {**{name: text[:1000] for name, text in request.GET.items()}, "seen_status": run.status}
