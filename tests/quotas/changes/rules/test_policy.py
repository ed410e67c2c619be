"""Policies are read strictly."""

from __future__ import annotations

from typing import Any

import pytest

from console.errors import DomainError
from quotas.changes.rules.policy import completed_policy, parse_policy, policy_changes
from quotas.plans.contracts import NetworkException, Policy

DNS = {"name": "dns", "direction": "egress", "namespace": "kube-system", "ports": [["UDP", 53]]}


def test_what_is_missing_has_its_default() -> None:
    assert parse_policy({}) == Policy()


def test_a_whole_policy_is_read() -> None:
    policy = parse_policy({"pod_security": "restricted", "network_exceptions": [DNS]})
    exception = NetworkException("dns", "egress", namespace="kube-system", ports=(("UDP", 53),))
    assert policy == Policy(pod_security="restricted", network_exceptions=(exception,))


def test_what_a_change_leaves_out_stays_as_it_was() -> None:
    before = Policy(pod_security="restricted", tenant_role="view")

    assert completed_policy(before, {"tenant_role": ""}) == Policy("restricted", tenant_role="")
    assert policy_changes({"tenant_role": "", "network_exceptions": []}) == {
        "tenant_role": "",
        "network_exceptions": (),
    }


def _with(exception: Any) -> dict[str, Any]:
    return {"network_exceptions": [exception]}


BARE = {"name": "x", "direction": "egress"}
FIRST = "policy.network_exceptions[0]"


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ([], "policy"),
        ({"colour": "red"}, "policy.colour"),
        ({"pod_security": "none"}, "policy.pod_security"),
        ({"pod_security": ["baseline"]}, "policy.pod_security"),
        ({"tenant_role": 4}, "policy.tenant_role"),
        ({"priority_class": "High!"}, "policy.priority_class"),
        ({"network_isolated": "yes"}, "policy.network_isolated"),
        ({"network_exceptions": "all"}, "policy.network_exceptions"),
        ({"network_exceptions": [DNS, DNS]}, "policy.network_exceptions"),
        (_with("all"), FIRST),
        (_with({**DNS, "name": "D N S"}), f"{FIRST}.name"),
        (_with({**DNS, "direction": "up"}), f"{FIRST}.direction"),
        (_with({**DNS, "cidr": "10.0.0.0/8"}), FIRST),
        (_with(BARE), FIRST),
        (_with({**BARE, "cidr": "10.0.0.1/8"}), f"{FIRST}.cidr"),
        (_with({**BARE, "everything": "yes"}), f"{FIRST}.everything"),
        (_with({**DNS, "namespace": "Kube System"}), f"{FIRST}.namespace"),
        (_with({**DNS, "ports": [["UDP", 0]]}), f"{FIRST}.ports"),
        (_with({**DNS, "ports": [[[], 53]]}), f"{FIRST}.ports"),
        (_with({**DNS, "ports": [["TCP", True]]}), f"{FIRST}.ports"),
        (_with({**DNS, "ports": [["TCP", 53.0]]}), f"{FIRST}.ports"),
        (_with({**DNS, "ports": [["TCP", "53"]]}), f"{FIRST}.ports"),
        (_with({**BARE, "cidr": 5}), f"{FIRST}.cidr"),
        (_with({**DNS, "cidr": 0}), f"{FIRST}.cidr"),
        (_with({**BARE, "cidr": True}), f"{FIRST}.cidr"),
        (_with({**BARE, "cidr": None}), f"{FIRST}.cidr"),
        (_with({**BARE, "cidr": "10.0.0.5"}), f"{FIRST}.cidr"),
        (_with({**BARE, "cidr": "10.0.0.0/255.0.0.0"}), f"{FIRST}.cidr"),
        (_with({**BARE, "cidr": "fe80::%1/64"}), f"{FIRST}.cidr"),
        (_with({**BARE, "everything": 1}), f"{FIRST}.everything"),
        (_with({**BARE, "namespace": 7}), f"{FIRST}.namespace"),
        (_with({**BARE, "namespace": "a.b"}), f"{FIRST}.namespace"),
        (_with({**DNS, "name": "dns\n"}), f"{FIRST}.name"),
        ({"tenant_role": "edit\n"}, "policy.tenant_role"),
        ({"network_isolated": 1}, "policy.network_isolated"),
    ],
)
def test_faults_name_the_path(document: Any, field: str) -> None:
    with pytest.raises(DomainError) as refused:
        parse_policy(document)
    assert refused.value.field == field
    assert "is not accepted" in refused.value.message
