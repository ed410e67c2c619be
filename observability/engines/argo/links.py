"""The pages of Argo Workflows' own UI. Pure."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from observability.engines.links import Link, OwnPages, RunAddress, path_part


def _of_run(base: str, subject: RunAddress) -> list[Link]:
    query = urlencode({"tab": "workflow"} | _which(subject))
    return [Link("Argo: workflow", f"{_run(base, subject)}?{query}")]


def _of_event(base: str, subject: RunAddress, _key: str, step: str) -> str:
    """Argo's UI shows nodes: the step of an event is its node."""
    if not step:
        return ""
    query = {"tab": "workflow", "nodeId": step, "nodePanelView": "summary"}
    return f"{_run(base, subject)}?{urlencode(query | _which(subject))}"


def _run(base: str, subject: RunAddress) -> str:
    return f"{base}/workflows/{path_part(subject.location)}/{path_part(subject.external_id)}"


def _which(subject: RunAddress) -> dict[str, str]:
    """Names which of several workflows of one name is meant; a closed one may be archived."""
    uid = subject.run_id.partition("#")[0]
    return {"uid": uid} if uid and not subject.is_open else {}


LINKS: Final = OwnPages("Argo Workflows", _of_run, _of_event)
