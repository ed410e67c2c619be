"""The Argo server of a target, where its options name one."""

from __future__ import annotations

from console.clients.argo_server import ArgoServer
from tenants.contracts import TargetRef


def server_of(target: TargetRef) -> ArgoServer | None:
    """The client for the Argo server behind a target; None where the objects must do."""
    url = str(target.options.get("argo_server") or "")
    if not url:
        return None
    return ArgoServer(
        url,
        token=str(target.options.get("argo_server_token") or ""),
        ca_file=str(target.options.get("argo_server_ca_file") or ""),
        insecure_skip_tls_verify=target.options.get("argo_server_insecure") is True,
        timeout=target.timeout,
    )
