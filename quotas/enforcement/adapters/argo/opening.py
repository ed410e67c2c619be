"""What the options of an Argo target say, its Argo server, and its controller's version."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from console.clients import credentials
from console.clients.argo_server import ArgoServer
from console.clients.kubernetes.client import KubernetesClient
from console.errors import ExternalError, Refused
from tenants.contracts import TargetRef

CONTROLLER: Final = "workflow-controller"
NAMESPACE: Final = "argo"
DEFINITION: Final = "workflows.argoproj.io"
EMULATED: Final = "headroom.dev/emulated"
_DNS_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def controller_namespace(target: TargetRef) -> str:
    """Where the workflow controller runs."""
    return str(target.options.get("controller_namespace") or NAMESPACE)


def server_of(target: TargetRef) -> ArgoServer | None:
    """The client for the Argo server behind a target; None where the options name none. Its
    certificate is not the cluster's: it has options of its own."""
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


def fault_in(options: Mapping[str, Any]) -> str:
    """What is wrong with the options of an Argo target; empty when nothing is."""
    server = options.get("argo_server") or ""
    if server and not _is_url(server):
        return f"argo_server: {server!r} is not accepted; use a URL such as https://argo:2746."
    token = options.get("argo_server_token") or ""
    if token and not _is_reference(token):
        return f"argo_server_token: use a reference to where the token is: {credentials.SHAPES}."
    if token and not server:
        return "argo_server_token: there is no argo_server that it could be for."
    if not isinstance(options.get("argo_server_ca_file", ""), str):
        return "argo_server_ca_file is the path of a file."
    if not isinstance(options.get("argo_server_insecure", False), bool):
        return "argo_server_insecure is true or false."
    where = options.get("controller_namespace") or NAMESPACE
    if not isinstance(where, str) or not _DNS_LABEL.fullmatch(where):
        return f"controller_namespace: {where!r} is not the name of a namespace."
    return ""


def _is_url(value: object) -> bool:
    if not isinstance(value, str):
        return False
    parts = urlsplit(value)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query


def _is_reference(value: object) -> bool:
    try:
        return isinstance(value, str) and credentials.parse(value).scheme in ("env", "file")
    except Refused:
        return False


def image_version(client: KubernetesClient, where: str) -> str:
    """The version by the controller's image; empty when the Deployment cannot be read or says
    none."""
    try:
        deployment = client.get("Deployment", CONTROLLER, namespace=where)
    except Refused:
        return ""
    containers = deployment["spec"]["template"]["spec"].get("containers") or ()
    for container in containers:
        image, _, tag = str(container.get("image") or "").split("@")[0].rpartition(":")
        if image and "/" not in tag and "workflow" in image:
            return tag
    return ""


def is_emulated(client: KubernetesClient) -> bool:
    """Whether the small controller of the demo keeps the Workflows of this cluster."""
    try:
        definition = client.get("CustomResourceDefinition", DEFINITION)
    except ExternalError:
        return False
    return (definition["metadata"].get("labels") or {}).get(EMULATED) == "true"
