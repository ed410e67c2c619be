"""Who may reach a tenant's namespace, over the network and as a person."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quotas.enforcement.adapters.kubernetes import names, network
from quotas.plans.contracts import NetworkException, Policy
from tests.contract.adapter_harness import limits
from tests.quotas.enforcement.adapters.kubernetes.test_compile import (
    PLACEMENT,
    compiled,
    kinds,
    one,
)


def test_nothing_goes_in_or_out_but_names_and_the_plans_exceptions() -> None:
    policy = Policy(
        network_exceptions=(
            NetworkException("api", "egress", cidr="10.0.0.0/8", ports=(("TCP", 443),)),
            NetworkException("gateway", "ingress", namespace="gateway"),
            NetworkException("open", "egress", everything=True, ports=(("UDP", 123),)),
        )
    )
    item = one(compiled(limits({}, policy=policy)), "NetworkPolicy")
    spec = item.manifest["spec"]
    assert spec["podSelector"] == {}
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert [rule.get("ports", [{}])[0].get("port") for rule in spec["egress"]] == [53, 443, 123]
    assert "to" not in spec["egress"][2]
    (rule,) = spec["ingress"]
    assert "from" in rule
    assert item.shown["spec"] == (
        "ingress: namespace gateway | egress: DNS; 10.0.0.0/8 on TCP 443; anywhere on UDP 123"
    )


def test_a_plan_may_leave_the_network_open() -> None:
    result = compiled(limits({}, policy=Policy(network_isolated=False)))
    assert "NetworkPolicy" not in kinds(result)
    assert network.in_words({"podSelector": {}, "policyTypes": ["Ingress"]}) == (
        "ingress: none | egress: open"
    )


def test_the_tenants_group_is_bound_to_the_plans_role() -> None:
    item = one(compiled(limits({}, policy=Policy(tenant_role="view"))), "RoleBinding")
    assert item.ref.name == "headroom-view"
    assert item.fields["roleRef"] == "ClusterRole/view"
    assert item.fields["subjects"] == "Group/team-acme"


@pytest.mark.parametrize(("group", "role"), [("", "edit"), ("team-acme", "")])
def test_nobody_is_bound_without_a_group_or_a_role(group: str, role: str) -> None:
    result = compiled(limits({}, policy=Policy(tenant_role=role)), replace(PLACEMENT, group=group))
    assert "RoleBinding" not in kinds(result)


def test_the_security_level_is_enforced_audited_and_warned_about() -> None:
    item = one(compiled(limits({}, policy=Policy(pod_security="restricted"))), "Namespace")
    levels = {name: item.manifest["metadata"]["labels"][name] for name in names.POD_SECURITY}
    assert set(levels.values()) == {"restricted"}
    assert len(levels) == 3
