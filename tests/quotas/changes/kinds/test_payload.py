"""Changes to and from the JSON that a proposal stores, and their titles: no row is touched."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from quotas.changes.kinds.adjustments import EndLease, EndOverride, GrantLease, SetOverride
from quotas.changes.kinds.change import ProposedChange
from quotas.changes.kinds.lifecycle import Offboard, Onboard, Resume, Suspend
from quotas.changes.kinds.payload import change_from, payload_of, shown
from quotas.changes.kinds.placements import Displace, Place
from quotas.changes.kinds.plans import MovePlan, PublishPlan
from quotas.changes.kinds.registry import KINDS
from quotas.changes.kinds.repairs import Repair, TakeOver
from quotas.plans.contracts import NetworkException, Policy

UNTIL = datetime(2026, 11, 22, 18, tzinfo=UTC)
PLACE = Place("hooli", "lab", "hooli")
DNS = NetworkException("dns", "egress", namespace="kube-system", ports=(("UDP", 53),))
STRICT = Policy(tenant_role="view", network_exceptions=(DNS,))
CHANGES: tuple[ProposedChange, ...] = (
    PublishPlan("standard", 7, {"requests.cpu": 1500, "pods": None}, STRICT),
    PublishPlan("standard", 7, {}),
    MovePlan(("acme", "initech"), "gold", 3),
    MovePlan(("acme",), "gold"),
    GrantLease(("acme",), "requests.memory", 96 * 2**30, UNTIL),
    EndLease(4),
    SetOverride(("acme",), "temporal.queue_rate", 0),
    EndOverride(5),
    Suspend(("acme",)),
    Resume(("acme",)),
    Place("acme", "lab", "queue", "shared", "acme"),
    Displace(6),
    Onboard("hooli", "Hooli", "gold", labels={"a": "b"}, placements=(PLACE,)),
    Offboard("acme", "acme"),
    Repair((1, 2)),
    TakeOver((3,)),
)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: type(change).__name__)
def test_every_change_survives_json(change: ProposedChange) -> None:
    stored = json.loads(json.dumps(payload_of(change)))
    assert change_from(type(change).__name__, stored) == change
    assert 5 < len(change.title()) <= 200


def test_every_kind_is_tried() -> None:
    assert {type(change).__name__ for change in CHANGES} == set(KINDS)


def test_what_is_stored_are_integers_and_what_is_shown_are_texts() -> None:
    stored = payload_of(PublishPlan("standard", 7, {"requests.cpu": 1500, "pods": None}))
    assert stored["limits"] == {"requests.cpu": 1500, "pods": None}
    assert shown(stored)["limits"] == {"requests.cpu": "1500m", "pods": "unlimited"}
    lease = payload_of(GrantLease(("acme",), "requests.memory", 96 * 2**30, UNTIL))
    assert (lease["value"], shown(lease)["value"]) == (96 * 2**30, "96Gi")
    assert shown(payload_of(Suspend(("acme",)))) == {"tenants": ["acme"]}
