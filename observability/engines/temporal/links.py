"""The pages of Temporal's own UI. Pure."""

from __future__ import annotations

from typing import Final

from observability.engines.links import Link, OwnPages, RunAddress, path_part


def _of_run(base: str, subject: RunAddress) -> list[Link]:
    run = _run(base, subject)
    links = [Link("Temporal: run", run), Link("Temporal: history", f"{run}/history")]
    if subject.is_open:
        links.append(Link("Temporal: pending activities", f"{run}/pending-activities"))
        links.append(Link("Temporal: call stack", f"{run}/call-stack"))
    if subject.queue:
        queue = f"{_namespace(base, subject)}/task-queues/{path_part(subject.queue)}"
        links.append(Link("Temporal: task queue", queue))
    return links


def _of_event(base: str, subject: RunAddress, key: str, _step: str) -> str:
    """The key of an event of the history is its number."""
    if not (key.isascii() and key.isdigit()):
        return ""
    return f"{_run(base, subject)}/history/events/{key}"


def _namespace(base: str, subject: RunAddress) -> str:
    return f"{base}/namespaces/{path_part(subject.location)}"


def _run(base: str, subject: RunAddress) -> str:
    run = f"{_namespace(base, subject)}/workflows/{path_part(subject.external_id)}"
    return f"{run}/{path_part(subject.run_id)}" if subject.run_id else run


LINKS: Final = OwnPages("Temporal", _of_run, _of_event)
