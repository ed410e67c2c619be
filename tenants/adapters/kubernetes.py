"""A cluster: the client for it, and what its target's options may say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from console.clients import pool
from console.clients.kubernetes.client import KubernetesClient
from tenants.adapters.cluster_dns import dns_error
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


def options_error(options: Mapping[str, Any]) -> str:
    """What is wrong with the options of a target on a cluster, as a sentence; empty when nothing
    is. All are optional, and of one type."""
    if not isinstance(options.get("ca_file", ""), str):
        return "ca_file is the path of a file."
    if not isinstance(options.get("insecure_skip_tls_verify", False), bool):
        return "insecure_skip_tls_verify is true or false."
    return dns_error(options)
