"""The default-deny NetworkPolicy and a plan's exceptions from it. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import orjson

from console import lenient_json
from console.unstructured import mapping, mappings, sequence
from quotas.enforcement.adapters.kubernetes.items import plain
from quotas.plans.contracts import NetworkException
from tenants.adapters.cluster_dns import ClusterDns

_DNS_PORTS: Final = ({53}, {5353})
"""What is called DNS where a policy is told: a rule for nothing but these ports."""


def spec(exceptions: Sequence[NetworkException], dns: ClusterDns) -> dict[str, Any]:
    """The spec of the one NetworkPolicy of a namespace: nothing in, nothing out but DNS, plus
    `exceptions`."""
    ingress = [
        _rule(exception, "from") for exception in exceptions if exception.direction == "ingress"
    ]
    egress = [_rule(exception, "to") for exception in exceptions if exception.direction == "egress"]
    made: dict[str, Any] = {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
        "egress": [_dns(dns), *egress],
    }
    if ingress:
        made["ingress"] = ingress
    return made


def _dns(dns: ClusterDns) -> dict[str, Any]:
    label = "kubernetes.io/metadata.name"
    peers: list[dict[str, Any]] = [
        {"namespaceSelector": {"matchLabels": {label: name}}} for name in dns.namespaces
    ]
    peers += [{"ipBlock": {"cidr": network}} for network in dns.networks]
    ports = [{"protocol": name, "port": port} for port in dns.ports for name in ("UDP", "TCP")]
    return {"to": peers, "ports": ports}


def _rule(exception: NetworkException, side: str) -> dict[str, Any]:
    rule: dict[str, Any] = {}
    if exception.cidr:
        rule[side] = [{"ipBlock": {"cidr": exception.cidr}}]
    elif exception.namespace:
        labels = {"kubernetes.io/metadata.name": exception.namespace}
        rule[side] = [{"namespaceSelector": {"matchLabels": labels}}]
    if exception.ports:
        rule["ports"] = [{"protocol": name, "port": port} for name, port in exception.ports]
    return rule


_CACHED = 100_000
"""Bytes of a policy that are read; no plan has so many, and what somebody else wrote may."""


def canonical(policy: Mapping[str, Any]) -> str:
    """The same text for policies that mean the same to the server."""
    packed = lenient_json.dumps(policy)
    if len(packed) <= _CACHED:
        return _canonical(packed)
    return f"sha256 {hashlib.sha256(packed).hexdigest()} of {len(packed):,} bytes"


# Most tenants share a handful of policies: what was understood once is not parsed again.
@lru_cache(maxsize=1024)
def _canonical(packed: bytes) -> str:
    policy = orjson.loads(packed)
    content = {
        "podSelector": policy.get("podSelector") or {},
        "policyTypes": sorted(map(str, sequence(policy.get("policyTypes")))),
        "ingress": policy.get("ingress") or [],
        "egress": policy.get("egress") or [],
    }
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS).decode()


def in_words(policy: Mapping[str, Any]) -> str:
    """The policy in one line, for people."""
    packed = lenient_json.dumps(policy)
    return _in_words(packed) if len(packed) <= _CACHED else f"a policy of {len(packed):,} bytes"


@lru_cache(maxsize=1024)
def _in_words(packed: bytes) -> str:
    policy = orjson.loads(packed)
    parts = []
    for direction, side in (("Ingress", "from"), ("Egress", "to")):
        rules = mappings(policy.get(direction.lower()))
        if direction not in sequence(policy.get("policyTypes")):
            parts.append(f"{direction.lower()}: open")
        else:
            allowed = "; ".join(_rule_in_words(rule, side) for rule in rules) or "none"
            parts.append(f"{direction.lower()}: {allowed}")
    return " | ".join(parts)


def _rule_in_words(rule: Mapping[str, Any], side: str) -> str:
    peers = ", ".join(_peer(peer) for peer in mappings(rule.get(side))) or "anywhere"
    numbers = {port.get("port") for port in mappings(rule.get("ports")) if _is_plain(port)}
    if numbers in _DNS_PORTS and len(numbers) < len(mappings(rule.get("ports"))):
        return f"DNS at {peers} on {plain(*numbers)}"
    ports = ", ".join(f"{plain(port.get('protocol', 'TCP'))} {plain(port.get('port', 'all'))}"
                      for port in mappings(rule.get("ports")))  # fmt: skip
    return f"{peers} on {ports}" if ports else peers


def _is_plain(port: Mapping[str, Any]) -> bool:
    return isinstance(port.get("port"), int)


def _peer(peer: Mapping[str, Any]) -> str:
    if "ipBlock" in peer:
        return plain(mapping(peer["ipBlock"]).get("cidr"))
    labels = mapping(mapping(peer.get("namespaceSelector")).get("matchLabels"))
    name = plain(labels.get("kubernetes.io/metadata.name"))
    return f"namespace {name}" if name else "selected pods"
