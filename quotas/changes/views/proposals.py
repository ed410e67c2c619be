"""Proposals: the drafts, one preview, and what can be done with it."""

from __future__ import annotations

from typing import Any

import yaml
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from console.access.contracts import Permission
from console.access.rights import SignedInRequest, actor_of, granted, require, requires
from console.database.keyset import keyset_page
from console.errors import DomainError
from console.numbers import whole_number
from console.pages.partials import ANY, render_partial_or_page, wants_partial
from quotas.changes.contracts import Preview
from quotas.changes.forms.errors import add_domain_error
from quotas.changes.forms.proposals import ApplyForm
from quotas.changes.kinds.payload import shown
from quotas.changes.kinds.registry import permission_for
from quotas.changes.models import Proposal, ProposalStatus
from quotas.changes.rules.preview_document import preview_from
from quotas.changes.selectors.preview_page import objects_page, preview_page
from quotas.changes.services import proposals

STALE_AFTER = 120
"""Seconds after which the page offers to look again; applying looks again in any case."""


@requires(Permission.VIEW)
@require_GET
def proposal_list(request: SignedInRequest) -> HttpResponse:
    """Drafts, newest first; `status=` shows applied or discarded ones."""
    status = request.GET.get("status", ProposalStatus.DRAFT)
    if status not in ProposalStatus.values:
        status = ProposalStatus.DRAFT
    rows = (
        Proposal.objects.visible_to(request.user).filter(status=status).defer("preview", "payload")
    )
    page = keyset_page(
        rows, cursor=request.GET.get("cursor", ""), key=("created_at", "id"), size=50
    )
    context = {"page": page, "status": status, "statuses": ProposalStatus.choices}
    return render(request, "changes/proposal_list.html", context)


@requires(Permission.VIEW)
@require_GET
def proposal(request: SignedInRequest, pk: int) -> HttpResponse:
    """The preview of one change: nothing is written until it is applied."""
    proposal = get_object_or_404(
        Proposal.objects.visible_to(request.user).select_related("rollout"), pk=pk
    )
    response = _page(request, proposal, ApplyForm(initial={"reason": proposal.reason}))
    if wants_partial(request, "preview-wait") and not _is_awaited(proposal):
        # The preview is there (or cannot be): the page loads itself anew.
        response["HX-Refresh"] = "true"
    return response


@requires(Permission.VIEW)
@require_GET
def proposal_objects(request: SignedInRequest, pk: int) -> HttpResponse:
    """The objects of a preview, filtered and page by page: a partial of its page."""
    proposal = get_object_or_404(Proposal.objects.visible_to(request.user), pk=pk)
    preview = preview_from(proposal.preview)
    context = {"proposal": proposal, **_objects(request, preview)}
    parts = {ANY: "changes/_objects.html"}
    return render_partial_or_page(request, "changes/proposal_objects.html", context, partials=parts)


@requires(Permission.VIEW)
@require_GET
def proposal_yaml(request: SignedInRequest, pk: int) -> HttpResponse:
    """The change and every object that it would write, field by field, to keep or to review."""
    proposal = get_object_or_404(Proposal.objects.visible_to(request.user), pk=pk)
    preview = preview_from(proposal.preview)
    document = {
        "title": proposal.title,
        "kind": proposal.kind,
        "change": shown(proposal.payload),
        "previewed_at": preview.at if preview else None,
        "objects_total": preview.objects_total if preview else 0,
        "objects": [
            {
                "target": item.target,
                "tenant": item.tenant,
                "location": item.location,
                "operation": str(item.change.operation),
                "object": str(item.change.ref),
                "fields": [
                    {"path": field.path, "before": field.before, "after": field.after}
                    for field in item.change.fields
                ],
            }
            for item in (preview.objects if preview else ())
        ],
    }
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)
    response = HttpResponse(text, content_type="application/yaml; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="change-{proposal.pk}.yaml"'
    return response


@requires(Permission.OPERATE)
@require_POST
def proposal_refresh(request: SignedInRequest, pk: int) -> HttpResponse:
    """Looks at rows and planes again, for a draft whose preview has aged."""
    proposal = get_object_or_404(Proposal.objects.visible_to(request.user), pk=pk)
    try:
        proposals.request_preview(proposal=proposal)
    except DomainError as error:
        messages.error(request, error.message)
    return redirect("changes:proposal", pk=pk)


@requires(Permission.OPERATE)
@require_POST
def proposal_apply(request: SignedInRequest, pk: int) -> HttpResponse:
    """Does what the preview says and leads to the rollout; or keeps it as a draft with its reason.

    A preview that no longer holds is shown anew, with what has changed since.
    """
    proposal = get_object_or_404(Proposal.objects.visible_to(request.user), pk=pk)
    require(request, permission_for(proposal.kind))
    if "draft" in request.POST:
        return _keep(request, proposal)
    form = ApplyForm(request.POST)
    if not form.is_valid():
        return _page(request, proposal, form)
    try:
        rollout = proposals.apply(proposal=proposal, actor=actor_of(request), **form.cleaned_data)
    except DomainError as error:
        return _refused(request, proposal, form, error)
    return redirect("enforcement:rollout", pk=rollout.pk)


@requires(Permission.OPERATE)
@require_POST
def proposal_discard(request: SignedInRequest, pk: int) -> HttpResponse:
    """Gives a draft up."""
    proposal = get_object_or_404(Proposal.objects.visible_to(request.user), pk=pk)
    require(request, permission_for(proposal.kind))
    try:
        proposals.discard(proposal=proposal, actor=actor_of(request))
    except DomainError as error:
        messages.error(request, error.message)
        return redirect("changes:proposal", pk=pk)
    messages.success(request, f"Discarded: {proposal.title}. Nothing was written.")
    return redirect("changes:proposals")


def _keep(request: SignedInRequest, proposal: Proposal) -> HttpResponse:
    if proposals.keep(proposal=proposal, reason=request.POST.get("reason", "")):
        messages.success(request, f"Kept as a draft: {proposal.title}. Nothing was written.")
    return redirect("changes:proposals")


def _refused(
    request: SignedInRequest, proposal: Proposal, form: ApplyForm, error: DomainError
) -> HttpResponse:
    proposal.refresh_from_db()
    if error.code == "not_a_draft":
        messages.warning(request, error.message)
        return redirect("changes:proposal", pk=proposal.pk)
    if error.code != "stale_preview":
        add_domain_error(form, error)
        return _page(request, proposal, form)
    try:
        proposals.request_preview(proposal=proposal)
    except DomainError as impossible:
        add_domain_error(form, impossible)
        return _page(request, proposal, form)
    proposal.refresh_from_db()
    again = ApplyForm(initial={"reason": form.cleaned_data["reason"]})
    return _page(request, proposal, again, since=error.detail["since"], status=422)


def _page(
    request: SignedInRequest,
    proposal: Proposal,
    form: ApplyForm,
    *,
    since: list[dict[str, str]] | None = None,
    status: int = 0,
) -> HttpResponse:
    preview = preview_from(proposal.preview)
    page = preview_page(preview) if preview else None
    is_draft = proposal.status == ProposalStatus.DRAFT
    context: dict[str, Any] = {
        "proposal": proposal,
        "page": page,
        "form": form,
        "since": since or (),
        "is_draft": is_draft,
        "impossible": not page and proposal.progress.startswith("Not possible"),
        "may_apply": is_draft and granted(request, permission_for(proposal.kind)),
        "needs": permission_for(proposal.kind).label,
        "edit_plan": proposal.payload.get("plan") if proposal.kind == "PublishPlan" else "",
        "is_old": bool(page and is_draft)
        and (timezone.now() - (proposal.previewed_at or proposal.created_at)).total_seconds()
        > STALE_AFTER,
        **_objects(request, preview),
    }
    status = status or (422 if form.is_bound and form.errors else 200)
    parts = {"preview-wait": "changes/_waiting.html"}
    return render_partial_or_page(
        request, "changes/proposal.html", context, partials=parts, status=status
    )


def _is_awaited(proposal: Proposal) -> bool:
    """Whether a worker still computes the preview."""
    impossible = proposal.progress.startswith("Not possible")
    return proposal.status == ProposalStatus.DRAFT and not proposal.preview and not impossible


def _objects(request: SignedInRequest, preview: Preview | None) -> dict[str, Any]:
    filters = {name: request.GET.get(name, "") for name in ("tenant", "target")}
    number = whole_number(request.GET.get("page", "")) or 1
    page = objects_page(preview, number=number, **filters)
    return {"objects": page, "filters": filters}
