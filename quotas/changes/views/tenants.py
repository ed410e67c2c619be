"""Changes of one tenant: on-boarding, limits, plan, places, suspension, the end."""

from __future__ import annotations

from django.forms import Form
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone

from console.access.contracts import Permission
from console.access.rights import SignedInRequest, granted, require, requires
from console.errors import DomainError
from console.pages.forms import bound_data
from quotas.changes.forms import tenants as forms
from quotas.changes.forms.limits import LimitForm
from quotas.changes.kinds.adjustments import SetOverride
from quotas.changes.kinds.change import ProposedChange
from quotas.changes.kinds.lifecycle import Offboard, Resume, Suspend
from quotas.changes.rules.catalogue import offers
from quotas.changes.selectors.current_limits import current_limits
from quotas.changes.views.proposal_flow import (
    RESUME,
    SUSPEND,
    propose_and_preview,
    propose_from_form,
)
from tenants.models import Placement, Target, Tenant


@requires(Permission.ADMINISTER)
def onboard(request: SignedInRequest) -> HttpResponse:
    """A new tenant with its plan and its placements, in one step."""
    form = forms.OnboardForm(bound_data(request), initial={"plan": request.GET.get("plan", "")})
    rows = forms.place_rows()
    context = {"rows": rows, "targets": Target.objects.order_by("slug"), "form": form}
    if request.method != "POST":
        rows.add()
        return render(request, "changes/onboard.html", context)
    if rows.handle_buttons(request.POST):
        # Adding a row is no attempt to save: what is missing is not complained about yet.
        context["form"] = forms.OnboardForm(initial=request.POST.dict())
        return render(request, "changes/onboard.html", context)
    rows.read(request.POST)
    if form.is_valid():
        places = forms.places_of(rows, form.cleaned_data["slug"])
        if not rows.has_errors:
            try:
                return propose_and_preview(request, form.change(places))
            except DomainError as error:
                forms.add_row_errors(rows, form, error)
    if not len(rows):
        rows.add()
    return render(request, "changes/onboard.html", context, status=422)


@requires(Permission.OPERATE)
def limits(request: SignedInRequest, slug: str) -> HttpResponse:
    """One limit of a tenant: a lease, or (for admins) an override."""
    tenant = get_object_or_404(Tenant.objects.visible_to(request.user), slug=slug)
    overriding = SetOverride.permission
    if request.POST.get("how") == "override":
        require(request, overriding)
    current, plan = current_limits(tenant, now=timezone.now())
    chosen = next((line for line in current if line.key == request.GET.get("key")), None)
    initial = {"key": chosen.key, "value": chosen.form_text} if chosen else {}
    may_override = granted(request, overriding)
    form = LimitForm(bound_data(request), may_override=may_override, initial=initial)
    context = {
        "tenant": tenant,
        "current": current,
        "plan": plan,
        "chosen": chosen,
        "offers": offers(),
    }
    return propose_from_form(
        request,
        form,
        lambda: form.change((slug,)),
        template="changes/limits.html",
        context=context,
    )


@requires(Permission.OPERATE)
def suspend(request: SignedInRequest, slug: str) -> HttpResponse:
    """Says what suspending means, then leads to its preview."""
    return _plain(request, slug, Suspend((slug,)), verb="Suspend", lines=SUSPEND)


@requires(Permission.OPERATE)
def resume(request: SignedInRequest, slug: str) -> HttpResponse:
    """Says what resuming means, then leads to its preview."""
    return _plain(request, slug, Resume((slug,)), verb="Resume", lines=RESUME)


def _plain(
    request: SignedInRequest,
    slug: str,
    change: ProposedChange,
    *,
    verb: str,
    lines: tuple[str, ...],
) -> HttpResponse:
    tenant = get_object_or_404(Tenant.objects.visible_to(request.user), slug=slug)
    context = {"tenant": tenant, "title": f"{verb} {slug}", "lines": lines}
    return propose_from_form(
        request,
        Form(bound_data(request)),
        lambda: change,
        template="changes/change_form.html",
        context=context,
    )


@requires(Permission.ADMINISTER)
def place(request: SignedInRequest, slug: str) -> HttpResponse:
    """One more place for a tenant."""
    tenant = get_object_or_404(Tenant.objects.visible_to(request.user), slug=slug)
    form = forms.PlaceForm(bound_data(request))
    placed = (
        Placement.objects.visible_to(request.user).filter(tenant=tenant).select_related("target")
    )
    context = {
        "tenant": tenant,
        "title": f"Place {slug}",
        "lines": [f"Placed already: {placement}" for placement in placed],
    }
    return propose_from_form(
        request,
        form,
        lambda: form.change(slug),
        template="changes/change_form.html",
        context=context,
    )


@requires(Permission.ADMINISTER)
def move(request: SignedInRequest, slug: str) -> HttpResponse:
    """Another plan for a tenant."""
    tenant = get_object_or_404(Tenant.objects.visible_to(request.user), slug=slug)
    form = forms.MoveForm(bound_data(request))
    _, plan = current_limits(tenant, now=timezone.now())
    context = {
        "tenant": tenant,
        "title": f"Move {slug} to a plan",
        "lines": [f"It has {plan} now." if plan else "It has no plan now: nothing is limited."],
    }
    return propose_from_form(
        request,
        form,
        lambda: form.change((slug,)),
        template="changes/change_form.html",
        context=context,
    )


@requires(Permission.ADMINISTER)
def offboard(request: SignedInRequest, slug: str) -> HttpResponse:
    """The end of a tenant: its name is typed, then the preview lists what is deleted."""
    tenant = get_object_or_404(Tenant.objects.visible_to(request.user), slug=slug)
    form = forms.OffboardForm(bound_data(request), slug=slug)
    placed = (
        Placement.objects.visible_to(request.user).filter(tenant=tenant).select_related("target")
    )
    context = {
        "tenant": tenant,
        "title": f"Off-board {slug}",
        "danger": True,
        "lines": [
            *[f"Deleted: everything with Headroom's label at {placement}." for placement in placed],
            "Ended: its plan, its leases and its overrides.",
            "Stays: the tenant itself with its history, ledger and usage. The short name is never "
            "given to anybody else.",
            "Stays: every object in those places that does not carry Headroom's label, unless it "
            "lies in a namespace that Headroom made. The preview lists each object.",
        ],
    }
    return propose_from_form(
        request,
        form,
        lambda: Offboard(slug, form.cleaned_data["confirm"]),
        template="changes/change_form.html",
        context=context,
    )
