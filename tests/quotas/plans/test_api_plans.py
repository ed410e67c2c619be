"""Plans, subscriptions and effective limits over REST."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone

from quotas.plans.models import Lease, Override, Plan, PlanVersion, Subscription
from tests.rest import Rest

WHY = {"reason": "new offer"}


def test_a_plan_is_made_read_edited_and_put_away(admin: Rest) -> None:
    body = {
        "slug": "small",
        "name": "Small",
        "limits": {"requests.cpu": "1500m", "requests.memory": "4 GiB", "pods": "unlimited"},
        "policy": {"pod_security": "restricted"},
        **WHY,
    }
    made = admin.post("plans/", body)
    assert made.status_code == 201, made.content
    assert (made.json()["version"], made.json()["tenants"]) == (1, 0)
    (version,) = admin.get("plans/small/versions/").json()["results"]
    assert {limit["key"]: limit["text"] for limit in version["limits"]} == {
        "pods": "unlimited", "requests.cpu": "1500m", "requests.memory": "4Gi",
    }  # fmt: skip
    assert version["policy"]["pod_security"] == "restricted"
    assert version["author"] == "rest-admin"
    tag = admin.get("plans/small/")["ETag"]
    new = {"name": "Tiny", **WHY}
    assert admin.patch("plans/small/", new).status_code == 428
    edited = admin.patch("plans/small/", new, If_Match=tag)
    assert (edited.json()["name"], edited["ETag"] != tag) == ("Tiny", True)
    assert admin.patch("plans/small/", new, If_Match=tag).status_code == 412
    put_away = admin.post("plans/small/archive/", WHY)
    assert put_away.json()["archived_at"] is not None
    assert admin.get("plans/", archived="false").json()["results"] == []


def test_a_plan_that_somebody_has_is_not_put_away(served: SimpleNamespace, admin: Rest) -> None:
    response = admin.post("plans/standard/archive/", WHY)
    assert (response.status_code, response.json()["code"]) == (409, "plan_in_use")


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"limits": {"requests.cpu": "lots"}}, "limits.requests.cpu", "lots"),
        ({"limits": {"request.cpu": "1"}}, "limits.request.cpu", "request.cpu"),
        ({"limits": []}, "limits", "use an object"),
        ({"policy": {"pod_security": "lax"}}, "policy.pod_security", "'lax'"),
        ({"slug": "Small Plan"}, "slug", "'Small Plan'"),
        ({"colour": "red"}, "colour", "is not a field here"),
        ({"reason": " "}, "reason", "eason"),
    ],
)
def test_a_fault_in_a_plan_is_named(
    admin: Rest, change: dict[str, Any], field: str, words: str
) -> None:
    body = {"slug": "small", "name": "Small", "limits": {"pods": "3"}, **WHY, **change}
    response = admin.post("plans/", body)
    assert response.status_code == 422, response.content
    assert response.json()["field"] == field
    assert words in response.json()["detail"]
    assert Plan.objects.count() == 0


def test_plans_are_listed_in_a_constant_number_of_queries(
    served: SimpleNamespace, gold: PlanVersion, viewer: Rest, django_assert_num_queries: Any
) -> None:
    viewer.get("plans/")
    with django_assert_num_queries(4):  # the token, the page, versions, tenants
        rows = viewer.get("plans/").json()["results"]
    assert [(row["slug"], row["tenants"]) for row in rows] == [("gold", 0), ("standard", 3)]
    assert [row["slug"] for row in viewer.get("plans/", q="GOL").json()["results"]] == ["gold"]


def test_subscriptions_tell_who_had_what(
    served: SimpleNamespace, gold: PlanVersion, viewer: Rest, django_assert_num_queries: Any
) -> None:
    past = timezone.now() - timedelta(days=9)
    Subscription.objects.create(
        tenant=served.acme, version=gold, starts_at=past, ends_at=past + timedelta(days=1)
    )
    viewer.get("subscriptions/")
    with django_assert_num_queries(2):  # the token, the page
        rows = viewer.get("subscriptions/", tenant="acme").json()["results"]
    assert [(row["plan"], row["active"]) for row in rows] == [("gold", False), ("standard", True)]
    active = viewer.get("subscriptions/", active="true").json()["results"]
    assert {row["plan"] for row in active} == {"standard"}
    over = viewer.get("subscriptions/", active="false", plan="gold").json()["results"]
    assert [row["tenant"] for row in over] == ["acme"]


def test_limits_of_any_past_moment_can_be_read(served: SimpleNamespace, viewer: Rest) -> None:
    start = timezone.now() - timedelta(minutes=30)
    until = start + timedelta(minutes=10)
    fields = {"tenant": served.acme, "reason": "peak", "author": "ann", "starts_at": start}
    lease = Lease.objects.create(key="requests.cpu", value=60_000, ends_at=until, **fields)
    Override.objects.create(key="secrets", value=5, **fields)

    def cpu(at: datetime) -> dict[str, Any]:
        body = viewer.get("tenants/acme/limits/", at=at.isoformat()).json()
        assert body["plan"] == {"slug": "standard", "version": 1}
        (limit,) = [item for item in body["limits"] if item["key"] == "requests.cpu"]
        return dict(limit)

    before, during = cpu(start - timedelta(seconds=1)), cpu(start)
    assert (before["text"], before["source"], before["ref"]) == ("40", "plan", "plan:standard@1")
    assert (during["text"], during["source"], during["ref"]) == ("60", "lease", f"lease:{lease.pk}")
    assert (during["plan_value"], during["author"], during["reason"]) == (40_000, "ann", "peak")
    assert datetime.fromisoformat(during["until"]) == until
    assert cpu(until)["source"] == "plan"
    now = viewer.get("tenants/acme/limits/").json()
    (added,) = [limit for limit in now["limits"] if limit["key"] == "secrets"]
    assert (added["in_plan"], added["plan_text"]) == (False, None)


def test_before_a_tenant_was_there_nothing_was_limited(
    served: SimpleNamespace, viewer: Rest
) -> None:
    body = viewer.get("tenants/acme/limits/", at="2020-01-01T00:00:00Z").json()
    assert (body["plan"], body["limits"], body["policy"]) == (None, [], None)


def test_a_zone_whose_plus_was_decoded_is_understood(served: SimpleNamespace, viewer: Rest) -> None:
    response = viewer.client.get("/api/v1/tenants/acme/limits/?at=2020-01-01T02:00:00+02:00")
    moment = datetime.fromisoformat(response.json()["at"])
    assert moment == datetime(2020, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "at", ["", "yesterday", "2026-11-22", "2026-11-22T10:00:00", "0001-01-01T00:00:00+14:00"]
)
def test_a_moment_that_is_none_is_refused_by_name(
    served: SimpleNamespace, viewer: Rest, at: str
) -> None:
    response = viewer.get("tenants/acme/limits/", at=at)
    assert (response.status_code, response.json()["field"]) == (400, "at")
    assert f"{at!r} is not a moment" in response.json()["detail"]


@pytest.mark.parametrize("path", ["leases/", "overrides/"])
def test_adjustments_are_listed_in_a_constant_number_of_queries(
    served: SimpleNamespace, viewer: Rest, django_assert_num_queries: Any, path: str
) -> None:
    model: Any = Lease if path == "leases/" else Override
    now = timezone.now()
    for number in range(5):
        model.objects.create(
            tenant=served.acme, key="pods", value=number, reason="r", author="ann",
            starts_at=now - timedelta(hours=2), ends_at=now - timedelta(hours=1),
        )  # fmt: skip
    viewer.get(path)
    with django_assert_num_queries(2):  # the token, the page
        rows = viewer.get(path, tenant="acme", active="false", page_size=3).json()
    assert [row["text"] for row in rows["results"]] == ["4", "3", "2"]
    assert rows["next"]
    rest = viewer.client.get(rows["next"]).json()["results"]
    assert [row["text"] for row in rest] == ["1", "0"]


@pytest.mark.parametrize(
    ("query", "field"),
    [({"active": "maybe"}, "active"), ({"tennant": "acme"}, "tennant"), ({"cursor": "!"}, "cursor"),
     ({"page_size": "0"}, "page_size")],
)  # fmt: skip
def test_a_filter_that_means_nothing_is_refused_by_name(
    viewer: Rest, query: dict[str, str], field: str
) -> None:
    response = viewer.get("leases/", **query)
    assert response.status_code == 400
    problem = response.json()
    assert field in {problem.get("field"), *(error["field"] for error in problem["errors"])}
