"""Changes as REST takes them: limits as people write them, every fault with its field."""

from __future__ import annotations

from typing import Any

import pytest

from console.errors import DomainError
from console.rest.problems import InvalidBody, problem_json
from quotas.changes.kinds.change import ProposedChange
from quotas.changes.kinds.lifecycle import Onboard
from quotas.changes.kinds.payload import kind_named
from quotas.changes.kinds.placements import Place
from quotas.changes.kinds.plans import PublishPlan
from quotas.changes.kinds.registry import KINDS
from quotas.changes.serializers.change_bodies import change_of

LEASE = {"tenants": ["a"], "key": "pods", "value": 1, "until": "2026-11-22T18:00Z"}
PLAN: dict[str, Any] = {"plan": "standard", "base_version": 1, "limits": {}}


def read(kind: str, payload: Any) -> ProposedChange:
    return change_of(kind_named(kind), payload)


def refusal(kind: str, payload: Any) -> dict[str, Any]:
    """The problem that a client gets."""
    with pytest.raises((InvalidBody, DomainError)) as refused:
        read(kind, payload)
    answer = problem_json(refused.value, {})
    assert answer is not None
    assert answer.status_code == 422
    body: dict[str, Any] = answer.data
    return body


def test_limits_may_be_written_as_people_do() -> None:
    limits = {"cpu": "40", "requests.memory": "96 GiB", "temporal.queue_rate": 20, "pods": None}
    change = read("PublishPlan", {"plan": "standard", "base_version": 1, "limits": limits})
    assert isinstance(change, PublishPlan)
    assert change.limits == {
        "requests.cpu": 40_000,
        "requests.memory": 96 * 2**30,
        "temporal.queue_rate": 20_000,
        "pods": None,
    }


@pytest.mark.parametrize(
    ("kind", "payload", "field", "message"),
    [
        ("Explode", {}, "kind", "use one of PublishPlan"),
        ("Suspend", [], "non_field_errors", "send an object"),
        ("Suspend", {}, "tenants", "tenants: It is missing"),
        ("Suspend", {"tenants": []}, "tenants", "at least one entry"),
        ("Suspend", {"tenants": "acme"}, "tenants", "use a list"),
        ("Suspend", {"tenants": [""]}, "tenants", "It is empty"),
        ("Suspend", {"tenants": ["acme"], "why": "x"}, "why", "not a field here; use tenants"),
        ("EndLease", {"lease": True}, "lease", "use a whole number"),
        ("EndLease", {"lease": "4"}, "lease", "use a whole number"),
        ("Repair", {"placements": [0]}, "placements", "use a whole number"),
        ("GrantLease", {**LEASE, "key": "podz"},
         "key", "'podz' is not a limit"),
        ("GrantLease", {**LEASE, "value": "many"},
         "value", "'many' is not accepted"),
        ("GrantLease", {**LEASE, "key": "memory", "value": "400m"},
         "value", "400m is 0.4 bytes; did you mean 400Mi?"),
        ("SetOverride", {"tenants": ["a"], "key": "limits.cpu", "value": 4_000_000_000},
         "value", "4,000,000,000 cores, more than anybody can mean"),
        ("PublishPlan", {**PLAN, "limits": {"cpu": "100Mi"}},
         "limits.requests.cpu", "104,857,600 cores; did you mean requests.memory 100Mi?"),
        ("GrantLease", {**LEASE, "until": "2026-11-22T18:00"},
         "until", "has no time zone"),
        ("GrantLease", {**LEASE, "until": "9999-12-31T23:59:00-08:00"},
         "until", "use a time with its zone"),
        ("GrantLease", {**LEASE, "until": "0001-01-01T00:00:00+05:30"},
         "until", "use a time with its zone"),
        ("GrantLease", {**LEASE, "until": "tonight"},
         "until", "use a time with its zone"),
        ("PublishPlan", {**PLAN, "limits": {"cpu": "lots"}},
         "limits.requests.cpu", "'lots' is not accepted"),
        ("PublishPlan", {**PLAN, "policy": {"pod_security": "loose"}},
         "policy.pod_security", "use privileged, baseline, restricted"),
        ("PublishPlan", {**PLAN, "policy": 4},
         "policy", "use an object"),
        ("Onboard", {"slug": "h", "name": "H", "plan": "gold", "placements": [{"target": "lab"}]},
         "placements", "location: It is missing"),
        ("Onboard", {"slug": "h", "name": "H", "plan": "gold", "labels": {"a": 1}},
         "labels", "use an object of texts"),
    ],
)  # fmt: skip
def test_faults_name_field_value_and_remedy(
    kind: str, payload: Any, field: str, message: str
) -> None:
    problem = refusal(kind, payload)
    assert problem["field"].startswith(field)
    assert message in problem["detail"]


def test_all_faults_are_listed_at_once() -> None:
    problem = refusal("PublishPlan", {"plan": "", "limits": {"cpu": "x", "memory": "y"}})
    assert [error["field"] for error in problem["errors"]] == [
        "plan", "base_version", "limits.requests.cpu", "limits.requests.memory",
    ]  # fmt: skip


def test_a_place_of_a_new_tenant_goes_without_saying_whose_it_is() -> None:
    body = {"slug": "h", "name": "H", "plan": "gold"}
    place = {"target": "lab", "location": "h"}
    change = read("Onboard", {**body, "placements": [place]})
    assert isinstance(change, Onboard)
    assert change.placements == (Place("h", "lab", "h"),)
    problem = refusal("Onboard", {**body, "placements": [place, {**place, "sharing": "both"}]})
    assert problem["field"] == "placements.1.sharing"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_read(kind: str) -> None:
    assert refusal(kind, {"colour": "red"})["errors"][-1]["field"] == "colour"
