"""Argo Workflows: the client for the Argo server, and what its target's options may say. The
cluster that both stand on is opened by `tenants.adapters.kubernetes`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from console.clients import credentials
from console.clients.argo_server import ArgoServer, carries_a_token
from console.errors import Refused
from tenants.adapters import kubernetes
from tenants.contracts import TargetRef

NAMESPACE: Final = "argo"
_DNS_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def server_for(target: TargetRef) -> ArgoServer | None:
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


def controller_namespace(target: TargetRef) -> str:
    """Where the workflow controller runs."""
    return str(target.options.get("controller_namespace") or NAMESPACE)


def options_error(options: Mapping[str, Any]) -> str:
    """What is wrong with the options of an Argo target, the cluster's among them, as a sentence;
    empty when nothing is."""
    if error := kubernetes.options_error(options):
        return error
    server = options.get("argo_server") or ""
    if server and not _is_url(server):
        return f"argo_server: {server!r} is not accepted; use a URL such as https://argo:2746."
    if error := _token_error(options.get("argo_server_token") or "", server):
        return error
    if not isinstance(options.get("argo_server_ca_file", ""), str):
        return "argo_server_ca_file is the path of a file."
    if not isinstance(options.get("argo_server_insecure", False), bool):
        return "argo_server_insecure is true or false."
    namespace = options.get("controller_namespace") or NAMESPACE
    if not isinstance(namespace, str) or not _DNS_LABEL.fullmatch(namespace):
        return f"controller_namespace: {namespace!r} is not the name of a namespace."
    return ""


def _token_error(token: Any, server: str) -> str:
    if token and not _is_reference(token):
        return f"argo_server_token: use a reference to where the token is: {credentials.SHAPES}."
    if token and not server:
        return "argo_server_token: there is no argo_server that it could be for."
    if token and not carries_a_token(server):
        return "argo_server: a token is sent over plain http to this machine only; use https://."
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
