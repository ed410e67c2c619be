"""Addresses that lead to this machine and nowhere else: the only ones to which a credential may go
without encryption."""

from __future__ import annotations

import ipaddress


def is_loopback(host: str | None) -> bool:
    """Whether a host, as a URL's parser gives it, is this machine: `localhost` or an address of the
    loopback. A name is not looked up: it could lead elsewhere at the next call."""
    if host is None:
        return False
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
