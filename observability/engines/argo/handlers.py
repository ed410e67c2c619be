"""Which nodes of a Workflow are no try of its work: hooks, exit handlers, daemons. Pure.

Since 3.5 the controller marks what a hook or exit handler begins with; before, only the name tells:
`NODE.onExit` and `NODE.hooks.NAME` stand beside NODE, where a step of that name stands inside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from console.unstructured import mapping, mappings, moment, whole
from observability.engines.argo.messages import exit_code, strategy
from observability.engines.unstructured import Object, text

Node = Mapping[str, Any]
Nodes = Mapping[str, Node]

_HANDLER: Final = re.compile(r"(?P<beside>.+?)(?:\.onExit|\.hooks\.[^.(\[]{1,200})")
_LATE: Final = timedelta(seconds=15)
"""By which the controller may note the end of a group later than that of its daemon."""
_SIGNALS: Final = frozenset({None, 0, 137, 143})
"""Exit codes of a container that was told to end; None where the message has none."""


@dataclass(frozen=True, slots=True)
class Sorts:
    """Ids of nodes that are no try of the work: those of hooks and exit handlers, daemons, and of
    these the ones that were stopped because nothing needed them any more."""

    handlers: frozenset[str] = frozenset()
    daemons: frozenset[str] = frozenset()
    stopped: frozenset[str] = frozenset()


def sorts_of(nodes: Nodes, workflow: Object) -> Sorts:
    """The nodes of a workflow by what they are for."""
    daemons = daemons_of(nodes, workflow)
    stopped = frozenset(key for key in daemons if was_stopped(nodes[key], nodes))
    return Sorts(handlers_of(nodes), daemons, stopped)


def handlers_of(nodes: Nodes) -> frozenset[str]:
    """The ids of all nodes that belong to a hook or an exit handler, their steps and retries
    included: their names go on from the name of what began them."""
    keys_by_name: dict[str, str] = {}
    for key, node in nodes.items():
        keys_by_name.setdefault(_name(node), key)
    first = {_name(node) for node in nodes.values() if _begins_handler(node, nodes, keys_by_name)}
    return frozenset(key for key, node in nodes.items() if _is_within(_name(node), first))


def beside_of(name: str) -> str:
    """The name of what a handler of this name stands beside; empty where it is called otherwise."""
    match = _HANDLER.fullmatch(name)
    return match["beside"] if match else ""


def _name(node: Node) -> str:
    return text(node.get("name"), 1000)


def _begins_handler(node: Node, nodes: Nodes, keys_by_name: Mapping[str, str]) -> bool:
    if mapping(node.get("nodeFlag")).get("hooked") is True:
        return True
    beside_name = beside_of(_name(node))
    beside = keys_by_name.get(beside_name) if beside_name else None
    if beside is None:
        return False
    boundary = text(node.get("boundaryID"), 300)
    return boundary != beside and boundary == text(nodes[beside].get("boundaryID"), 300)


def _is_within(name: str, first: set[str]) -> bool:
    """Whether a name is, or goes on from, the name of a handler: at a bracket or a dot."""
    if not first or not name:
        return False
    ends = [match.start() for match in re.finditer(r"[.(\[]", name)]
    return any(name[:end] in first for end in (*ends, len(name)))


def daemons_of(nodes: Nodes, workflow: Object) -> frozenset[str]:
    """The ids of daemons: nodes that say so, or whose template does (what has ended no longer
    says it)."""
    templates = {
        text(template.get("name"), 300)
        for template in templates_of(workflow)
        if template.get("daemon") is True
    }
    return frozenset(
        key
        for key, node in nodes.items()
        if node.get("daemoned") is True or text(node.get("templateName"), 300) in templates - {""}
    )


def templates_of(workflow: Object) -> Iterator[Node]:
    """The templates that a workflow has, or was started with."""
    status = mapping(workflow.get("status"))
    for spec in (workflow.get("spec"), status.get("storedWorkflowTemplateSpec")):
        yield from mappings(mapping(spec).get("templates"))
    stored = mapping(status.get("storedTemplates")).values()
    yield from (template for template in stored if isinstance(template, dict))


def was_stopped(node: Node, nodes: Nodes) -> bool:
    """Whether a daemon that ended was told to: its controller kills it once the steps that need it
    have ended. One that ends before that, or of something else than the signal, has failed."""
    message = text(node.get("message"))
    if strategy(message):
        return True
    code = whole(mapping(node.get("outputs")).get("exitCode"))
    code = exit_code(message) if code is None else code
    if code not in _SIGNALS or "OOMKilled" in message:
        return False
    around = nodes.get(text(node.get("boundaryID"), 300), {})
    needed_until, ended = moment(around.get("finishedAt")), moment(node.get("finishedAt"))
    return needed_until is not None and ended is not None and ended >= needed_until - _LATE
