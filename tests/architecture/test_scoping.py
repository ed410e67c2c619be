"""Rows of tenants are read through `visible_to`, from one place, wherever somebody looks."""

from __future__ import annotations

import re
from functools import cache

import pytest
from django.apps import apps
from django.db import models

from console.access.scoping import TenantScoped
from tenants.models import Tenant
from tests.architecture.scoping import Read, unscoped_reads
from tests.architecture.test_structure import ROOT, product_modules

GIVEN = "reads what belongs to rows that its caller has found by `visible_to`"
NOBODY = "acts for nobody: what a change touches and what a loop does is all of it"
EVERYBODY = "a sum over all tenants, on pages and endpoints that need Permission.VIEW"
# Functions of selectors that read without it, by module: a new one needs its line here, or a user.
SELECTORS: dict[str, dict[str, str]] = {
    "tenants/selectors.py": {"_summary": GIVEN},
    "quotas/plans/selectors.py": {
        **dict.fromkeys(("_load", "_subscriptions", "_suspensions"), NOBODY),
        **dict.fromkeys(("facts_of", "plan_rows", "terms_of", "version_rows"), EVERYBODY),
    },
    "quotas/enforcement/selectors/attention.py": dict.fromkeys(
        ("_over", "_rollouts", "attentions", "over_limit"), EVERYBODY
    ),
    "quotas/enforcement/selectors/loop.py": dict.fromkeys(
        ("open_placements", "placement_refs", "takeable"), NOBODY
    ),
    "quotas/enforcement/selectors/overview.py": {
        "moving": GIVEN,
        **dict.fromkeys(("_day", "_running", "overview", "target_lines"), EVERYBODY),
    },
    "quotas/enforcement/selectors/rest_lists.py": dict.fromkeys(
        ("item_states", "placements_by", "plans_held", "tenants_at"), GIVEN
    ),
    "quotas/enforcement/selectors/rollouts.py": dict.fromkeys(
        ("_groups", "_targets", "items", "pace"), GIVEN
    ),
    "quotas/enforcement/selectors/target_loops.py": dict.fromkeys(
        ("_last_settled", "_waiting_since"), NOBODY
    ),
    "quotas/enforcement/selectors/targets.py": dict.fromkeys(
        ("_remarks", "target_page"), EVERYBODY
    ),
    "quotas/enforcement/selectors/tenant_list.py": dict.fromkeys(("_conditions", "rows"), GIVEN),
    "quotas/enforcement/selectors/tenant_page.py": {"tenant_page": GIVEN},
    "quotas/changes/selectors/current_limits.py": {"_used": GIVEN},
    "quotas/changes/selectors/places.py": {
        "same_place": NOBODY,
        **dict.fromkeys(("deprovisioned", "placements_numbered"), GIVEN),
    },
    "quotas/changes/selectors/scope.py": dict.fromkeys(
        ("scope_of_tenants", "tenants_named"), NOBODY
    ),
    "observability/jobs/selectors/explorer.py": {"_names": GIVEN, "_newest": EVERYBODY},
    "observability/jobs/selectors/ingest.py": {"backlogs": EVERYBODY},
    "observability/jobs/selectors/limits_in_force.py": {
        "limits_in_force": GIVEN,
        "_enforced": GIVEN,
    },
    "observability/jobs/selectors/search.py": {"_tenants": GIVEN},
    "observability/jobs/selectors/tree.py": dict.fromkeys(("_linked", "_own"), EVERYBODY),
    "observability/actions/selectors/facts.py": dict.fromkeys(
        ("_is_overwritten", "_open_steps", "_recorded"), GIVEN
    ),
    "observability/actions/selectors/pages.py": dict.fromkeys(
        ("of_run", "panel_of", "with_items"), GIVEN
    ),
    "observability/replays/selectors.py": dict.fromkeys(("latest_results", "progress_of"), GIVEN),
}
_SEEN = re.compile(r"/(views|api|selectors|forms|filters|serializers)(/|\.py$)")


def scoped_models() -> set[type[models.Model]]:
    return {
        model
        for model in apps.get_models()
        if isinstance(model._default_manager.all(), TenantScoped)
    }


NAMES = frozenset(model.__name__ for model in scoped_models())


@cache
def reads() -> tuple[tuple[str, Read], ...]:
    """Every unscoped read of a module that somebody's request runs through, with the module."""
    return tuple(
        (name, read)
        for path in product_modules()
        if _SEEN.search(name := str(path.relative_to(ROOT)))
        for read in unscoped_reads(path.read_text(encoding="utf-8"), NAMES)
    )


def test_every_model_that_leads_to_a_tenant_is_scoped() -> None:
    scoped = scoped_models()
    assert Tenant in scoped
    assert len(scoped) > 20
    forgotten = {
        f"{model.__name__}.{field.name}"
        for model in set(apps.get_models()) - scoped
        for field in model._meta.fields
        if field.related_model in scoped
    }
    assert forgotten == set()


def test_no_view_or_endpoint_reads_rows_of_tenants_without_asking_whose_they_are() -> None:
    forgotten = [
        (module, read) for module, read in reads() if read.place not in SELECTORS.get(module, {})
    ]
    assert forgotten == []


def test_every_selector_that_is_let_off_still_reads() -> None:
    assert [module for module in SELECTORS if "selectors" not in module] == [], "no view is let off"
    reading = {(module, read.place) for module, read in reads()}
    let_off = {(module, place) for module, places in SELECTORS.items() for place in places}
    assert sorted(let_off - reading) == []


SAMPLES = {
    "a list": "def page(request):\n    return Tenant.objects.order_by('slug')",
    "a getter": "def page(request, pk):\n    return get_object_or_404(Tenant, pk=pk)",
    "another name": "from tenants.models import Tenant as T\nfound = T.objects.all()",
    "through the module": "def page(request):\n    return models.Tenant.objects.count()",
    "the default manager": "def page(request):\n    return Tenant._default_manager.all()",
    "a view that scopes nothing": "class Page(APIView):\n    queryset = Tenant.objects.all()",
    "beside queryset": "class Page(RowList):\n    others = Tenant.objects.all()",
    "past its scope": "class Page(RowList):\n"
    "    def get_queryset(self):\n        return Tenant.objects.filter(pk=1)",
    "a verb that only sounds so": "def page(request):\n    return Tenant.objects.visible()",
    "named, not called": "def page(request):\n    return Tenant.objects.filter(pk=1), visible_to",
}


@pytest.mark.parametrize("source", SAMPLES.values(), ids=SAMPLES.keys())
def test_a_read_that_asks_nobody_is_found(source: str) -> None:
    assert [read.model for read in unscoped_reads(source, {"Tenant"})] == ["Tenant"]


@pytest.mark.parametrize(
    "source",
    [
        "def page(request):\n    return Tenant.objects.visible_to(request.user).order_by('slug')",
        "def page(r):\n    return Tenant.objects.filter(pk=1).visible_to(r.user).first()",
        "def page(r, pk):\n    return get_object_or_404(Tenant.objects.visible_to(r.user), pk=pk)",
        "class Page(RowList):\n    queryset = Tenant.objects.select_related('state')",
        "class Base(RowList): ...\nclass Page(Base):\n    queryset = Tenant.objects.all()",
        "def page(request, target):\n    return Target.objects.all(), target.tenants.all()",
    ],
)
def test_a_read_that_asks_is_left_alone(source: str) -> None:
    assert unscoped_reads(source, {"Tenant"}) == []


def test_a_read_is_told_with_its_place() -> None:
    source = (
        "class Page(APIView):\n    def get(self, request):\n        return Tenant.objects.all()"
    )
    assert unscoped_reads(source, {"Tenant"}) == [Read("Page.get", "Tenant", 3)]
