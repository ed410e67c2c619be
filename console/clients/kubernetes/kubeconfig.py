"""A kubeconfig, as far as it is ours to look at: what its chosen context would have us do here.

Files that it names have to be where credentials may lie, and programs are run for it only where the
server's settings say so (`console.clients.allowance`). The rest is the SDK's.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from console.clients import allowance
from console.errors import Refused

_CLUSTER_FILES: Final = ("certificate-authority",)
_USER_FILES: Final = ("client-certificate", "client-key", "tokenFile")
_PROGRAMS: Final = ("exec", "auth-provider")


def is_kubeconfig(text: str) -> bool:
    """Whether a credential is a kubeconfig and not a bare token."""
    return "clusters:" in text or '"clusters"' in text


def document_of(text: str, context: str, base: Path | None) -> dict[str, Any]:
    """The kubeconfig in `text`, files that its context names resolved from `base` (None: there is
    no file beside which others could lie). Refused (code `credential`) for what may not be used
    here; ValueError or a YAMLError where it is no mapping at all."""
    document = yaml.safe_load(text)
    if not isinstance(document, dict):
        raise ValueError("no mapping")
    cluster, user = _chosen(document, context)
    if any(user.get(name) for name in _PROGRAMS) and not allowance.current().plugins:
        raise Refused(
            "the kubeconfig wants a program to be run for its credential, which this server does "
            "not do: use a token or a client certificate, or have CREDENTIAL_PLUGINS=true set for "
            "the server",
            code="credential",
        )
    for holder, names in ((cluster, _CLUSTER_FILES), (user, _USER_FILES)):
        for name in names:
            if holder.get(name) and not holder.get(_DATA.get(name, "")):
                holder[name] = str(_file(str(holder[name]), base))
    return document


_DATA: Final = {
    "certificate-authority": "certificate-authority-data",
    "client-certificate": "client-certificate-data",
    "client-key": "client-key-data",
    "tokenFile": "token",
}
"""What the SDK takes instead of a file where both are there."""


def _file(name: str, base: Path | None) -> Path:
    if base is None and not Path(name).is_absolute():
        raise Refused("the kubeconfig names a file without saying where", code="credential")
    return allowance.current().file(Path(name) if base is None else base / name)


def _chosen(document: Mapping[str, Any], context: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Cluster and user of the context; empty where there is none, which the SDK says better."""
    entry = _named(document, "contexts", "context", context or document.get("current-context"))
    cluster = _named(document, "clusters", "cluster", entry.get("cluster"))
    return cluster, _named(document, "users", "user", entry.get("user"))


def _named(document: Mapping[str, Any], group: str, inner: str, name: Any) -> dict[str, Any]:
    entries = document.get(group)
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and entry.get("name") == name:
            value = entry.get(inner)
            return value if isinstance(value, dict) else {}
    return {}
