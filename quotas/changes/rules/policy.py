"""Reading a plan's policy strictly: every fault names the field, the value and what is right."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields, replace
from typing import Any, Final

from console.errors import DomainError
from console.numbers import whole_number
from quotas.plans.contracts import NetworkException, Policy, policy_from_json

LEVELS = ("privileged", "baseline", "restricted")
DIRECTIONS = ("ingress", "egress")
PROTOCOLS = ("TCP", "UDP", "SCTP")
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_ROLE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.:_-]{0,251}[A-Za-z0-9])?")


def parse_policy(document: Any) -> Policy:
    """The policy that a JSON or YAML mapping says; what is missing has its default.

    Raises DomainError("invalid_policy") with the dotted path as `field`.
    """
    return replace(Policy(), **policy_changes(document))


def completed_policy(before: Policy, changes: Mapping[str, Any]) -> Policy:
    """The policy that a mapping says, and `before` where it says nothing: nobody loosens a policy
    by leaving it out. Raises DomainError as `parse_policy` does."""
    return replace(before, **policy_changes(changes))


def policy_changes(document: Any) -> dict[str, Any]:
    """The fields of a policy that a JSON or YAML mapping says, each as `Policy` holds it. Raises
    DomainError as `parse_policy` does."""
    _mapping("policy", document, _READERS.keys())
    return {name: _READERS[name](f"policy.{name}", value) for name, value in document.items()}


def _level(path: str, value: Any) -> str:
    if not isinstance(value, str) or value not in LEVELS:
        raise _wrong(path, value, f"use {', '.join(LEVELS)}")
    return value


def _name_of(pattern: re.Pattern[str]) -> Callable[[str, Any], str]:
    def read(path: str, value: Any) -> str:
        if not isinstance(value, str) or (value and not pattern.fullmatch(value)):
            raise _wrong(path, value, "use the name of one, or an empty text for none")
        return value

    return read


def _truth(path: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _wrong(path, value, "use true or false")
    return value


def _exceptions(path: str, value: Any) -> tuple[NetworkException, ...]:
    if not isinstance(value, list | tuple):
        raise _wrong(path, value, "use a list")
    for number, exception in enumerate(value):
        _check_exception(f"{path}[{number}]", exception)
    names = [exception["name"] for exception in value]
    if len(set(names)) < len(names):
        raise _wrong(path, names, "give each exception a name of its own")
    return policy_from_json({"network_exceptions": value}).network_exceptions


_READERS: Final[Mapping[str, Callable[[str, Any], Any]]] = {
    "pod_security": _level,
    "priority_class": _name_of(_NAME),
    "tenant_role": _name_of(_ROLE),
    "network_isolated": _truth,
    "network_exceptions": _exceptions,
}


def _check_exception(path: str, exception: Any) -> None:
    _mapping(path, exception, {item.name for item in fields(NetworkException)})
    name = exception.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _wrong(f"{path}.name", name, "use lower-case letters, digits and hyphens")
    if exception.get("direction") not in DIRECTIONS:
        raise _wrong(
            f"{path}.direction", exception.get("direction"), f"use {' or '.join(DIRECTIONS)}"
        )
    _check_peer(path, exception)
    ports = exception.get("ports", [])
    if not isinstance(ports, list | tuple):
        raise _wrong(f"{path}.ports", ports, "use a list of pairs such as [TCP, 443]")
    for port in ports:
        if not _is_port(port):
            remedy = (
                "use a list of pairs such as [TCP, 443]: TCP, UDP or SCTP, and a number from 1 to"
                " 65535"
            )
            raise _wrong(f"{path}.ports", port, remedy)


def _check_peer(path: str, exception: Mapping[str, Any]) -> None:
    cidr, namespace = exception.get("cidr", ""), exception.get("namespace", "")
    everything = _truth(f"{path}.everything", exception.get("everything", False))
    if not isinstance(cidr, str) or (cidr and not _is_network(cidr)):
        remedy = "use a network such as 10.0.0.0/8; one address is 10.0.0.1/32"
        raise _wrong(f"{path}.cidr", cidr, remedy)
    if not isinstance(namespace, str) or (namespace and not _NAMESPACE.fullmatch(namespace)):
        raise _wrong(f"{path}.namespace", namespace, "use the name of a namespace")
    peers = [name for name in ("cidr", "namespace", "everything") if exception.get(name)]
    if (bool(cidr), bool(namespace), everything).count(True) != 1:
        raise _wrong(path, peers, "give exactly one of cidr, namespace and everything")


def _is_network(text: str) -> bool:
    """Whether the API server takes it: an address and how many bits of it count."""
    _, slash, bits = text.partition("/")
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return bool(slash) and whole_number(bits) is not None and "%" not in text


def _is_port(port: Any) -> bool:
    return (
        isinstance(port, list | tuple)
        and len(port) == 2
        and port[0] in PROTOCOLS
        and isinstance(port[1], int)
        and not isinstance(port[1], bool)
        and 0 < port[1] < 65536
    )


def _mapping(path: str, document: Any, known: Collection[str]) -> None:
    if not isinstance(document, Mapping):
        raise _wrong(path, document, "use a mapping")
    for name in document:
        if name not in known:
            raise _wrong(f"{path}.{name}", name, f"it is not known; use {', '.join(sorted(known))}")


def _wrong(field: str, value: Any, remedy: str) -> DomainError:
    return DomainError(
        "invalid_policy", f"{field}: {str(value)[:80]!r} is not accepted; {remedy}.", field=field
    )
