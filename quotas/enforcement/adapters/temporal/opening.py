"""The client for a Temporal target."""

from __future__ import annotations

from typing import Any, Final

from console.clients import pool
from console.clients.temporal.client import TemporalClient
from quotas.enforcement.adapters.temporal.options import namespace
from tenants.contracts import TargetRef

_SECRETS: Final = ("client_cert", "client_key", "server_ca", "server_name")


def client_for(target: TargetRef) -> TemporalClient:
    """This process's client for the namespace behind a target."""
    options: dict[str, Any] = {
        name: str(target.options[name]) for name in _SECRETS if target.options.get(name)
    }
    if isinstance(target.options.get("tls"), bool):
        options["tls"] = target.options["tls"]
    return pool.temporal(
        target.endpoint,
        namespace(target),
        api_key=target.credential,
        timeout=target.timeout,
        **options,
    )
