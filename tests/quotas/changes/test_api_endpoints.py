"""One POST, one change: it takes the console's way and answers with its rollout."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone

from console.audit.models import Entry
from quotas.changes.models import Proposal, ProposalStatus
from quotas.enforcement.models import Rollout
from quotas.plans.models import Lease, Override, PlanVersion, Subscription
from tenants.models import Placement, Tenant, TenantStatus
from tests.quotas.changes.memory_adapter import MemoryAdapter
from tests.rest import Rest

WHY = {"reason": "because of the audit"}


def soon() -> str:
    return (timezone.now() + timedelta(hours=2)).isoformat()


def ordered(response: Any) -> Rollout:
    """The rollout that a 202 leads to."""
    assert response.status_code == 202, response.content
    body = response.json()
    rollout = Rollout.objects.get(pk=body["id"])
    assert response["Location"] == body["url"] == f"/api/v1/rollouts/{rollout.pk}/"
    assert body["total"] == rollout.total
    assert Proposal.objects.get(pk=body["proposal"]).status == ProposalStatus.APPLIED
    return rollout


def refused(response: Any, status: int, code: str, field: str = "") -> dict[str, Any]:
    """The problem of a refusal."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert (body["code"], body.get("field", "")) == (code, field)
    return body


def test_a_tenant_is_onboarded_with_its_plan_and_its_places(
    served: SimpleNamespace, admin: Rest
) -> None:
    body = {
        "slug": "umbrella",
        "name": "Umbrella",
        "plan": "standard",
        "labels": {"team": "red"},
        "placements": [{"target": "lab", "location": "umbrella"}],
        **WHY,
    }
    rollout = ordered(admin.post("tenants/", body))
    assert rollout.total == 1
    row = admin.get("tenants/umbrella/").json()
    assert row["plan"] == {"slug": "standard", "version": 1}
    assert (row["labels"], row["placements"], row["condition"]) == (
        {"team": "red"}, 1, "progressing",
    )  # fmt: skip


def test_a_tenant_is_suspended_and_resumed_by_an_operator(
    served: SimpleNamespace, operator: Rest
) -> None:
    ordered(operator.post("tenants/acme/suspend/", WHY))
    assert Tenant.objects.get(slug="acme").status == TenantStatus.SUSPENDED
    limits = operator.get("tenants/acme/limits/").json()
    assert (limits["suspended"], limits["suspended_reason"]) == (True, WHY["reason"])
    ordered(operator.post("tenants/acme/resume/", WHY))
    assert Tenant.objects.get(slug="acme").status == TenantStatus.ACTIVE


def test_a_tenant_is_moved_to_another_plan(
    served: SimpleNamespace, gold: PlanVersion, admin: Rest
) -> None:
    rollout = ordered(admin.post("tenants/acme/move/", {"plan": "gold", **WHY}))
    assert rollout.total == 2
    assert Subscription.objects.get(tenant__slug="acme", ends_at=None).version == gold


def test_offboarding_wants_the_slug_again(served: SimpleNamespace, admin: Rest) -> None:
    problem = admin.post("tenants/acme/offboard/", {"confirm": "acne", **WHY})
    body = refused(problem, 422, "confirm_required", "confirm")
    assert "'acne' is not 'acme'" in body["detail"]
    assert Proposal.objects.get().status == ProposalStatus.DISCARDED
    ordered(admin.post("tenants/acme/offboard/", {"confirm": "acme", **WHY}))
    assert Tenant.objects.get(slug="acme").status == TenantStatus.OFFBOARDING


def test_a_lease_until_an_indian_evening_is_one_moment_and_told_in_utc(
    served: SimpleNamespace, admin: Rest
) -> None:
    year = timezone.now().year + 1
    body = {
        "tenants": ["acme"], "key": "requests.cpu", "value": "60",
        "until": f"{year}-03-01T20:30:00+05:30", **WHY,
    }  # fmt: skip
    end = datetime(year, 3, 1, 15, 0, tzinfo=UTC)
    proposed = admin.post("proposals/", {"kind": "GrantLease", "payload": without_reason(body)})
    title = f"Lease for acme: CPU requests 60 cores until 1 Mar {year} 15:00 UTC"
    assert proposed.json()["title"] == title
    assert proposed.json()["payload"]["until"] == end.isoformat()
    rollout = ordered(admin.post("leases/", body))
    assert rollout.title == title
    lease = Lease.objects.get()
    assert lease.ends_at == end
    (granted,) = admin.get("leases/").json()["results"]
    assert granted["ends_at"] == f"{year}-03-01T15:00:00Z"
    entry = Entry.objects.get(action="lease.grant")
    assert entry.after is not None
    assert entry.after["ends_at"] == f"{year}-03-01T15:00:00Z"
    everything = json.dumps([entry.after, entry.object_label, rollout.title, proposed.json()])
    assert "20:30" not in everything
    assert "+05:30" not in everything


def test_a_lease_that_is_over_is_told_in_utc_whatever_zone_it_was_asked_in(
    served: SimpleNamespace, operator: Rest
) -> None:
    body = {
        "tenants": ["acme"], "key": "pods", "value": 1, "until": "2020-01-01T20:30:00+05:30", **WHY,
    }  # fmt: skip
    problem = refused(operator.post("leases/", body), 422, "lease_in_the_past", "until")
    assert problem["detail"].startswith("Until: 2020-01-01 15:00 UTC is not in the future")


def without_reason(body: dict[str, Any]) -> dict[str, Any]:
    """The payload of a proposal: the body without what the endpoint itself wants."""
    return {name: value for name, value in body.items() if name != "reason"}


def test_a_lease_is_granted_and_ended_by_an_operator(
    served: SimpleNamespace, operator: Rest
) -> None:
    body = {
        "tenants": ["acme", "globex"], "key": "requests.cpu", "value": "60", "until": soon(), **WHY,
    }  # fmt: skip
    assert ordered(operator.post("leases/", body)).total == 3
    rows = operator.get("leases/", tenant="acme", active="true", key="requests.cpu").json()
    (row,) = rows["results"]
    assert (row["value"], row["text"], row["unit"]) == (60_000, "60", "millicores")
    assert row["author"] == "rest-operator/test"
    ordered(operator.post(f"leases/{row['id']}/end/", WHY))
    lease = Lease.objects.get(pk=row["id"])
    assert lease.ends_at <= timezone.now()
    assert operator.get(f"leases/{lease.pk}/").json()["ended_by"] == "rest-operator/test"
    refused(operator.post(f"leases/{lease.pk}/end/", WHY), 422, "unknown_lease", "lease")


def test_an_override_is_set_and_ended(served: SimpleNamespace, admin: Rest) -> None:
    body = {"tenants": ["acme"], "key": "pods", "value": None, **WHY}
    ordered(admin.post("overrides/", body))
    override = Override.objects.get()
    assert override.value is None
    limits = admin.get("tenants/acme/limits/").json()["limits"]
    (pods,) = [limit for limit in limits if limit["key"] == "pods"]
    assert (pods["text"], pods["source"], pods["ref"]) == (
        "unlimited", "override", f"override:{override.pk}",
    )  # fmt: skip
    assert (pods["plan_value"], pods["plan_text"]) == (100, "100")
    ordered(admin.post(f"overrides/{override.pk}/end/", WHY))


def test_a_placement_is_made_repaired_taken_over_and_removed(
    served: SimpleNamespace, admin: Rest, operator: Rest
) -> None:
    body = {"tenant": "globex", "target": "spare", "location": "globex", **WHY}
    ordered(admin.post("placements/", body))
    made = Placement.objects.get(target__slug="spare", location="globex")
    ordered(operator.post(f"placements/{made.pk}/repair/", WHY))
    assert ordered(operator.post(f"placements/{made.pk}/take_over/", WHY)).kind == "takeover"
    refused(admin.post(f"placements/{made.pk}/remove/", WHY), 422, "confirm_required", "confirm")
    ordered(admin.post(f"placements/{made.pk}/remove/", {"confirm": "globex", **WHY}))
    made.refresh_from_db()
    assert made.leaving


def test_a_version_is_published_for_everybody_who_has_the_plan(
    served: SimpleNamespace, admin: Rest
) -> None:
    body = {"base_version": 1, "limits": {"requests.cpu": "30", "pods": 100}, **WHY}
    assert ordered(admin.post("plans/standard/versions/", body)).total == 4
    row = admin.get("plans/standard/").json()
    assert (row["version"], row["tenants"]) == (2, 3)
    detail = admin.get("plans/standard/versions/2/").json()
    assert detail["limits"][1] == {
        "key": "requests.cpu", "value": 30_000, "text": "30", "unit": "millicores",
    }  # fmt: skip


def test_who_edited_an_older_version_is_told_and_overwrites_nothing(
    served: SimpleNamespace, admin: Rest
) -> None:
    first = {"base_version": 1, "limits": {"requests.cpu": "30"}, **WHY}
    ordered(admin.post("plans/standard/versions/", first))
    second = {"base_version": 1, "limits": {"requests.cpu": "90"}, **WHY}
    body = refused(
        admin.post("plans/standard/versions/", second), 409, "plan_moved_on", "base_version"
    )
    assert body["context"]["version"] == 2
    assert PlanVersion.objects.filter(plan__slug="standard").count() == 2


@pytest.mark.parametrize(
    ("path", "body", "field", "words"),
    [
        ("tenants/acme/suspend/", {}, "reason", "eason"),
        ("tenants/acme/suspend/", {"reason": 7}, "reason", "'7' is not accepted; use a text"),
        ("tenants/acme/suspend/", {"tenants": ["globex"], **WHY}, "tenants", "not a field here"),
        ("tenants/acme/move/", {"plan": "silver", **WHY}, "plan", "no such plan"),
        ("tenants/acme/move/", {"plan": "standard", "version": "x", **WHY}, "version", "'x'"),
        ("leases/", {"tenants": [], "key": "pods", "value": "1", "until": "2030-01-01T00:00:00Z",
                     **WHY}, "tenants", "at least one"),
        ("leases/", {"tenants": ["acme"], "key": "pods", "value": "many",
                     "until": "2030-01-01T00:00:00Z", **WHY}, "value", "many"),
        ("leases/", {"tenants": ["acme"], "key": "pods", "value": "1", "until": "tomorrow", **WHY},
         "until", "'tomorrow' is not accepted; use a time with its zone"),
        ("overrides/", {"tenants": ["nobody"], "key": "pods", "value": "1", **WHY}, "tenants",
         "nobody"),
        ("overrides/", {"tenants": ["acme"], "key": "requests.cpus", "value": "1", **WHY}, "key",
         "requests.cpus"),
        ("placements/", {"tenant": "acme", "target": "moon", "location": "acme", **WHY}, "target",
         "moon"),
        ("placements/", {"tenant": "acme", "target": "lab", "location": "kube-system", **WHY},
         "location", "'kube-system' belongs to Kubernetes"),
        ("tenants/", {"slug": "New Co", "name": "New", "plan": "standard", **WHY}, "slug",
         "lower-case"),
        ("tenants/", {"slug": "new", "name": "New", "plan": "standard", "colour": "red", **WHY},
         "colour", "'colour' is not a field here; use slug"),
    ],
)  # fmt: skip
def test_a_refusal_names_the_field_the_value_and_the_remedy(
    served: SimpleNamespace, admin: Rest, path: str, body: Any, field: str, words: str
) -> None:
    response = admin.post(path, body)
    assert response.status_code == 422, response.content
    problem = response.json()
    assert problem["field"] == field
    assert words in problem["detail"]
    assert problem["errors"][0]["field"] == field
    assert Rollout.objects.count() == 0


def test_every_fault_of_a_body_is_listed(served: SimpleNamespace, admin: Rest) -> None:
    problem = admin.post("leases/", {"tenants": "acme", "key": "no.such", **WHY}).json()
    assert {error["field"] for error in problem["errors"]} == {"tenants", "key", "value", "until"}


def test_a_body_that_is_no_object_is_refused(served: SimpleNamespace, admin: Rest) -> None:
    refused(admin.post("leases/", ["a"]), 400, "invalid")


def test_the_same_key_orders_once(served: SimpleNamespace, operator: Rest) -> None:
    first = operator.post("tenants/acme/suspend/", WHY, Idempotency_Key="k1")
    again = operator.post("tenants/acme/suspend/", WHY, Idempotency_Key="k1")
    assert first.json() == again.json()
    assert again["Idempotent-Replayed"] == "true"
    assert Rollout.objects.count() == 1
    other = operator.post("tenants/globex/suspend/", WHY, Idempotency_Key="k1")
    assert other.json()["code"] == "idempotency_key_reused"


def test_an_order_goes_through_while_a_target_is_away(
    served: SimpleNamespace, plane: MemoryAdapter, operator: Rest
) -> None:
    plane.memory.away.add("lab")
    assert ordered(operator.post("tenants/globex/suspend/", WHY)).total == 1


def test_an_order_is_in_the_ledger_under_the_keys_name(
    served: SimpleNamespace, operator: Rest
) -> None:
    ordered(operator.post("tenants/acme/suspend/", WHY))
    entry = Entry.objects.filter(action="tenant.suspend").get()
    assert (entry.actor, entry.reason) == ("rest-operator/test", WHY["reason"])


@pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
def test_what_no_text_can_hold_is_refused(served: SimpleNamespace, admin: Rest, text: str) -> None:
    body = {"tenants": ["acme"], "key": "pods", "value": "1", "reason": text}
    refused(admin.post("overrides/", body), 400, "invalid")
    refused(admin.post("proposals/", {"kind": "Suspend", "payload": {text: 1}}), 400, "invalid")


@pytest.mark.parametrize("number", [2**63, 10**30])
def test_numbers_beyond_all_rows_are_refused(
    served: SimpleNamespace, admin: Rest, number: int
) -> None:
    for kind, payload in (
        ("Repair", {"placements": [number]}),
        ("EndLease", {"lease": number}),
        ("MovePlan", {"tenants": ["acme"], "plan": "standard", "version": number}),
        ("PublishPlan", {"plan": "standard", "base_version": number, "limits": {"pods": "1"}}),
    ):
        response = admin.post("proposals/", {"kind": kind, "payload": payload})
        assert response.status_code == 422, (kind, response.content)
    assert admin.get(f"leases/{number}/").status_code == 404
