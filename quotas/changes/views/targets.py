"""Adding and editing targets; a connection test follows."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET

from console.access.contracts import Permission
from console.access.rights import SignedInRequest, actor_of, requires
from console.errors import DomainError
from console.pages.forms import bound_data
from quotas.changes.forms.errors import add_domain_error
from quotas.changes.forms.targets import OPTION_FIELDS, TargetForm, shown_options
from quotas.enforcement.adapters import registry
from quotas.enforcement.services import edits
from tenants.models import Target

_NAMES = ("slug", "name", "kind", "endpoint", "credential", "drift_policy", "concurrency",
          "enabled", "generation")  # fmt: skip


@requires(Permission.ADMINISTER)
def target_new(request: SignedInRequest) -> HttpResponse:
    """A new target."""
    form = TargetForm(bound_data(request), kinds=_kinds(), is_new=True)
    if request.method == "POST" and form.is_valid():
        try:
            target = edits.add_target(
                slug=form.cleaned_data["slug"],
                kind=form.cleaned_data["kind"],
                kinds=registry.kinds(),
                actor=actor_of(request),
                reason=form.cleaned_data["reason"],
                **form.given(),
            )
        except DomainError as error:
            add_domain_error(form, error, OPTION_FIELDS)
        else:
            return redirect("changes:target_saved", slug=target.slug)
    return _page(request, form, None)


@requires(Permission.ADMINISTER)
def target_edit(request: SignedInRequest, slug: str) -> HttpResponse:
    """Everything of a target but its short name and kind."""
    target = get_object_or_404(Target, slug=slug)
    known = {name: getattr(target, name) for name in _NAMES} | {"options": target.options}
    initial = known | shown_options(target.options)
    form = TargetForm(bound_data(request), kinds=_kinds(), is_new=False, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            edits.edit_target(
                target=target,
                expected_generation=form.cleaned_data["generation"] or 0,
                actor=actor_of(request),
                reason=form.cleaned_data["reason"],
                **form.given(),
            )
        except DomainError as error:
            add_domain_error(form, error, OPTION_FIELDS)
        else:
            return redirect("changes:target_saved", slug=slug)
    return _page(request, form, target)


@requires(Permission.ADMINISTER)
@require_GET
def target_saved(request: SignedInRequest, slug: str) -> HttpResponse:
    """Says that it is saved, and tests the connection."""
    target = get_object_or_404(Target, slug=slug)
    return render(request, "changes/target_saved.html", {"target": target})


def _page(request: SignedInRequest, form: TargetForm, target: Target | None) -> HttpResponse:
    context: dict[str, Any] = {"form": form, "target": target}
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "changes/target_form.html", context, status=status)


def _kinds() -> list[tuple[str, str]]:
    return [(kind, registry.adapter_for(kind).label) for kind in registry.kinds()]
