"""Who is where on a target is read again only when there is something new to read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from observability.engines.contracts import SITUATION
from observability.engines.registry import source_for
from observability.ingest.context import IngestContext, StoredRuns, context_for
from observability.jobs.rules.bounding import stored_name
from tenants.models import Placement, Target, Tenant, TenantStatus
from tests.observability.jobs.factories import make_run, make_target

pytestmark = pytest.mark.django_db


def context(target: Target) -> IngestContext:
    source = source_for(target.kind)
    assert source is not None
    return context_for(
        target=Target.objects.get(pk=target.pk), source=source, token="t", going=lambda: True
    )


@pytest.fixture
def target() -> Target:
    made = make_target("cluster", "kubernetes")
    for slug in ("acme", "globex"):
        tenant = Tenant.objects.create(slug=slug, name=slug)
        Placement.objects.create(tenant=tenant, target=made, location=slug)
    return made


def test_what_nobody_changed_costs_two_small_queries(
    target: Target, django_assert_num_queries: Callable[[int], Any]
) -> None:
    first = context(target)
    assert [ref.location for ref in first.placements] == ["acme", "globex"]
    with django_assert_num_queries(3):  # the target itself, too
        second = context(target)
    assert second.placements is first.placements
    assert second.owners is first.owners


def change_of_a_location(target: Target) -> None:
    Placement.objects.filter(location="acme").update(location="acme-2", generation=2)


def one_more(target: Target) -> None:
    tenant = Tenant.objects.create(slug="initech", name="Initech")
    Placement.objects.create(tenant=tenant, target=target, location="initech")


def one_fewer(target: Target) -> None:
    Placement.objects.get(location="acme").delete()


def another_in_its_place(target: Target) -> None:
    one_fewer(target)
    one_more(target)


def one_that_leaves(target: Target) -> None:
    Placement.objects.filter(location="acme").update(leaving=True, generation=2)


def a_tenant_that_is_suspended(target: Target) -> None:
    Tenant.objects.filter(slug="acme").update(status=TenantStatus.SUSPENDED, generation=2)


def another_drift_policy(target: Target) -> None:
    Target.objects.filter(pk=target.pk).update(drift_policy="hold", generation=2)


@pytest.mark.parametrize(
    "change",
    [
        change_of_a_location,
        one_more,
        one_fewer,
        another_in_its_place,
        one_that_leaves,
        a_tenant_that_is_suspended,
        another_drift_policy,
    ],
)
def test_any_change_is_seen_at_the_next_pass(
    target: Target, change: Callable[[Target], None]
) -> None:
    before = context(target)
    change(target)
    after = context(target)
    assert after.placements is not before.placements
    assert set(after.placements) == {
        row.ref() for row in Placement.objects.filter(target=target).select_related()
    }


@pytest.mark.parametrize("name", ["plain", "a\0b", "half \ud800", "é" * 900, "x" * 5000], ids=ascii)
def test_a_run_is_known_by_the_id_that_its_engine_gives_whatever_the_id(name: str) -> None:
    target = make_target("tasks", "celery")
    external_id, run_id = stored_name(name, name)
    make_run(target, external_id=external_id, run_id=run_id, revision="7", type="sum")
    known = StoredRuns(target.pk)
    assert known.revisions([(name, name), ("b\0", "")]) == {(name, name): "7"}
    assert known.types([(name, name)]) == {(name, name): "sum"}


def test_of_an_open_run_a_reader_knows_its_situation_at_no_further_query(
    django_assert_num_queries: Callable[[int], Any],
) -> None:
    target = make_target("tasks", "celery")
    for external_id, attributes in (("u1", {SITUATION: "it waits", "more": 1}), ("u2", {})):
        make_run(target, external_id=external_id, status="running", attributes=attributes)
    with django_assert_num_queries(2):  # the second finds no more
        runs = {run.external_id: run.situation for run in StoredRuns(target.pk).open_runs()}
    assert runs == {"u1": "it waits", "u2": ""}
