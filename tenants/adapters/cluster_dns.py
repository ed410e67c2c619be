"""Where the pods of a cluster ask for names: as a target says, or as its distribution has it. Pure.

A closed network lets nothing out but that, and NetworkPolicies are applied behind the Service: the
port is the one on which DNS pods listen.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from console.errors import DomainError
from console.numbers import whole_number
from tenants.contracts import TargetRef

OPTION: Final = "dns"
MOST: Final = 20
_NAMESPACE: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SHAPE: Final = (
    "name namespaces, networks and ports, such as openshift-dns 5353, or kube-system"
    " 169.254.20.10/32 53"
)
NODE_LOCAL: Final = "169.254.20.10/32"
"""NodeLocal DNSCache, wherever it runs."""
METADATA: Final = "169.254.169.254/32"
"""Cloud DNS of GKE answers there."""


@dataclass(frozen=True, slots=True)
class ClusterDns:
    """Namespaces of the DNS pods, networks of caches and resolvers, and the ports of both."""

    namespaces: tuple[str, ...] = ("kube-system",)
    networks: tuple[str, ...] = (NODE_LOCAL,)
    ports: tuple[int, ...] = (53,)

    def __str__(self) -> str:
        """As a form shows it, and takes it back."""
        return " ".join([*self.namespaces, *self.networks, *map(str, self.ports)])


PLAIN: Final = ClusterDns()
"""CoreDNS in kube-system: kubeadm, EKS, AKS, k3s, RKE2 and most others."""
UNKNOWN: Final = ClusterDns(networks=(NODE_LOCAL, METADATA))
"""What a cluster gets that was not asked yet."""
_BY_DISTRIBUTION: Final = {
    "OpenShift": ClusterDns(("openshift-dns",), (), (5353,)),
    "GKE": ClusterDns(networks=(NODE_LOCAL, METADATA)),
}
_BY_VERSION: Final = (("-gke.", "GKE"), ("-eks-", "EKS"), ("+k3s", "k3s"), ("+rke2", "RKE2"))
_OPENSHIFT: Final = ("config.openshift.io/", "route.openshift.io/", "security.openshift.io/")


def distribution_of(version: str, kinds: Collection[str]) -> str:
    """Whose Kubernetes it is, by its version and what it serves; empty for one like all others."""
    if any(kind.startswith(_OPENSHIFT) for kind in kinds):
        return "OpenShift"
    return next((name for mark, name in _BY_VERSION if mark in version), "")


def cluster_dns(target: TargetRef) -> ClusterDns:
    """What holds for a target: its own setting, else the default of its distribution."""
    return dns_in_force(target.options, target.features)


def dns_in_force(options: Mapping[str, Any], features: Mapping[str, Any]) -> ClusterDns:
    """The same, from a target's options and what its last probe found."""
    if stated := options.get(OPTION):
        return _stated(stated)
    if "distribution" not in features:
        return UNKNOWN
    return _BY_DISTRIBUTION.get(str(features["distribution"]), PLAIN)


def dns_error(options: Mapping[str, Any]) -> str:
    """What is wrong with a target's own setting, as a sentence; empty when nothing is."""
    if options.get(OPTION) is None:
        return ""
    try:
        _stated(options[OPTION])
    except DomainError as error:
        return error.message
    return ""


def dns_option(text: str) -> dict[str, Any]:
    """The option that a line of a form says: namespaces, networks and ports in any order. Raises
    DomainError("invalid_dns")."""
    namespaces: list[str] = []
    networks: list[str] = []
    ports: list[int | str] = []
    for word in text.replace(",", " ").split():
        if word.isdigit():
            port = whole_number(word)
            ports.append(word if port is None else port)
        elif "/" in word or ":" in word or word.replace(".", "").isdigit():
            networks.append(word)
        else:
            namespaces.append(word)
    option = {"namespaces": namespaces, "networks": networks, "ports": ports or [53]}
    _stated(option)
    return option


def _stated(option: Any) -> ClusterDns:
    if not isinstance(option, Mapping) or option.keys() - {"namespaces", "networks", "ports"}:
        raise _wrong(option, "use a mapping of namespaces, networks and ports")
    namespaces = _listed(option, "namespaces")
    networks = _listed(option, "networks")
    ports = _listed(option, "ports") or (53,)
    for name in namespaces:
        if not isinstance(name, str) or not _NAMESPACE.fullmatch(name):
            raise _wrong(name, "use the name of a namespace")
    for port in ports:
        if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536:
            raise _wrong(port, "a port is a number from 1 to 65535")
    if not namespaces and not networks:
        raise _wrong(option, _SHAPE)
    return ClusterDns(namespaces, tuple(map(_network, networks)), ports)


def _listed(option: Mapping[str, Any], name: str) -> tuple[Any, ...]:
    value = option.get(name) or []
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) > MOST:
        raise _wrong(value, f"{name} is a list of at most {MOST}")
    return tuple(value)


def _network(text: Any) -> str:
    """A network as the API server takes it; a single address is one, too."""
    try:
        if isinstance(text, str) and "%" not in text:
            return str(ipaddress.ip_network(text))
    except ValueError:
        pass
    raise _wrong(text, "use a network such as 169.254.20.10/32")


def _wrong(value: Any, remedy: str) -> DomainError:
    return DomainError(
        "invalid_dns", f"dns: {str(value)[:80]!r} is not accepted; {remedy}.", field="options.dns"
    )
