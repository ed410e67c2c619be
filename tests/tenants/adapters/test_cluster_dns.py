"""Where pods ask for names: by distribution, or as a target says."""

from __future__ import annotations

from typing import Any

import pytest

from console.errors import DomainError
from tenants.adapters.cluster_dns import (
    PLAIN,
    ClusterDns,
    distribution_of,
    dns_error,
    dns_in_force,
    dns_option,
)


@pytest.mark.parametrize(
    ("version", "kinds", "name"),
    [
        ("v1.37.2", ["v1/Pod"], ""),
        ("v1.33.5-gke.1201000", [], "GKE"),
        ("v1.33.1-eks-1b3e656", [], "EKS"),
        ("v1.34.1+k3s1", [], "k3s"),
        ("v1.34.1+rke2r1", [], "RKE2"),
        ("v1.32.9", ["v1/Pod", "config.openshift.io/v1/ClusterVersion"], "OpenShift"),
        ("v1.32.9", ["route.openshift.io/v1/Route"], "OpenShift"),  # MicroShift
    ],
)
def test_a_distribution_is_known_by_its_version_or_by_what_it_serves(
    version: str, kinds: list[str], name: str
) -> None:
    assert distribution_of(version, kinds) == name


def test_what_was_not_asked_yet_keeps_every_usual_place() -> None:
    assert str(dns_in_force({}, {})) == "kube-system 169.254.20.10/32 169.254.169.254/32 53"
    assert dns_in_force({}, {"distribution": ""}) == PLAIN


@pytest.mark.parametrize(
    ("text", "dns"),
    [
        ("openshift-dns 5353", ClusterDns(("openshift-dns",), (), (5353,))),
        ("kube-system", ClusterDns(("kube-system",), (), (53,))),
        ("10.96.0.10, kube-system 53", ClusterDns(("kube-system",), ("10.96.0.10/32",), (53,))),
        ("fd00::a 169.254.20.10/32 53 1053", ClusterDns((), ("fd00::a/128", "169.254.20.10/32"),
                                                        (53, 1053))),
    ],
)  # fmt: skip
def test_a_line_names_namespaces_networks_and_ports(text: str, dns: ClusterDns) -> None:
    option = dns_option(text)

    assert dns_in_force({"dns": option}, {"distribution": "OpenShift"}) == dns
    assert dns_in_force({"dns": dns_option(str(dns))}, {}) == dns


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("53", "name namespaces, networks and ports, such as openshift-dns 5353"),
        ("kube-system 0", "'0' is not accepted; a port is a number from 1 to 65535"),
        ("kube-system ²", "'²' is not accepted"),
        ("kube-system " + "9" * 5000, "a port is a number from 1 to 65535"),
        ("Kube_System 53", "'Kube_System' is not accepted; use the name of a namespace"),
        ("10.0.0.1/8 53", "'10.0.0.1/8' is not accepted; use a network such as"),
        ("10.0.0.300", "'10.0.0.300' is not accepted"),
    ],
)
def test_a_line_that_cannot_be_is_refused_with_what_would_be_right(text: str, problem: str) -> None:
    with pytest.raises(DomainError) as refusal:
        dns_option(text)

    assert problem in refusal.value.message


@pytest.mark.parametrize(
    "option",
    [
        "kube-system 53", 5, [], {}, {"namespaces": "kube-system"}, {"namespaces": [5]},
        {"namespaces": ["a"], "ports": [True]}, {"namespaces": ["a"], "ports": ["53"]},
        {"networks": [5]}, {"networks": ["fe80::%1/64"]}, {"namespaces": ["a"], "colour": 1},
        {"namespaces": ["a"] * 21}, {"namespaces": ["a\n"]},
    ],
)  # fmt: skip
def test_an_option_that_cannot_be_is_refused(option: Any) -> None:
    assert dns_error({"dns": option}).startswith("dns: ")


def test_no_option_and_a_good_one_are_fine() -> None:
    assert dns_error({}) == dns_error({"dns": None}) == ""
    assert dns_error({"dns": {"namespaces": ["openshift-dns"], "ports": [5353]}}) == ""
