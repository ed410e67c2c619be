"""Many runs at once: choose, count, give the reason, watch."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from console.access.contracts import Permission
from console.access.rights import SignedInRequest, actor_of, requires
from console.errors import DomainError, ExternalError
from observability.actions.forms import BatchApplyForm, BatchForm, add_problems
from observability.actions.selectors.pages import batch_verbs
from observability.actions.services.batches import ask_batch
from observability.actions.services.previews import BatchCommand, BatchPreview, preview_batch
from observability.engines.catalogue import find_verb
from observability.engines.contracts import ENGINE_LABELS, Engine
from observability.engines.verbs import Verb


@requires(Permission.OPERATE)
def batch(request: SignedInRequest) -> HttpResponse:
    """Three steps on one address: which verb, which runs, then the dry count with the reason."""
    verb = _verb(request)
    if verb is None:
        context = {"engines": batch_verbs(), "query": request.GET.get("q", "")}
        return render(request, "actions/batch_verbs.html", context)
    if request.method != "POST":
        form = BatchForm(verb=verb, initial=_initial(request))
        return _edit(request, verb, form)
    form = BatchForm(request.POST, verb=verb)
    if not form.is_valid() or "edit" in request.POST:
        return _edit(request, verb, form, status=422 if form.errors else 200)
    command = _command(verb, form)
    try:
        preview = preview_batch(command, now=timezone.now())
    except DomainError as error:
        add_problems(form, error)
        return _edit(request, verb, form, status=error.status)
    except ExternalError as error:
        form.add_error(None, f"The engine did not count them: {error.message}")
        return _edit(request, verb, form, status=422)
    if "apply" not in request.POST:
        apply = BatchApplyForm(initial={"expected": preview.fitting})
        return _show_preview(request, verb, form, preview, apply)
    return _apply(request, verb, form, preview)


def _apply(
    request: SignedInRequest, verb: Verb, form: BatchForm, preview: BatchPreview
) -> HttpResponse:
    apply = BatchApplyForm(request.POST)
    if not apply.is_valid():
        return _show_preview(request, verb, form, preview, apply, status=422)
    try:
        action = ask_batch(
            command=_command(verb, form, **apply.cleaned_data), actor=actor_of(request)
        )
    except DomainError as error:
        repeated = BatchApplyForm({**request.POST.dict(), "expected": str(preview.fitting)})
        repeated.is_valid()
        add_problems(repeated, error)
        return _show_preview(request, verb, form, preview, repeated, status=error.status)
    except ExternalError as error:
        apply.add_error(None, f"Nothing was done: {error.message}")
        return _show_preview(request, verb, form, preview, apply, status=422)
    return redirect("actions:detail", pk=action.pk)


def _verb(request: SignedInRequest) -> Verb | None:
    engine, name = request.GET.get("engine", ""), request.GET.get("verb", "")
    if engine not in ENGINE_LABELS:
        return None
    verb = find_verb(engine, name)
    return verb if verb is not None and verb.in_batch else None


def _initial(request: SignedInRequest) -> dict[str, Any]:
    return {"query": request.GET.get("q", ""), "where": request.GET.get("where", "")}


def _command(verb: Verb, form: BatchForm, **confirmed: Any) -> BatchCommand:
    fields = form.cleaned_data
    return BatchCommand(
        engine=verb.engine.value,
        verb=verb.name,
        query=fields["query"],
        target=fields["where"],
        arguments=form.arguments(),
        rate=fields["rate"],
        **confirmed,
    )


def _edit(
    request: SignedInRequest, verb: Verb, form: BatchForm, *, status: int = 200
) -> HttpResponse:
    return render(request, "actions/batch.html", {"verb": verb, "form": form}, status=status)


def _show_preview(
    request: SignedInRequest,
    verb: Verb,
    form: BatchForm,
    preview: BatchPreview,
    apply: BatchApplyForm,
    *,
    status: int = 200,
) -> HttpResponse:
    chosen = {name: form.data.get(name, "") for name in form.fields if form.data.get(name)}
    context = {
        "verb": verb,
        "preview": preview,
        "form": apply,
        "chosen": chosen,
        "engine": ENGINE_LABELS[Engine(verb.engine.value)],
        "rate": form.cleaned_data["rate"],
        "query": form.cleaned_data["query"],
        "where": form.cleaned_data["where"],
    }
    return render(request, "actions/batch_preview.html", context, status=status)
