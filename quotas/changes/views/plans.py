"""The plan editor: a new plan, the next version of one, and putting one away."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from console.access.contracts import Permission
from console.access.rights import SignedInRequest, actor_of, requires
from console.errors import DomainError
from console.numbers import whole_number
from console.pages.forms import bound_data
from quotas.changes.forms.errors import add_domain_error
from quotas.changes.forms.plans import ArchiveForm, PlanEditor, PlanForm
from quotas.changes.kinds.plans import PublishPlan
from quotas.changes.models import Proposal
from quotas.changes.rules.catalogue import offers
from quotas.changes.rules.three_way_diff import three_way_diff
from quotas.changes.services import proposals
from quotas.changes.views.proposal_flow import propose_and_preview
from quotas.plans.contracts import Policy
from quotas.plans.models import Plan, PlanVersion
from quotas.plans.selectors import load_terms
from quotas.plans.services import plans


@requires(Permission.ADMINISTER)
def plan_new(request: SignedInRequest) -> HttpResponse:
    """A new plan with its version 1. Nobody has it yet, so there is nothing to preview."""
    form = PlanForm(bound_data(request))
    editor = PlanEditor(limits={}, policy=Policy(), data=bound_data(request))
    if editor.button_pressed():
        return _editor(request, editor, form=PlanForm(initial=request.POST.dict()))
    if request.method == "POST" and _both_valid(form, editor):
        try:
            version = plans.create_plan(
                **form.cleaned_data,
                limits=editor.limits,
                policy=editor.policy,
                actor=actor_of(request),
            )
        except DomainError as error:
            if error.field in form.fields:
                add_domain_error(form, error)
            else:
                editor.add_errors(error)
        else:
            for warning in editor.warnings:
                messages.warning(request, warning)
            messages.success(request, f"{version} is published. No tenant has it yet.")
            return redirect("plans:plan", slug=version.plan.slug)
    if not len(editor.rows):
        editor.rows.add()
    return _editor(request, editor, form=form)


@requires(Permission.ADMINISTER)
def plan_edit(request: SignedInRequest, slug: str) -> HttpResponse:
    """The next version of a plan, for everybody who has the plan. Publishing is previewed first.

    `proposal=` goes on with what a draft says. Whoever edited an older version sees both.
    """
    plan = get_object_or_404(Plan, slug=slug, archived_at=None)
    latest = plans.latest_version(plan)
    editor, base = _start(request, plan, latest)
    if editor.button_pressed():
        return _editor(request, editor, plan=plan, latest=latest, base=base)
    if request.method == "POST" and editor.is_valid():
        try:
            return propose_and_preview(request, editor.change(slug))
        except DomainError as error:
            if error.code == "plan_moved_on":
                latest = plans.latest_version(plan)
            else:
                editor.add_errors(error)
    return _editor(request, editor, plan=plan, latest=latest, base=base)


@requires(Permission.ADMINISTER)
def plan_archive(request: SignedInRequest, slug: str) -> HttpResponse:
    """Takes a plan off the list of offers."""
    plan = get_object_or_404(Plan, slug=slug)
    form = ArchiveForm(bound_data(request), slug=slug)
    if request.method == "POST" and form.is_valid():
        try:
            plans.archive_plan(
                plan=plan, actor=actor_of(request), reason=form.cleaned_data["reason"]
            )
        except DomainError as error:
            add_domain_error(form, error)
        else:
            messages.success(request, f"{slug} is archived.")
            return redirect("plans:plans")
    context = {"plan": plan, "form": form}
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "changes/plan_archive.html", context, status=status)


def _both_valid(form: PlanForm, editor: PlanEditor) -> bool:
    """Both are looked at, so that everything that is wrong is said at once."""
    return all([form.is_valid(), editor.is_valid()])


def _start(
    request: SignedInRequest, plan: Plan, latest: PlanVersion
) -> tuple[PlanEditor, PlanVersion]:
    """The editor as it stands, and the version that it was begun from."""
    draft = _draft(request, plan)
    number = request.POST.get("base_version") or (draft.base_version if draft else latest.number)
    base = _version(plan, str(number)) or latest
    terms = load_terms([base.pk])[base.pk]
    limits, policy = terms.limits, terms.policy
    if draft:
        limits, policy = draft.limits, draft.policy or terms.policy
    editor = PlanEditor(
        limits=limits, policy=policy, base_version=base.number, data=bound_data(request)
    )
    return editor, base


def _draft(request: SignedInRequest, plan: Plan) -> PublishPlan | None:
    number = whole_number(request.GET.get("proposal", ""))
    if number is None:
        return None
    proposal = (
        Proposal.objects.visible_to(request.user)
        .filter(pk=number, kind=PublishPlan.__name__)
        .first()
    )
    change = proposals.change_of(proposal) if proposal else None
    return change if isinstance(change, PublishPlan) and change.plan == plan.slug else None


def _version(plan: Plan, number: str) -> PlanVersion | None:
    wanted = whole_number(number)
    if wanted is None:
        return None
    versions = PlanVersion.objects.select_related("plan", "author")
    return versions.filter(plan=plan, number=wanted).first()


def _editor(
    request: SignedInRequest,
    editor: PlanEditor,
    *,
    form: PlanForm | None = None,
    plan: Plan | None = None,
    latest: PlanVersion | None = None,
    base: PlanVersion | None = None,
) -> HttpResponse:
    context: dict[str, Any] = {
        "editor": editor, "form": form, "plan": plan, "latest": latest, "offers": offers(),
    }  # fmt: skip
    is_stale = bool(base and latest and base.number < latest.number)
    if base and latest and is_stale:
        terms = load_terms([base.pk, latest.pk])
        context["base"] = base
        context["differences"] = three_way_diff(terms[base.pk], terms[latest.pk], editor.terms)
        # Sending the form again is on top of the newer version: both have been seen now.
        editor.base_version = latest.number
    wrong = bool(editor.problems or editor.rows.has_errors or editor.exceptions.has_errors)
    wrong = wrong or bool(form and form.is_bound and form.errors)
    wrong = wrong or bool(editor.form.is_bound and editor.form.errors)
    is_refused = request.method == "POST" and (wrong or is_stale)
    return render(request, "changes/plan_editor.html", context, status=422 if is_refused else 200)
