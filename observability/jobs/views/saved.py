"""A person's own searches, kept under names."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from console.access.contracts import Permission
from console.access.rights import SignedInRequest, requires
from console.errors import DomainError
from observability.jobs.forms import SaveForm
from observability.jobs.services import saved


@requires(Permission.VIEW)
@require_POST
def save(request: SignedInRequest) -> HttpResponseRedirect:
    """Keeps the search that is shown, and goes back to it."""
    form = SaveForm(request.POST)
    if not form.is_valid():
        field, errors = next(iter(form.errors.items()))
        messages.error(request, f"{form.fields[field].label or field.capitalize()}: {errors[0]}")
        return _back(request.POST.get("q", ""))
    name, query = form.cleaned_data["name"], form.cleaned_data["q"]
    try:
        saved.keep(user=request.user, name=name, query=query)
    except DomainError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, f"Saved as “{name}”.")
    return _back(query)


@requires(Permission.VIEW)
@require_POST
def remove(request: SignedInRequest, pk: int) -> HttpResponseRedirect:
    """Forgets a saved search; what is shown stays."""
    saved.remove(user=request.user, pk=pk)
    return _back(request.POST.get("q", ""))


def _back(query: str) -> HttpResponseRedirect:
    place = reverse("jobs:explorer")
    return HttpResponseRedirect(f"{place}?{urlencode({'q': query})}" if query else place)
