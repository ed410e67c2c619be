"""Which step that failed is the cause of the failure of a Workflow. Pure.

A step is inside whatever its name goes on from, at a bracket or a dot, and inside its boundary. Its
children are no guide: they are what comes after it as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

from console.unstructured import mapping, mappings, sequence
from observability.engines.argo.compressed_nodes import phase_of_node, type_of_node
from observability.engines.argo.handlers import Sorts, beside_of, templates_of
from observability.engines.unstructured import Object, text

BAD: Final = frozenset({"Failed", "Error"})
WORKING: Final = frozenset({"Pod", "Container", "HTTP", "Plugin"})
"""Types of nodes that do something themselves; the others are made of these."""
_BLAMED: Final = re.compile(
    r"child '(?P<id>[^']{1,300})' (?:failed|errored|timedout)"
    r"|step group deemed errored due to child (?P<child>.{1,300}?) error: "
    r"|task '(?P<task>[^']{1,300})' errored"
)
"""The child by which a group failed, by its id or its name."""
_STEP: Final = re.compile(r"(?:\[\d{1,6}\])?\.(?P<name>[^.(\[]{1,300})")
"""What stands behind the name of a boundary, its step first."""
_CUT: Final = re.compile(r"[.(\[]")
MOST_CUTS: Final = 200
"""Places at which a name is cut; a hundred levels, of which the controller makes no more, have two
each."""
DEEPEST: Final = 20
"""Boundaries around a node that are read where its name does not tell them."""
_TOLERATED: Final = {"Failed": "failed", "Error": "error"}

Node = Mapping[str, Any]


class Causes:
    """The nodes of one Workflow that failed, and which of them it got over."""

    def __init__(self, nodes: Mapping[str, dict[str, Any]], sorts: Sorts, workflow: Object) -> None:
        self._nodes, self._sorts = nodes, sorts
        self._keys: dict[str, str] = {}
        self._by_name: dict[str, tuple[set[str], set[str | None]]] = {}
        for key, node in nodes.items():
            if name := _name(node):
                self._keys.setdefault(name, key)
        self._continues = _continues_of(workflow)
        self._past = {key for key, node in nodes.items() if self._is_past(node)}
        for node in nodes.values():
            if type_of_node(node) == "Retry":
                self._past.update(self._children(node)[:-1])  # the last attempt decides
        self._blamed = {key: self._blamed_by(node) for key, node in nodes.items() if _is_bad(node)}
        self._first = self._blamed_by(mapping(workflow.get("status")))

    def root(self) -> dict[str, Any] | None:
        """The node that failed last among those that do something themselves and count: hooks and
        exit handlers where nothing else did, daemons that were stopped never."""
        last = max(filter(self._counts, self._nodes), key=self._weight, default=None)
        return None if last is None else self._nodes[last]

    def _weight(self, key: str) -> tuple[bool, bool, str]:
        node = self._nodes[key]
        work = key not in self._sorts.handlers
        return work, type_of_node(node) in WORKING, text(node.get("finishedAt"), 40)

    def _counts(self, key: str) -> bool:
        node = self._nodes[key]
        if not _is_bad(node) or key in self._sorts.stopped:
            return False
        if type_of_node(node) not in WORKING and node.get("children"):
            return False
        around = self._around(key)
        blamed = {self._first, *(self._blamed.get(group, "") for group in around)} - {""}
        return blamed <= around and around.isdisjoint(self._past)

    def _around(self, key: str) -> set[str]:
        """A node and all that it is inside of; what a handler stands beside is none of it."""
        around: set[str] = set()
        beside: set[str | None] = set()
        for _ in range(DEEPEST):
            if key not in self._nodes or key in around:
                break
            around.add(key)
            groups, handled = self._named_around(key)
            around |= groups
            beside |= handled
            key = text(self._nodes[key].get("boundaryID"), 300)
        return around - beside

    def _named_around(self, key: str) -> tuple[set[str], set[str | None]]:
        """What the name of a node says it is inside of, and what the handlers among it stand
        beside. Kept, as many nodes are inside of the same ones."""
        if key not in self._by_name:
            groups: set[str] = set()
            beside: set[str | None] = set()
            for name in _names_around(_name(self._nodes[key])):
                if (group := self._keys.get(name)) is not None:
                    groups.add(group)
                    if group in self._sorts.handlers:
                        beside.add(self._keys.get(beside_of(name)))
            self._by_name[key] = groups, beside
        return self._by_name[key]

    def _blamed_by(self, failed: Node) -> str:
        """The id of the child by which something says that it failed; empty where it names none, or
        none that failed."""
        match = _BLAMED.match(text(failed.get("message"), 700))
        named = next(filter(None, match.groups()), "") if match else ""
        key = named if named in self._nodes else self._keys.get(named, "")
        return key if key and _is_bad(self._nodes[key]) else ""

    def _is_past(self, node: Node) -> bool:
        """Whether the Workflow went on from a node, whatever failed inside it."""
        if not _is_bad(node):
            return phase_of_node(node) == "Succeeded"
        return self._is_tolerated(node) or self._was_followed(node)

    def _is_tolerated(self, node: Node) -> bool:
        """Whether the step says `continueOn` for such an end, in each template that may be its."""
        boundary = self._nodes.get(text(node.get("boundaryID"), 300), {})
        match = _STEP.match(_name(node).removeprefix(_name(boundary)))
        reference = mapping(boundary.get("templateRef"))
        template = text(boundary.get("templateName"), 300) or text(reference.get("template"), 300)
        conditions = self._continues.get((template, match["name"]), []) if match else []
        end = _TOLERATED[phase_of_node(node)]
        return bool(conditions) and all(condition.get(end) is True for condition in conditions)

    def _was_followed(self, node: Node) -> bool:
        """Whether all that depends on a step was begun in spite of its failure (`depends:
        "a.Failed"`): what could not is left out as omitted."""
        if type_of_node(node) not in WORKING:
            return False
        after = [self._nodes[key] for key in self._children(node)]
        after = [item for item in after if type_of_node(item) != "Container"]
        return bool(after) and all(phase_of_node(item) != "Omitted" for item in after)

    def _children(self, node: Node) -> list[str]:
        """The children of a node without its hooks."""
        return [
            key
            for key in sequence(node.get("children"))
            if isinstance(key, str) and key in self._nodes and not self._is_hook(key, node)
        ]

    def _is_hook(self, key: str, of: Node) -> bool:
        beside = beside_of(_name(self._nodes[key]))
        return bool(beside) and beside == _name(of) and key in self._sorts.handlers


def _name(node: Node) -> str:
    return text(node.get("name"), 1000)


def _names_around(name: str) -> Iterator[str]:
    """A name and those that it goes on from."""
    yield name
    for match in islice(_CUT.finditer(name), MOST_CUTS):
        yield name[: match.start()]


def _is_bad(node: Node) -> bool:
    return phase_of_node(node) in BAD


def _continues_of(workflow: Object) -> dict[tuple[str, str], list[Node]]:
    """What each step or task of a template may end like, by the names of both; several where
    several templates are called alike."""
    conditions: dict[tuple[str, str], list[Node]] = {}
    for template in templates_of(workflow):
        for step in _steps_of(template):
            place = text(template.get("name"), 300), text(step.get("name"), 300)
            conditions.setdefault(place, []).append(mapping(step.get("continueOn")))
    return conditions


def _steps_of(template: Node) -> Iterator[Node]:
    for group in sequence(template.get("steps")):
        yield from mappings(group)
    yield from mappings(mapping(template.get("dag")).get("tasks"))
