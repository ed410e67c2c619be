"""Rows of tenants are read through `visible_to`, from one place, wherever somebody looks."""

from __future__ import annotations

import re
from collections.abc import Iterator

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
# Selectors that read without it, by app: a new one needs its line here, or a user.
SELECTORS: dict[str, dict[str, str]] = {
    "quotas/plans": {
        **dict.fromkeys(("_load", "_subscriptions", "_suspensions"), NOBODY),
        **dict.fromkeys(("facts_of", "plan_rows", "terms_of", "version_rows"), EVERYBODY),
    },
    "quotas/enforcement": {
        **dict.fromkeys(("open_placements", "placement_refs", "takeable"), NOBODY),
        **dict.fromkeys(
            ("_conditions", "_groups", "_targets", "item_states", "items", "pace"), GIVEN
        ),
        **dict.fromkeys(("placements_by", "plans_held", "rows", "tenant_page", "moving"), GIVEN),
        **dict.fromkeys(("_day", "_over", "_remarks", "_rollouts", "_running"), EVERYBODY),
        **dict.fromkeys(
            ("attentions", "over_limit", "overview", "target_lines", "target_page"), EVERYBODY
        ),
    },
    "quotas/changes": {
        **dict.fromkeys(("same_place", "scope_of_tenants", "tenants_named"), NOBODY),
        **dict.fromkeys(("_used", "deprovisioned", "placements_numbered"), GIVEN),
    },
    "observability/jobs": {
        **dict.fromkeys(("_names", "_tenants", "limits_in_force"), GIVEN),
        **dict.fromkeys(("_linked", "_newest", "_own", "backlogs", "newer_than"), EVERYBODY),
    },
    "observability/actions": dict.fromkeys(
        ("_is_overwritten", "_open_steps", "_recorded", "of_run", "panel_of", "with_items"), GIVEN
    ),
    "observability/replays": dict.fromkeys(("latest_results", "progress_of"), GIVEN),
}
_SEEN = re.compile(r"/(views|api|selectors|forms|filters|serializers)(/|\.py$)")


def scoped_models() -> set[type[models.Model]]:
    return {
        model
        for model in apps.get_models()
        if isinstance(model._default_manager.all(), TenantScoped)
    }


NAMES = frozenset(model.__name__ for model in scoped_models())


def reads() -> Iterator[tuple[str, Read]]:
    """Every unscoped read of a module that somebody's request runs through, with its app."""
    for path in product_modules():
        name = str(path.relative_to(ROOT))
        if match := _SEEN.search(name):
            for read in unscoped_reads(path.read_text(encoding="utf-8"), NAMES):
                yield name[: match.start()], read


UNSCOPED = tuple(reads())


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
    assert [read for app, read in UNSCOPED if read.place not in SELECTORS.get(app, {})] == []


def test_every_selector_that_is_let_off_still_reads() -> None:
    reading = {(app, read.place) for app, read in UNSCOPED}
    let_off = {(app, place) for app, places in SELECTORS.items() for place in places}
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
