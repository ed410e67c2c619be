"""The pages of Argo Workflows' own UI. Pure."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from observability.engines.links import Link, OwnPages, RunAddress, path_part


def _of_run(base: str, address: RunAddress) -> list[Link]:
    query = urlencode({"tab": "workflow"} | _which(address))
    return [Link("Argo: workflow", f"{_run(base, address)}?{query}")]


def _of_event(base: str, address: RunAddress, _key: str, step: str) -> str:
    """Argo's UI shows nodes: the step of an event is its node."""
    if not step:
        return ""
    query = {"tab": "workflow", "nodeId": step, "nodePanelView": "summary"}
    return f"{_run(base, address)}?{urlencode(query | _which(address))}"


def _run(base: str, address: RunAddress) -> str:
    return f"{base}/workflows/{path_part(address.location)}/{path_part(address.external_id)}"


def _which(address: RunAddress) -> dict[str, str]:
    """Names which of several workflows of one name is meant; a closed one may be archived."""
    uid = address.run_id.partition("#")[0]
    return {"uid": uid} if uid and not address.is_open else {}


LINKS: Final = OwnPages("Argo Workflows", _of_run, _of_event)
