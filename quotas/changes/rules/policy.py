"""Reading a plan's policy strictly: every fault names the field, the value and what is right."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from console.errors import DomainError
from quotas.plans.contracts import NetworkException, Policy, policy_from_json, policy_to_json

LEVELS = ("privileged", "baseline", "restricted")
DIRECTIONS = ("ingress", "egress")
PROTOCOLS = ("TCP", "UDP", "SCTP")
_NAME = re.compile(r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")
_ROLE = re.compile(r"^[A-Za-z0-9]([A-Za-z0-9.:_-]{0,251}[A-Za-z0-9])?$")


def parse_policy(document: Any) -> Policy:
    """The policy that a JSON or YAML mapping says; what is missing has its default.

    Raises DomainError("invalid_policy") with the dotted path as `field`.
    """
    _mapping("policy", document, {item.name for item in fields(Policy)})
    level = document.get("pod_security", "baseline")
    if level not in LEVELS:
        raise _wrong("policy.pod_security", level, f"use {', '.join(LEVELS)}")
    for name, pattern in (("priority_class", _NAME), ("tenant_role", _ROLE)):
        value = document.get(name, "")
        if not isinstance(value, str) or (value and not pattern.match(value)):
            raise _wrong(f"policy.{name}", value, "use the name of one, or an empty text for none")
    isolated = document.get("network_isolated", True)
    if not isinstance(isolated, bool):
        raise _wrong("policy.network_isolated", isolated, "use true or false")
    exceptions = document.get("network_exceptions", [])
    if not isinstance(exceptions, list | tuple):
        raise _wrong("policy.network_exceptions", exceptions, "use a list")
    for number, exception in enumerate(exceptions):
        _check_exception(f"policy.network_exceptions[{number}]", exception)
    names = [exception["name"] for exception in exceptions]
    if len(set(names)) < len(names):
        raise _wrong("policy.network_exceptions", names, "give each exception a name of its own")
    return policy_from_json(document)


def completed_policy(before: Policy, changes: Mapping[str, Any]) -> Policy:
    """The policy that a mapping says, and `before` where it says nothing: nobody loosens a policy
    by leaving it out. Raises DomainError as `parse_policy` does."""
    _mapping("policy", changes, {item.name for item in fields(Policy)})
    return parse_policy({**policy_to_json(before), **changes})


def _check_exception(path: str, exception: Any) -> None:
    _mapping(path, exception, {item.name for item in fields(NetworkException)})
    name = exception.get("name")
    if not isinstance(name, str) or not _NAME.match(name):
        raise _wrong(f"{path}.name", name, "use lower-case letters, digits and hyphens")
    if exception.get("direction") not in DIRECTIONS:
        raise _wrong(
            f"{path}.direction", exception.get("direction"), f"use {' or '.join(DIRECTIONS)}"
        )
    _check_peer(path, exception)
    ports = exception.get("ports", [])
    if not isinstance(ports, list | tuple) or not all(_is_port(port) for port in ports):
        raise _wrong(f"{path}.ports", ports, "use a list of pairs such as [TCP, 443]")


def _check_peer(path: str, exception: Mapping[str, Any]) -> None:
    peers = [name for name in ("cidr", "namespace", "everything") if exception.get(name)]
    if len(peers) != 1:
        raise _wrong(path, peers, "give exactly one of cidr, namespace and everything")
    if exception.get("cidr"):
        try:
            ipaddress.ip_network(exception["cidr"])
        except ValueError:
            raise _wrong(
                f"{path}.cidr", exception["cidr"], "use a network such as 10.0.0.0/8"
            ) from None
    namespace = exception.get("namespace", "")
    if not isinstance(namespace, str) or (namespace and not _NAME.match(namespace)):
        raise _wrong(f"{path}.namespace", namespace, "use the name of a namespace")
    if exception.get("everything", False) not in (True, False):
        raise _wrong(f"{path}.everything", exception["everything"], "use true or false")


def _is_port(port: Any) -> bool:
    return (
        isinstance(port, list | tuple)
        and len(port) == 2
        and port[0] in PROTOCOLS
        and isinstance(port[1], int)
        and 0 < port[1] < 65536
    )


def _mapping(path: str, document: Any, known: set[str]) -> None:
    if not isinstance(document, Mapping):
        raise _wrong(path, document, "use a mapping")
    for name in document:
        if name not in known:
            raise _wrong(f"{path}.{name}", name, f"it is not known; use {', '.join(sorted(known))}")


def _wrong(field: str, value: Any, remedy: str) -> DomainError:
    return DomainError(
        "invalid_policy", f"{field}: {str(value)[:80]!r} is not accepted; {remedy}.", field=field
    )
