"""Limits as people write them in a form: exact, and as short as it can be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from console.errors import DomainError
from console.numbers import whole_number
from quotas.plans.contracts import NetworkException
from quotas.plans.limits import format_limit, parse_key, parse_limit
from quotas.plans.quantities import humanize


def limit_text(key: str, value: int | None) -> str:
    """The text of a value for a form: `12 GiB` where that is exact, else `12884901889`."""
    parsed = parse_key(key)
    if value is None:
        return "unlimited"
    shown = humanize(value, parsed.unit)
    try:
        exact = parse_limit(parsed, shown) == value
    except DomainError:
        exact = False
    return shown if exact else format_limit(parsed, value)


def peer_of(exception: NetworkException) -> str:
    """Where a network exception leads, in one text: a network, a namespace, or `everything`."""
    return "everything" if exception.everything else exception.cidr or exception.namespace


def ports_of(exception: NetworkException) -> str:
    """`TCP/443, UDP/53`; empty for all ports."""
    return ", ".join(f"{protocol}/{number}" for protocol, number in exception.ports)


def exception_document(*, name: str, direction: str, peer: str, ports: str) -> Mapping[str, Any]:
    """A network exception as JSON, from one row of the form; `parse_policy` checks it.

    `peer` is a network (`10.0.0.0/8`, `2001:db8::/32`), the name of a namespace, or `everything`.
    """
    document: dict[str, Any] = {"name": name, "direction": direction}
    if peer.lower() in ("everything", "*"):
        document["everything"] = True
    elif "/" in peer or ":" in peer or peer.replace(".", "").isdigit():
        document["cidr"] = peer
    else:
        document["namespace"] = peer
    if listed := ports.replace(",", " ").split():
        document["ports"] = [_port(text) for text in listed]
    return document


def _port(text: str) -> list[Any]:
    protocol, _, number = text.rpartition("/")
    port = whole_number(number)
    return [protocol.upper() or "TCP", number if port is None else port]
