"""Who may reach a tenant's namespace, over the network and as a person."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quotas.enforcement.adapters.kubernetes import names, network
from quotas.plans.contracts import NetworkException, Policy
from tests.contract.adapter_harness import limits
from tests.quotas.enforcement.adapters.kubernetes.test_compile import (
    PLACEMENT,
    TARGET,
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
        "ingress: namespace gateway | egress: DNS at namespace kube-system, 169.254.20.10/32,"
        " 169.254.169.254/32 on 53; 10.0.0.0/8 on TCP 443; anywhere on UDP 123"
    )


OPENSHIFT = {"distribution": "OpenShift"}


@pytest.mark.parametrize(
    ("features", "options", "words"),
    [
        (OPENSHIFT, {}, "DNS at namespace openshift-dns on 5353"),
        ({"distribution": ""}, {}, "DNS at namespace kube-system, 169.254.20.10/32 on 53"),
        ({"distribution": "RKE2"}, {}, "DNS at namespace kube-system, 169.254.20.10/32 on 53"),
        (
            {"distribution": "GKE"},
            {},
            "DNS at namespace kube-system, 169.254.20.10/32, 169.254.169.254/32 on 53",
        ),
        (
            OPENSHIFT,
            {"dns": {"namespaces": ["dns"], "networks": ["10.96.0.10"], "ports": [1053]}},
            "namespace dns, 10.96.0.10/32 on UDP 1053, TCP 1053",
        ),
    ],
)
def test_names_are_asked_for_where_the_distribution_or_the_target_says(
    features: dict[str, str], options: dict[str, object], words: str
) -> None:
    target = replace(TARGET, features={**TARGET.features, **features}, options=options)
    item = one(compiled(limits({}), target=target), "NetworkPolicy")

    assert item.shown["spec"] == f"ingress: none | egress: {words}"


def test_the_hole_for_names_on_openshift_is_where_its_pods_listen() -> None:
    target = replace(TARGET, features={**TARGET.features, **OPENSHIFT})
    item = one(compiled(limits({}), target=target), "NetworkPolicy")

    (rule,) = item.manifest["spec"]["egress"]
    label = {"kubernetes.io/metadata.name": "openshift-dns"}
    assert rule["to"] == [{"namespaceSelector": {"matchLabels": label}}]
    assert rule["ports"] == [{"protocol": "UDP", "port": 5353}, {"protocol": "TCP", "port": 5353}]


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
