"""The pages of Temporal's own UI. Pure."""

from __future__ import annotations

from typing import Final

from observability.engines.links import Link, OwnPages, RunAddress, path_part


def _of_run(base: str, address: RunAddress) -> list[Link]:
    run = _run(base, address)
    links = [Link("Temporal: run", run), Link("Temporal: history", f"{run}/history")]
    if address.is_open:
        links.append(Link("Temporal: pending activities", f"{run}/pending-activities"))
        links.append(Link("Temporal: call stack", f"{run}/call-stack"))
    if address.queue:
        queue = f"{_namespace(base, address)}/task-queues/{path_part(address.queue)}"
        links.append(Link("Temporal: task queue", queue))
    return links


def _of_event(base: str, address: RunAddress, key: str, _step: str) -> str:
    """The key of an event of the history is its number."""
    if not (key.isascii() and key.isdigit()):
        return ""
    return f"{_run(base, address)}/history/events/{key}"


def _namespace(base: str, address: RunAddress) -> str:
    return f"{base}/namespaces/{path_part(address.location)}"


def _run(base: str, address: RunAddress) -> str:
    run = f"{_namespace(base, address)}/workflows/{path_part(address.external_id)}"
    return f"{run}/{path_part(address.run_id)}" if address.run_id else run


LINKS: Final = OwnPages("Temporal", _of_run, _of_event)
