"""Changes as REST takes them: limits as people write them, every fault with its field."""

from __future__ import annotations

from typing import Any

import pytest

from console.errors import DomainError
from quotas.changes.kinds.plans import PublishPlan
from quotas.changes.serializers.change_body import parse_change

LEASE = {"tenants": ["a"], "key": "pods", "value": 1, "until": "2026-11-22T18:00Z"}
PLAN: dict[str, Any] = {"plan": "standard", "base_version": 1, "limits": {}}


def test_limits_may_be_written_as_people_do() -> None:
    limits = {"cpu": "40", "requests.memory": "96 GiB", "temporal.queue_rate": 20, "pods": None}
    change = parse_change("PublishPlan", {"plan": "standard", "base_version": 1, "limits": limits})
    assert isinstance(change, PublishPlan)
    assert change.limits == {
        "requests.cpu": 40_000,
        "requests.memory": 96 * 2**30,
        "temporal.queue_rate": 20_000,
        "pods": None,
    }


@pytest.mark.parametrize(
    ("kind", "payload", "field", "said"),
    [
        ("Explode", {}, "kind", "use one of PublishPlan"),
        ("Suspend", [], "", "send an object"),
        ("Suspend", {}, "tenants", "tenants is missing"),
        ("Suspend", {"tenants": []}, "tenants", "at least one entry"),
        ("Suspend", {"tenants": "acme"}, "tenants", "use a list"),
        ("Suspend", {"tenants": [""]}, "tenants", "tenants is empty"),
        ("Suspend", {"tenants": ["acme"], "why": "x"}, "why", "not a field here; use tenants"),
        ("EndLease", {"lease": True}, "lease", "use a whole number"),
        ("EndLease", {"lease": "4"}, "lease", "use a whole number"),
        ("Repair", {"placements": [0]}, "placements", "use a whole number"),
        ("GrantLease", {**LEASE, "key": "podz"},
         "key", "'podz' is not a limit"),
        ("GrantLease", {**LEASE, "value": "many"},
         "value", "'many' is not accepted"),
        ("GrantLease", {**LEASE, "until": "2026-11-22T18:00"},
         "until", "has no time zone"),
        ("GrantLease", {**LEASE, "until": "tonight"},
         "until", "use a time with its zone"),
        ("PublishPlan", {**PLAN, "limits": {"cpu": "lots"}},
         "requests.cpu", "'lots' is not accepted"),
        ("PublishPlan", {**PLAN, "policy": {"pod_security": "loose"}},
         "policy.pod_security", "use privileged, baseline, restricted"),
        ("PublishPlan", {**PLAN, "policy": 4},
         "policy", "use a mapping"),
        ("Onboard", {"slug": "h", "name": "H", "plan": "gold", "placements": [{"target": "lab"}]},
         "placements", "location is missing"),
        ("Onboard", {"slug": "h", "name": "H", "plan": "gold", "labels": {"a": 1}},
         "labels", "use an object of texts"),
    ],
)  # fmt: skip
def test_faults_name_field_value_and_remedy(kind: str, payload: Any, field: str, said: str) -> None:
    with pytest.raises(DomainError) as refused:
        parse_change(kind, payload)
    assert refused.value.field.startswith(field)
    assert said in refused.value.message


def test_all_faults_are_listed_at_once() -> None:
    with pytest.raises(DomainError) as refused:
        parse_change("PublishPlan", {"plan": "", "limits": {"cpu": "x", "memory": "y"}})
    fields = [problem["field"] for problem in refused.value.detail["problems"]]
    assert fields == ["plan", "base_version", "requests.cpu", "requests.memory"]
