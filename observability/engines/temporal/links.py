"""The pages of Temporal's own UI. Pure."""

from __future__ import annotations

from typing import Final

from console.unstructured import whole
from observability.engines.links import Link, OwnPages, RunAddress, path_part
from observability.engines.temporal.run_ids import is_standalone, own_run_id


def _of_run(base: str, address: RunAddress) -> list[Link]:
    run = _run(base, address)
    if is_standalone(address.run_id):
        links = [Link("Temporal: activity", run)]
    else:
        links = [Link("Temporal: run", run), Link("Temporal: history", f"{run}/history")]
    if address.is_open and not is_standalone(address.run_id):
        links.append(Link("Temporal: pending activities", f"{run}/pending-activities"))
        links.append(Link("Temporal: call stack", f"{run}/call-stack"))
    if address.queue:
        queue = f"{_namespace(base, address)}/task-queues/{path_part(address.queue)}"
        links.append(Link("Temporal: task queue", queue))
    return links


def _of_event(base: str, address: RunAddress, key: str, _step: str) -> str:
    """The key of an event of the history is its number."""
    if whole(key) is None or is_standalone(address.run_id):
        return ""
    return f"{_run(base, address)}/history/events/{key}"


def _namespace(base: str, address: RunAddress) -> str:
    return f"{base}/namespaces/{path_part(address.location)}"


def _run(base: str, address: RunAddress) -> str:
    kind = "activities" if is_standalone(address.run_id) else "workflows"
    run = f"{_namespace(base, address)}/{kind}/{path_part(address.external_id)}"
    run_id = own_run_id(address.run_id)
    return f"{run}/{path_part(run_id)}" if run_id else run


LINKS: Final = OwnPages("Temporal", _of_run, _of_event)
