"""Two people edited one plan."""

from __future__ import annotations

import pytest

from quotas.changes.rules.three_way_diff import three_way_diff
from quotas.plans.contracts import NetworkException, PlanTerms, Policy


@pytest.mark.parametrize(
    ("theirs", "yours", "verdict"),
    [
        ({"pods": 90}, {"pods": 80}, "collides"),
        ({"pods": 90}, {"pods": 100}, "undoes"),
        ({"pods": 90}, {"pods": 90}, "same"),
        ({"pods": 100}, {"pods": 0}, "yours"),
        ({}, {"pods": 100}, "undoes"),
        ({"pods": None}, {}, "collides"),
    ],
)
def test_what_publishing_would_do_to_the_newer_version_is_said(
    theirs: dict[str, int | None], yours: dict[str, int | None], verdict: str
) -> None:
    base = PlanTerms("standard", 1, {"pods": 100})
    (difference,) = three_way_diff(
        base, PlanTerms("standard", 2, theirs), PlanTerms("standard", 3, yours)
    )
    assert difference.verdict == verdict


def test_a_policy_that_changed_meanwhile_is_shown_too() -> None:
    exception = NetworkException("web", "egress", cidr="0.0.0.0/0", ports=(("TCP", 443),))
    base, mine = PlanTerms("standard", 1, {}), PlanTerms("standard", 2, {})
    policy = Policy(tenant_role="", network_isolated=False, network_exceptions=(exception,))
    differences = three_way_diff(base, PlanTerms("standard", 2, {}, policy), mine)
    assert [
        (difference.label, difference.theirs, difference.verdict) for difference in differences
    ] == [
        ("Tenant role", "not set", "undoes"),
        ("Closed network", "no", "undoes"),
        ("Exceptions of the network", "web egress 0.0.0.0/0 TCP/443", "undoes"),
    ]
