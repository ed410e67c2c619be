"""The client for a cluster target."""

from __future__ import annotations

from console.clients import pool
from console.clients.kubernetes.client import KubernetesClient
from tenants.contracts import TargetRef


def client_for(target: TargetRef) -> KubernetesClient:
    """This process's client for the cluster behind a target (kinds kubernetes and argo)."""
    options = target.options
    return pool.kubernetes(
        target.credential,
        server=target.endpoint,
        ca_file=str(options.get("ca_file", "")),
        insecure_skip_tls_verify=options.get("insecure_skip_tls_verify") is True,
        connections=target.concurrency,
        timeout=target.timeout,
    )
