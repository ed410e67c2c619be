"""Changes to and from JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from console.errors import DomainError
from quotas.changes import contracts as c
from quotas.changes.rules.payload import KINDS, parse_change, payload_of
from quotas.changes.rules.titles import title

UNTIL = datetime(2026, 11, 22, 18, tzinfo=UTC)
PLACE = c.Place("hooli", "lab", "hooli")
CHANGES: tuple[c.Change, ...] = (
    c.PublishPlan("standard", 7, {"requests.cpu": 1500, "pods": None}, {"tenant_role": "view"}),
    c.MovePlan(("acme", "initech"), "gold", 3),
    c.MovePlan(("acme",), "gold"),
    c.GrantLease(("acme",), "requests.memory", 96 * 2**30, UNTIL),
    c.EndLease(4),
    c.SetOverride(("acme",), "temporal.queue_rate", 0),
    c.EndOverride(5),
    c.Suspend(("acme",)),
    c.Resume(("acme",)),
    c.Place("acme", "lab", "queue", "shared", "acme"),
    c.Displace(6),
    c.Onboard("hooli", "Hooli", "gold", labels={"a": "b"}, placements=(PLACE,)),
    c.Offboard("acme", "acme"),
    c.Repair((1, 2)),
    c.TakeOver((3,)),
)  # fmt: skip


LEASE = {"tenants": ["a"], "key": "pods", "value": 1, "until": "2026-11-22T18:00Z"}
PLAN: dict[str, Any] = {"plan": "standard", "base_version": 1, "limits": {}}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: type(change).__name__)
def test_every_change_survives_json(change: c.Change) -> None:
    stored = json.loads(json.dumps(payload_of(change)))
    assert parse_change(type(change).__name__, stored) == change
    assert 5 < len(title(change)) <= 200


def test_every_kind_is_tried() -> None:
    assert {type(change).__name__ for change in CHANGES} == set(KINDS)


def test_limits_may_be_written_as_people_do() -> None:
    limits = {"cpu": "40", "requests.memory": "96 GiB", "temporal.queue_rate": 20, "pods": None}
    change = parse_change("PublishPlan", {"plan": "standard", "base_version": 1, "limits": limits})
    assert isinstance(change, c.PublishPlan)
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
