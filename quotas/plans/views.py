"""Plans and their versions, to read. Editing one is a change: see quotas.changes."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from console.access.contracts import Permission
from console.access.rights import SignedInRequest, requires
from console.errors import DomainError
from quotas.plans import selectors
from quotas.plans.charts import describe
from quotas.plans.contracts import Group, PlanTerms
from quotas.plans.models import Plan, PlanVersion

_SECTIONS = (
    (Group.QUOTA, "Quotas: what all of a tenant's objects may use together"),
    (Group.LIMIT_RANGE, "Ranges and defaults of single objects"),
    (Group.EXECUTION, "Execution of Jobs"),
    (Group.TEMPORAL, "Temporal"),
    (Group.ARGO, "Argo Workflows"),
    (Group.CELERY, "Celery"),
    (Group.TRAIL, "Job audit trail, kept by Headroom itself"),
)


@requires(Permission.VIEW)
@require_GET
def plan_list(request: SignedInRequest) -> HttpResponse:
    """Every plan with its latest version; `archived=1` shows those put away."""
    archived = request.GET.get("archived") == "1"
    rows = selectors.plan_rows(archived=archived)
    return render(request, "plans/plan_list.html", {"rows": rows, "archived": archived})


@requires(Permission.VIEW)
@require_GET
def plan_detail(request: SignedInRequest, slug: str) -> HttpResponse:
    """One plan: its terms (the latest, or `version=`), every version, two of them side by side
    (`from=` and `to=`)."""
    plan = get_object_or_404(Plan, slug=slug)
    rows = selectors.version_rows(plan)
    if not rows:
        return render(request, "plans/plan.html", {"plan": plan, "rows": rows})
    shown = _version(request, "version", rows) or rows[0].version
    old, new = _version(request, "from", rows), _version(request, "to", rows)
    terms = selectors.load_terms({version.pk for version in (shown, old, new) if version})
    pairs = selectors.limit_pairs(terms[old.pk], terms[new.pk]) if old and new else []
    context = {
        "plan": plan,
        "rows": rows,
        "shown": shown,
        "latest": rows[0].version,
        "terms": terms[shown.pk],
        "sections": _sections(terms[shown.pk]),
        "old": old,
        "new": new,
        "pairs": sorted(pairs, key=lambda pair: pair.kind == "same"),
        "policies": (old.policy, new.policy) if old and new else None,
        "tenants": sum(row.tenants for row in rows),
    }
    return render(request, "plans/plan.html", context)


def _version(
    request: SignedInRequest, parameter: str, rows: list[selectors.VersionRow]
) -> PlanVersion | None:
    number = request.GET.get(parameter, "")
    if not number:
        return None
    for row in rows:
        if str(row.version.number) == number:
            return row.version
    raise DomainError(
        "no_such_version",
        f"{parameter}={number!r}: this plan has the versions 1 to {rows[0].version.number}.",
        field=parameter,
        status=404,
    )


def _sections(terms: PlanTerms) -> list[tuple[str, list[tuple[str, int | None]]]]:
    """The limits of a version in sections, in the order of the catalogue."""
    grouped: dict[Group, list[tuple[str, int | None]]] = {group: [] for group, _ in _SECTIONS}
    for key, value in sorted(terms.limits.items()):
        description = describe(key)
        grouped[description.group if description else Group.QUOTA].append((key, value))
    return [(title, grouped[group]) for group, title in _SECTIONS if grouped[group]]
