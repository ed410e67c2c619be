"""Changes of one placement, lease or override: little to fill in, but something to know first."""

from __future__ import annotations

from django.contrib import messages
from django.forms import Form
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone

from console.access.contracts import Permission
from console.access.rights import SignedInRequest, actor_of, requires
from console.errors import DomainError
from console.pages.forms import bound_data
from quotas.changes.forms.errors import add_domain_error
from quotas.changes.forms.placements import DriftPolicyForm
from quotas.changes.kinds.adjustments import EndLease, EndOverride
from quotas.changes.kinds.change import ProposedChange
from quotas.changes.kinds.placements import Displace
from quotas.changes.kinds.repairs import Repair, TakeOver
from quotas.changes.views.proposal_flow import propose_from_form
from quotas.enforcement.models import PlacementState
from quotas.enforcement.services import edits
from quotas.plans.charts import human, label_of
from quotas.plans.models import Lease, Override
from tenants.models import Placement, Tenant


@requires(Permission.OPERATE)
def repair(request: SignedInRequest, pk: int) -> HttpResponse:
    """Writes the intent again where it drifted or failed."""
    placement = _placement(request, pk)
    lines = [
        f"Writes what is intended for {placement} again, field by field.",
        "Fields that another owner's controller has set are left alone; take them over for that.",
    ]
    return _propose(request, placement.tenant, Repair((pk,)), f"Repair {placement}", lines)


@requires(Permission.OPERATE)
def take_over(request: SignedInRequest, pk: int) -> HttpResponse:
    """Takes fields over from whoever else holds them."""
    placement = _placement(request, pk)
    state = PlacementState.objects.visible_to(request.user).filter(placement=placement).first()
    owners = sorted(set(state.owners.values())) if state else []
    who = ", ".join(owners) or "their other owners"
    lines = [
        f"Takes the fields at {placement} over from {who}, and writes what is intended.",
        "If that is a controller (Argo CD, Helm, an operator), it may write its value again: "
        "change it there as well, or the two undo each other.",
    ]
    title = f"Take over {placement}"
    return _propose(request, placement.tenant, TakeOver((pk,)), title, lines, danger=True)


@requires(Permission.ADMINISTER)
def displace(request: SignedInRequest, pk: int) -> HttpResponse:
    """Removes a placement: what carries our label there is deleted."""
    placement = _placement(request, pk)
    lines = [
        f"Deletes everything with Headroom's label at {placement}, and what runs with it.",
        "The preview lists each object; the tenant's name is typed there before anything happens.",
        f"{placement.tenant} keeps its plan, its other placements and its history.",
    ]
    title = f"Remove {placement}"
    return _propose(request, placement.tenant, Displace(pk), title, lines, danger=True)


@requires(Permission.OPERATE)
def drift_policy(request: SignedInRequest, pk: int) -> HttpResponse:
    """What to do about drift at one placement: heal it, hold it, or as its target says."""
    placement = _placement(request, pk)
    form = DriftPolicyForm(bound_data(request))
    form.offer(placement)
    if request.method == "POST" and form.is_valid():
        try:
            rollout = edits.edit_drift_policy(
                placement=placement,
                policy=form.cleaned_data["policy"],
                actor=actor_of(request),
                reason=form.cleaned_data["reason"],
                at=timezone.now(),
            )
        except DomainError as error:
            add_domain_error(form, error)
        else:
            more = f" Rollout {rollout.pk} repairs the drift that was shown." if rollout else ""
            messages.success(request, f"Saved for {placement}.{more}")
            return redirect("enforcement:tenant", slug=placement.tenant.slug)
    status = 422 if form.is_bound and form.errors else 200
    context = {"placement": placement, "form": form}
    return render(request, "changes/drift_policy.html", context, status=status)


@requires(Permission.OPERATE)
def end_lease(request: SignedInRequest, pk: int) -> HttpResponse:
    """Ends a lease now."""
    lease = get_object_or_404(
        Lease.objects.visible_to(request.user).select_related("tenant"), pk=pk
    )
    lines = [
        f"{label_of(lease.key)}: {human(lease.key, lease.value)}, granted by {lease.author} "
        f"({lease.reason}).",
        f"It would end by itself on {lease.ends_at:%-d %b %Y at %H:%M} UTC.",
        "From now on the plan (or another lease or override) says the limit again.",
    ]
    return _propose(request, lease.tenant, EndLease(pk), f"End a lease of {lease.tenant}", lines)


@requires(Permission.ADMINISTER)
def end_override(request: SignedInRequest, pk: int) -> HttpResponse:
    """Ends an override now."""
    override = get_object_or_404(
        Override.objects.visible_to(request.user).select_related("tenant"), pk=pk
    )
    lines = [
        f"{label_of(override.key)}: {human(override.key, override.value)}, set by "
        f"{override.author} ({override.reason}).",
        "From now on the plan (or a lease) says the limit again.",
    ]
    title = f"End an override of {override.tenant}"
    return _propose(request, override.tenant, EndOverride(pk), title, lines)


def _placement(request: SignedInRequest, pk: int) -> Placement:
    visible = Placement.objects.visible_to(request.user)
    return get_object_or_404(visible.select_related("tenant", "target"), pk=pk)


def _propose(
    request: SignedInRequest,
    tenant: Tenant,
    change: ProposedChange,
    title: str,
    lines: list[str],
    *,
    danger: bool = False,
) -> HttpResponse:
    context = {"tenant": tenant, "title": title, "lines": lines, "danger": danger}
    return propose_from_form(
        request,
        Form(bound_data(request)),
        lambda: change,
        template="changes/change_form.html",
        context=context,
    )
