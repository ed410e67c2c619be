"""Tenants, placements, rollouts and drift over REST: right, and in a constant number of queries."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone

from console.audit.services import Actor
from quotas.enforcement.models import Drift, PlacementState, RolloutItem, TenantState
from quotas.enforcement.services.rollouts import create_rollout
from quotas.plans.models import Subscription
from tenants.models import Placement, Target, Tenant, TenantStatus
from tests.rest import Rest

WHY = {"reason": "merger"}


def slugs(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [row["slug"] for row in response.json()["results"]]


def test_a_tenant_shows_plan_labels_condition_and_generation(
    served: SimpleNamespace, viewer: Rest
) -> None:
    Tenant.objects.filter(slug="acme").update(labels={"team": "red"})
    since = timezone.now()
    TenantState.objects.create(
        tenant=served.acme, condition="drifted", severity=4, since=since, message="pods differ"
    )
    row = viewer.get("tenants/acme/").json()
    assert row["plan"] == {"slug": "standard", "version": 1}
    assert (row["status"], row["labels"], row["generation"]) == ("active", {"team": "red"}, 1)
    assert (row["condition"], row["message"], row["placements"]) == ("drifted", "pods differ", 2)
    assert row["since"] == since.isoformat().replace("+00:00", "Z")
    assert viewer.get("tenants/nobody/").status_code == 404


def test_tenants_are_filtered_as_in_the_console(served: SimpleNamespace, viewer: Rest) -> None:
    Tenant.objects.filter(slug="acme").update(labels={"team": "red"})
    Tenant.objects.filter(slug="globex").update(status=TenantStatus.GONE)
    TenantState.objects.create(tenant=served.initech, condition="conflict", fullness=0.95)
    for query, expected in (
        ({}, ["acme", "initech"]),
        ({"q": "INI"}, ["initech"]),
        ({"status": "gone"}, ["globex"]),
        ({"plan": "standard", "target": "spare"}, ["acme"]),
        ({"plan": "gold"}, []),
        ({"condition": "conflict"}, ["initech"]),
        ({"label": "team"}, ["acme"]),
        ({"label": "team=blue"}, []),
        ({"near": "near"}, ["initech"]),
        ({"near": "over"}, []),
    ):
        assert slugs(viewer.get("tenants/", **query)) == expected, query
    assert viewer.get("tenants/", condition="fine").json()["errors"][0]["field"] == "condition"


def test_a_tenants_texts_are_changed_against_its_etag(served: SimpleNamespace, admin: Rest) -> None:
    tag = admin.get("tenants/acme/")["ETag"]
    body = {"name": "Acme & Co", "labels": {"team": "blue"}, "group": "acme-devs", **WHY}
    assert admin.patch("tenants/acme/", body).status_code == 428
    assert admin.patch("tenants/acme/", {"name": "x"}, If_Match=tag).json()["field"] == "reason"
    changed = admin.patch("tenants/acme/", body, If_Match=tag)
    assert changed.status_code == 200, changed.content
    row = changed.json()
    assert (row["name"], row["labels"], row["group"], row["generation"]) == (
        "Acme & Co", {"team": "blue"}, "acme-devs", 2,
    )  # fmt: skip
    assert changed["ETag"] == admin.get("tenants/acme/")["ETag"] != tag
    assert admin.patch("tenants/acme/", body, If_Match=tag).status_code == 412
    assert set(served.acme.placements.values_list("generation", flat=True)) == {2}
    new = changed["ETag"]
    for wrong, field in (({"slug": "x"}, "slug"), ({"labels": {"a b": "c"}}, "labels")):
        refused = admin.patch("tenants/acme/", {**wrong, **WHY}, If_Match=new)
        assert (refused.status_code, refused.json()["field"]) == (422, field)


def test_a_condition_is_never_hidden_behind_a_304(served: SimpleNamespace, viewer: Rest) -> None:
    tag = viewer.get("tenants/acme/")["ETag"]
    again = viewer.client.get("/api/v1/tenants/acme/", headers={"If-None-Match": tag})
    assert again.status_code == 200


def test_headroom_tells_intended_enforced_and_used_apart(
    served: SimpleNamespace, viewer: Rest
) -> None:
    PlacementState.objects.create(
        placement=served.placements["acme"],
        condition="drifted",
        limits={
            "requests.cpu": {"intended": 40_000, "enforced": 50_000, "used": 52_500},
            "pods": {"intended": 100, "why": "not counted"},
        },
    )
    body = viewer.get("tenants/acme/headroom/").json()
    first = next(row for row in body["placements"] if row["target"] == "lab")
    lines = {line["key"]: line for line in first["limits"]}
    cpu = lines["requests.cpu"]
    assert (cpu["intended"], cpu["enforced"]) == (
        {"value": 40_000, "text": "40"}, {"value": 50_000, "text": "50"},
    )  # fmt: skip
    assert (cpu["used"]["value"], cpu["headroom"]["value"]) == (52_500, -2_500)
    assert cpu["headroom"]["text"].endswith("over")
    assert (lines["pods"]["enforced_known"], lines["pods"]["why"]) == (False, "not counted")
    assert "temporal.queue_rate" not in lines


def test_placements_are_filtered_and_shown(served: SimpleNamespace, viewer: Rest) -> None:
    placement = served.placements["spare"]
    PlacementState.objects.create(
        placement=placement, condition="conflict", owners={"hard[pods]": "argocd"}
    )
    rows = viewer.get("placements/", tenant="acme", target="spare").json()["results"]
    assert [(row["location"], row["condition"]) for row in rows] == [("acme", "conflict")]
    assert len(viewer.get("placements/", condition="unknown").json()["results"]) == 3
    detail = viewer.get(f"placements/{placement.pk}/").json()
    assert (detail["owners"], detail["kind"]) == ({"hard[pods]": "argocd"}, "kubernetes")


def test_a_rollout_shows_its_progress_and_its_items(
    served: SimpleNamespace, operator: Rest, alice: Actor
) -> None:
    rollout = create_rollout(
        kind="change",
        title="New limits",
        reason="load test",
        actor=alice,
        placements=Placement.objects.all(),
        source="change:7",
        at=timezone.now(),
    )
    RolloutItem.objects.filter(rollout=rollout, tenant=served.acme).update(state="done")
    failed = RolloutItem.objects.filter(rollout=rollout, tenant=served.globex)
    failed.update(state="failed", code="boom", message="It broke.")
    row = operator.get(f"rollouts/{rollout.pk}/").json()
    assert (row["states"], row["open"]) == ({"done": 2, "failed": 1, "waiting": 1}, True)
    assert [(target["slug"], target["bad"]) for target in row["targets"]] == [
        ("lab", 1),
        ("spare", 0),
    ]
    path = f"rollouts/{rollout.pk}/items/"
    (item,) = operator.get(path, state="failed", target="lab").json()["results"]
    assert (item["tenant"], item["code"], item["message"]) == ("globex", "boom", "It broke.")
    assert len(operator.get(path, tenant="acme").json()["results"]) == 2
    assert operator.get("rollouts/", source="change:7", open="true").json()["results"] == [
        {name: value for name, value in row.items() if name != "targets"}
    ]
    assert operator.get("rollouts/", kind="repair").json()["results"] == []
    retried = operator.post(f"rollouts/{rollout.pk}/retry/", WHY)
    assert (retried.status_code, retried.json()["retried"]) == (202, 1)
    assert retried.json()["rollout"]["states"] == {"done": 2, "waiting": 2}
    wrong = operator.post(f"rollouts/{rollout.pk}/retry/", {"items": "all", **WHY})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "items")


def test_drift_is_filtered_by_what_became_of_it_and_when(
    served: SimpleNamespace, viewer: Rest
) -> None:
    now = timezone.now()
    cases = ((1, "open", "acme"), (5, "healed", "acme"), (9, "healed", "globex"))
    for hours, outcome, slug in cases:
        placement = served.placements[slug]
        Drift.objects.create(
            placement=placement, tenant=placement.tenant, target=placement.target,
            found_at=now - timedelta(hours=hours), outcome=outcome, owner="kubectl-edit",
            ended_at=None if outcome == "open" else now,
        )  # fmt: skip

    def found(**query: str) -> list[tuple[str, str]]:
        rows = viewer.get("drift/", **query).json()["results"]
        return [(row["tenant"], row["outcome"]) for row in rows]

    assert found() == [("acme", "open"), ("acme", "healed"), ("globex", "healed")]
    assert found(outcome="healed", tenant="acme", target="lab") == [("acme", "healed")]
    assert found(since=(now - timedelta(hours=6)).isoformat()) == found()[:2]
    assert viewer.get("drift/", since="soon").status_code == 400


LOOPS = 4
"""Queries that tell whether anybody compares what is there with what is intended."""
LISTS = {
    "tenants/": 4 + LOOPS,  # the token, the page, plans, placements
    "placements/": 2 + LOOPS,
    "targets/": 3 + LOOPS,
    "rollouts/": 3,
    "drift/": 2,
}


@pytest.mark.parametrize("path", LISTS)
def test_a_list_takes_as_many_queries_for_many_rows_as_for_few(
    served: SimpleNamespace,
    viewer: Rest,
    alice: Actor,
    django_assert_num_queries: Any,
    path: str,
) -> None:
    fill(served, alice, 30)
    assert len(viewer.get(path, page_size=500).json()["results"]) > 1
    for size in (2, 500):
        with django_assert_num_queries(LISTS[path]):
            viewer.get(path, page_size=size)


def fill(served: SimpleNamespace, actor: Actor, number: int) -> None:
    """So many more tenants, each placed, pushed once and drifted once."""
    now = timezone.now()
    lab = Target.objects.get(slug="lab")
    version = Subscription.objects.filter(ends_at=None).select_related("version")[0].version
    people = Tenant.objects.bulk_create(
        Tenant(slug=f"t{n:04}", name=f"Tenant {n}") for n in range(number)
    )
    Subscription.objects.bulk_create(
        Subscription(tenant=tenant, version=version, starts_at=now) for tenant in people
    )
    placed = Placement.objects.bulk_create(
        Placement(tenant=tenant, target=lab, location=tenant.slug) for tenant in people
    )
    TenantState.objects.bulk_create(TenantState(tenant=tenant) for tenant in people)
    Drift.objects.bulk_create(
        Drift(placement=placement, tenant=placement.tenant, target=lab, found_at=now)
        for placement in placed
    )
    for placement in placed[:3]:
        create_rollout(
            kind="sync", title="Sync", reason="r", actor=actor, placements=[placement], at=now
        )
