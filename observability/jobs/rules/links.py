"""Where else a run can be looked at: the engine's own UI, traces, logs. Pure.

Everything that came from outside is quoted as one part of a path or query; an address that a
person configured must be http or https, and no placeholder may choose its host.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from observability.jobs.contracts import Engine

AROUND: Final = timedelta(minutes=1)
"""How much earlier and later than the run `from_ms` and `to_ms` are."""
_PLACEHOLDER: Final = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True)
class Subject:
    """A run as addresses need it. `until` is its end, or now."""

    engine: str
    location: str
    external_id: str
    run_id: str
    queue: str
    tenant: str
    since: datetime
    until: datetime
    is_open: bool = False
    pod: str = ""
    trace_id: str = ""
    request_id: str = ""

    def values(self) -> dict[str, str]:
        """What the placeholders of a template stand for; empty where there is no such thing."""
        engine = self.engine
        return {
            "namespace": "" if engine == Engine.CELERY else self.location,
            "workflow_id": self.external_id if engine in (Engine.TEMPORAL, Engine.ARGO) else "",
            "run_id": self.run_id,
            "task_id": self.external_id if engine == Engine.CELERY else "",
            "job": self.external_id if engine == Engine.KUBERNETES else "",
            "pod": self.pod,
            "queue": self.queue or (self.location if engine == Engine.CELERY else ""),
            "trace_id": self.trace_id,
            "request_id": self.request_id,
            "tenant": self.tenant,
            "from_ms": str(_milliseconds(self.since - AROUND)),
            "to_ms": str(_milliseconds(self.until + AROUND)),
        }


@dataclass(frozen=True, slots=True)
class Link:
    """One way out. Without a `url`, `missing` says why there is none and `option` names the
    target's option that an admin has to set, if that is the reason."""

    label: str
    url: str = ""
    missing: str = ""
    option: str = ""


def links_out(subject: Subject, options: Mapping[str, Any]) -> list[Link]:
    """Every way out of a run, the engine's own pages first. `options` are the target's."""
    found = _own_pages(subject, options)
    for label, option in (("Trace", "trace_url"), ("Logs", "logs_url")):
        found.append(_templated(label, option, subject, options))
    return found


def event_link(subject: Subject, options: Mapping[str, Any], *, key: str, step: str) -> str:
    """The engine's own page of one event; empty where it has none."""
    base = _base(options)
    if not base:
        return ""
    if subject.engine == Engine.TEMPORAL and key.isascii() and key.isdigit():
        return f"{_temporal_run(base, subject)}/history/events/{key}"
    if subject.engine == Engine.ARGO and step:
        query = {"tab": "workflow", "nodeId": step, "nodePanelView": "summary"}
        return f"{_argo_run(base, subject)}?{urlencode(query | _argo_copy(subject))}"
    return ""


def fill(template: str, values: Mapping[str, str]) -> str:
    """The address that a template stands for. Raises ValueError saying what is wrong with it."""
    if not _is_web(template):
        raise ValueError("it is not an http or https address")
    host = urlsplit(template).netloc
    if "{" in host or "}" in host:
        raise ValueError("a placeholder may not choose the host")
    absent = []

    def value(found: re.Match[str]) -> str:
        name = found[1]
        if name not in values:
            raise ValueError(f"{{{name}}} is no placeholder")
        if not values[name]:
            absent.append(name)
        return quote(values[name], safe="")

    filled = _PLACEHOLDER.sub(value, template)
    if absent:
        raise ValueError(f"this run has no {absent[0].replace('_', ' ')}")
    return filled


def _templated(label: str, option: str, subject: Subject, options: Mapping[str, Any]) -> Link:
    template = str(options.get(option) or "")
    if not template:
        return Link(label, missing="not set on the target", option=option)
    try:
        return Link(label, url=fill(template, subject.values()))
    except ValueError as error:
        return Link(label, missing=str(error), option=option)


def _own_pages(subject: Subject, options: Mapping[str, Any]) -> list[Link]:
    label = _UI_NAMES[subject.engine]
    base = str(options.get("ui_url") or "")
    if not base:
        return [Link(label, missing="not set on the target", option="ui_url")]
    if not _is_web(base):
        return [Link(label, missing="it is not an http or https address", option="ui_url")]
    return _PAGES[subject.engine](base.rstrip("/"), subject)


_UI_NAMES: Final[Mapping[str, str]] = {
    Engine.TEMPORAL: "Temporal",
    Engine.ARGO: "Argo Workflows",
    Engine.CELERY: "Flower",
    Engine.KUBERNETES: "Cluster UI",
}


def _temporal_pages(base: str, subject: Subject) -> list[Link]:
    run = _temporal_run(base, subject)
    found = [Link("Temporal: run", run), Link("Temporal: history", f"{run}/history")]
    if subject.is_open:
        found.append(Link("Temporal: pending activities", f"{run}/pending-activities"))
        found.append(Link("Temporal: call stack", f"{run}/call-stack"))
    if subject.queue:
        queue = f"{_namespace(base, subject)}/task-queues/{_part(subject.queue)}"
        found.append(Link("Temporal: task queue", queue))
    return found


def _argo_pages(base: str, subject: Subject) -> list[Link]:
    query = urlencode({"tab": "workflow"} | _argo_copy(subject))
    return [Link("Argo: workflow", f"{_argo_run(base, subject)}?{query}")]


def _flower_pages(base: str, subject: Subject) -> list[Link]:
    return [Link("Flower: task", f"{base}/task/{_part(subject.external_id)}")]


def _cluster_pages(base: str, subject: Subject) -> list[Link]:
    """Cluster UIs have no routes in common: the address is a template, or just the way in."""
    try:
        return [Link("Cluster UI: job", fill(base, subject.values()))]
    except ValueError as error:
        return [Link("Cluster UI", missing=str(error), option="ui_url")]


_PAGES: Final = {
    Engine.TEMPORAL.value: _temporal_pages,
    Engine.ARGO.value: _argo_pages,
    Engine.CELERY.value: _flower_pages,
    Engine.KUBERNETES.value: _cluster_pages,
}


def _base(options: Mapping[str, Any]) -> str:
    base = str(options.get("ui_url") or "")
    return base.rstrip("/") if _is_web(base) else ""


def _namespace(base: str, subject: Subject) -> str:
    return f"{base}/namespaces/{_part(subject.location)}"


def _temporal_run(base: str, subject: Subject) -> str:
    run = f"{_namespace(base, subject)}/workflows/{_part(subject.external_id)}"
    return f"{run}/{_part(subject.run_id)}" if subject.run_id else run


def _argo_run(base: str, subject: Subject) -> str:
    return f"{base}/workflows/{_part(subject.location)}/{_part(subject.external_id)}"


def _argo_copy(subject: Subject) -> dict[str, str]:
    """Names which of several workflows of one name is meant; a closed one may be archived."""
    uid = subject.run_id.partition("#")[0]
    return {"uid": uid} if uid and not subject.is_open else {}


def _part(text: str) -> str:
    """A text as one segment of a path. A lone dot or two would be resolved away by browsers."""
    quoted = quote(text, safe="")
    return quoted.replace(".", "%2E") if quoted in (".", "..") else quoted


def _is_web(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
