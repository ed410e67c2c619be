"""What people read about a tenant, and the people who belong to it."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from console.access.contracts import Permission
from console.access.forms import ReasonForm
from console.access.rights import SignedInRequest, actor_of, requires
from console.errors import DomainError
from console.pages.forms import bound_data
from quotas.changes.forms import tenants as forms
from quotas.changes.forms.errors import add_domain_error
from quotas.enforcement.services import edits
from tenants.models import Membership, Tenant
from tenants.services import governance as tenants

_NAMES = ("name", "contact", "group", "labels", "generation")


@requires(Permission.ADMINISTER)
def tenant_edit(request: SignedInRequest, slug: str) -> HttpResponse:
    """What people read about a tenant, and who belongs to it."""
    tenant = get_object_or_404(Tenant.objects.visible_to(request.user), slug=slug)
    form = forms.TenantForm(
        bound_data(request), initial={name: getattr(tenant, name) for name in _NAMES}
    )
    if request.method == "POST" and form.is_valid():
        cleaned = dict(form.cleaned_data)
        try:
            rollout = edits.edit_tenant(
                tenant=tenant,
                expected_generation=cleaned.pop("generation"),
                actor=actor_of(request),
                at=timezone.now(),
                **cleaned,
            )
        except DomainError as error:
            add_domain_error(form, error)
        else:
            pushed = f" Rollout {rollout.pk} writes the new group." if rollout else ""
            messages.success(request, f"{slug} is saved.{pushed}")
            return redirect("enforcement:tenant", slug=slug)
    return _edit_page(request, tenant, form, forms.MemberForm(prefix="member"))


@requires(Permission.ADMINISTER)
@require_POST
def member_add(request: SignedInRequest, slug: str) -> HttpResponse:
    """Makes a person a member of a tenant."""
    tenant = get_object_or_404(Tenant.objects.visible_to(request.user), slug=slug)
    form = forms.MemberForm(request.POST, prefix="member")
    if form.is_valid():
        try:
            tenants.add_member(tenant=tenant, actor=actor_of(request), **form.cleaned_data)
        except DomainError as error:
            add_domain_error(form, error)
        else:
            messages.success(request, f"{form.cleaned_data['user']} belongs to {slug} now.")
            return redirect("changes:tenant_edit", slug=slug)
    edit = forms.TenantForm(initial={name: getattr(tenant, name) for name in _NAMES})
    return _edit_page(request, tenant, edit, form)


@requires(Permission.ADMINISTER)
@require_POST
def member_remove(request: SignedInRequest, slug: str, pk: int) -> HttpResponse:
    """Takes a person out of a tenant."""
    memberships = Membership.objects.visible_to(request.user).select_related("tenant", "user")
    membership = get_object_or_404(memberships, pk=pk, tenant__slug=slug)
    form = ReasonForm(request.POST)
    if form.is_valid():
        name = membership.user.get_username()
        tenants.remove_member(
            membership=membership, actor=actor_of(request), reason=form.cleaned_data["reason"]
        )
        messages.success(request, f"{name} does not belong to {slug} any more.")
    else:
        messages.error(request, "Say why: the reason stays in the ledger.")
    return redirect("changes:tenant_edit", slug=slug)


def _edit_page(
    request: SignedInRequest, tenant: Tenant, form: forms.TenantForm, member: forms.MemberForm
) -> HttpResponse:
    context = {
        "tenant": tenant,
        "form": form,
        "member_form": member,
        "members": tenant.memberships.select_related("user").order_by("user__username"),
    }
    wrong = (form.is_bound and form.errors) or (member.is_bound and member.errors)
    return render(request, "changes/tenant_edit.html", context, status=422 if wrong else 200)
