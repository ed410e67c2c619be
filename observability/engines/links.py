"""Where else a run can be looked at: the engine's own UI, traces, logs. Pure.

Everything that came from outside is quoted as one part of a path or query; an address that a
person configured must be http or https, and no placeholder may choose its host. Each engine has
the pages of its own UI in a file of this name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote, urlsplit

from observability.engines.features import EngineFeatures

AROUND: Final = timedelta(minutes=1)
"""How much earlier and later than the run `from_ms` and `to_ms` are."""
_OF_SOME_ENGINES: Final = ("namespace", "workflow_id", "task_id", "job")
"""Placeholders that runs of some engines leave empty."""
_PLACEHOLDER: Final = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True)
class RunAddress:
    """A run as addresses need it. `until` is its end, or now."""

    features: EngineFeatures
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
        named = {
            self.features.external_id_placeholder: self.external_id,
            self.features.location_placeholder: self.location,
        }
        return {
            **dict.fromkeys(_OF_SOME_ENGINES, ""),
            **named,
            "run_id": self.run_id,
            "pod": self.pod,
            "queue": self.queue or named.get("queue", ""),
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


def _no_page(_base: str, _address: RunAddress, _key: str, _step: str) -> str:
    """An engine whose events have no pages of their own."""
    return ""


@dataclass(frozen=True, slots=True)
class OwnPages:
    """The UI of one engine: its name for people, the pages of a run below the target's `ui_url`
    (without a slash at its end), and the page of one event by its key and step, empty where it has
    none."""

    name: str
    of_run: Callable[[str, RunAddress], list[Link]]
    of_event: Callable[[str, RunAddress, str, str], str] = _no_page


def links_out(own: OwnPages, address: RunAddress, options: Mapping[str, Any]) -> list[Link]:
    """Every way out of a run, the engine's own pages first. `options` are the target's."""
    links = _own_pages(own, address, options)
    for label, option in (("Trace", "trace_url"), ("Logs", "logs_url")):
        links.append(_templated(label, option, address, options))
    return links


def event_link(
    own: OwnPages, address: RunAddress, options: Mapping[str, Any], *, key: str, step: str
) -> str:
    """The engine's own page of one event; empty where it has none."""
    base = str(options.get("ui_url") or "")
    return own.of_event(base.rstrip("/"), address, key, step) if _is_web(base) else ""


def fill(template: str, values: Mapping[str, str]) -> str:
    """The address that a template stands for. Raises ValueError saying what is wrong with it."""
    if not _is_web(template):
        raise ValueError("it is not an http or https address")
    host = urlsplit(template).netloc
    if "{" in host or "}" in host:
        raise ValueError("a placeholder may not choose the host")
    absent = []

    def value(placeholder: re.Match[str]) -> str:
        name = placeholder[1]
        if name not in values:
            raise ValueError(f"{{{name}}} is no placeholder")
        if not values[name]:
            absent.append(name)
        return quote(values[name], safe="")

    filled = _PLACEHOLDER.sub(value, template)
    if absent:
        raise ValueError(f"this run has no {absent[0].replace('_', ' ')}")
    return filled


def path_part(text: str) -> str:
    """A text as one segment of a path. A lone dot or two would be resolved away by browsers."""
    quoted = quote(text, safe="")
    return quoted.replace(".", "%2E") if quoted in (".", "..") else quoted


def _templated(label: str, option: str, address: RunAddress, options: Mapping[str, Any]) -> Link:
    template = str(options.get(option) or "")
    if not template:
        return Link(label, missing="not set on the target", option=option)
    try:
        return Link(label, url=fill(template, address.values()))
    except ValueError as error:
        return Link(label, missing=str(error), option=option)


def _own_pages(own: OwnPages, address: RunAddress, options: Mapping[str, Any]) -> list[Link]:
    base = str(options.get("ui_url") or "")
    if not base:
        return [Link(own.name, missing="not set on the target", option="ui_url")]
    if not _is_web(base):
        return [Link(own.name, missing="it is not an http or https address", option="ui_url")]
    return own.of_run(base.rstrip("/"), address)


def _is_web(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
