"""The nodes of a Workflow as events. Children form a graph, so they are walked once each. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from console.unstructured import mapping, moment, sequence, whole
from observability.engines.argo.causes import BAD, WORKING
from observability.engines.argo.compressed_nodes import Nodes, phase_of_node, type_of_node
from observability.engines.argo.handlers import Sorts
from observability.engines.argo.messages import (
    exit_code,
    failure_kind,
    resumed_by,
    wait_of,
)
from observability.engines.contracts import EventKind, FailureKind, RunEvent
from observability.engines.unstructured import checkpoint_event, checkpoint_of, event, micros, text

DEEPEST: Final = 20
_NUMBER: Final = re.compile(r"\((\d{1,6})\)$")
_ENDS: Final = {
    (False, False): EventKind.ATTEMPT_FAILED,
    (False, True): EventKind.ATTEMPT_TIMED_OUT,
    (True, False): EventKind.FAILED,
    (True, True): EventKind.TIMED_OUT,
}
"""How a step ends badly, by whether it belongs to a hook or exit handler and was late: what these
do is no attempt at the work."""
_TRIVIAL: Final = frozenset({"", "0/1", "1/1"})

Node = Mapping[str, Any]


class Walk:
    """The events of all nodes of one run. `since` leaves out what had ended before a retry."""

    def __init__(
        self, nodes: Nodes, sorts: Sorts, root: str, otherwise: datetime, since: datetime | None
    ) -> None:
        self._nodes, self._sorts = nodes.by_id, sorts
        self._root, self._otherwise, self._since = root, otherwise, since
        self._retries = self._attempts()

    @property
    def attempts(self) -> int:
        """The most attempts that one step took; what a hook or exit handler took is no attempt."""
        own = [number for key, number in self._retries.items() if key not in self._sorts.handlers]
        return max(own, default=1 if self._nodes else 0)

    def events(self) -> Iterator[RunEvent]:
        """Of every node once: those that the root leads to, then those that nothing leads to."""
        for key in self._order():
            node = self._nodes[key]
            ended = moment(node.get("finishedAt"))
            if self._since and ended and ended < self._since:
                continue
            yield from self._node(key, node)

    def _order(self) -> Iterator[str]:
        visited: set[str] = set()
        for first in (self._root, *self._nodes):
            stack = [first]
            while stack:
                key = stack.pop()
                if key in visited or key not in self._nodes:
                    continue
                visited.add(key)
                yield key
                children = sequence(self._nodes[key].get("children"))
                stack.extend(child for child in reversed(children) if isinstance(child, str))

    def _attempts(self) -> dict[str, int]:
        """Which attempt a child of a Retry node is, by its id."""
        places: dict[str, int] = {}
        for key, node in self._nodes.items():
            if node.get("type") != "Retry":
                continue
            for place, child in enumerate(sequence(node.get("children")), 1):
                if not isinstance(child, str) or not self._is_attempt(child, key):
                    continue
                number = _NUMBER.search(text(self._nodes[child].get("name"), 1000)[-12:])
                places[child] = int(number[1]) + 1 if number else place
        return places

    def _is_attempt(self, key: str, of: str) -> bool:
        """A Retry node's children are its attempts, and hooks besides."""
        if key not in self._nodes:
            return False
        return key not in self._sorts.handlers or of in self._sorts.handlers

    def _node(self, key: str, node: Node) -> Iterator[RunEvent]:
        kind = type_of_node(node)
        began = moment(node.get("startedAt")) or self._otherwise
        if self._since:  # a retry by hand sets groups going again without a new start
            began = max(began, self._since)
        step = {
            "step": text(key, 255),
            "step_name": text(node.get("displayName"), 200) or text(node.get("name"), 200),
            "attempt": self._retries.get(key, 0),
        }
        if kind in WORKING:
            yield from self._working(key, node, began, step)
        elif kind == "Suspend":
            yield from self._suspend(key, node, began, step)
        elif kind == "Retry":
            yield from self._waiting(key, node, began, step)
        elif kind != "Skipped" and phase_of_node(node) in BAD:
            yield from self._group(key, node, began, step)
        if phase_of_node(node) in ("Skipped", "Omitted"):
            yield self._skipped(key, node, began, step)

    def _working(
        self, key: str, node: Node, began: datetime, step: dict[str, Any]
    ) -> Iterator[RunEvent]:
        if phase_of_node(node) in ("Skipped", "Omitted"):
            return
        name, attempt = step["step_name"], step["attempt"]
        if attempt > 1:
            title = f"{name}: attempt {attempt}"
            yield event(began, EventKind.RETRY, title, key, "retry", order=15, **step)
        host = text(node.get("hostNodeName"), 255)
        handles = key in self._sorts.handlers
        yield event(
            began,
            EventKind.STARTED if handles else EventKind.ATTEMPT_STARTED,
            f"{name} began",
            *(key, "began"),
            order=20,
            detail=self._detail(key, node),
            **step,
        )
        yield from self._waiting(key, node, began, step)
        yield from self._restarts(key, node, began, step)
        yield from _progress(key, node, began, step)
        yield from self._ended(key, node, step | {"actor": host})

    def _ended(self, key: str, node: Node, step: dict[str, Any]) -> Iterator[RunEvent]:
        phase, at = phase_of_node(node), moment(node.get("finishedAt"))
        name, message = step["step_name"], text(node.get("message"))
        if at is None or phase not in ("Succeeded", *BAD):
            return
        code = whole(mapping(node.get("outputs")).get("exitCode"))
        code = exit_code(message) if code is None else code
        detail = self._detail(key, node) | {"exit_code": code}
        if phase == "Succeeded" or key in self._sorts.stopped:
            kind, what = FailureKind.NONE, EventKind.STEP_COMPLETED
            title = f"{name} {self._how_well(key, node)}"
        else:
            kind = failure_kind(message, phase)
            late = kind in (FailureKind.DEADLINE, FailureKind.TIMEOUT)
            what = _ENDS[key in self._sorts.handlers, late]
            title = f"{name} {'timed out' if late else 'failed'}"
        detail |= {"failure": kind.value}
        yield event(at, what, title, key, "ended", order=50, message=message, detail=detail, **step)

    def _how_well(self, key: str, node: Node) -> str:
        if key in self._sorts.daemons:
            return "was stopped, as nothing needed it any more"
        cached = mapping(node.get("memoizationStatus")).get("hit") is True
        return "was in the cache" if cached else "completed"

    def _waiting(
        self, key: str, node: Node, began: datetime, step: dict[str, Any]
    ) -> Iterator[RunEvent]:
        """What a node waits for now. It says so only while it does."""
        is_retry = node.get("type") == "Retry"
        if node.get("phase") != ("Running" if is_retry else "Pending"):
            return
        message = text(node.get("message"))
        lock = text(mapping(node.get("synchronizationStatus")).get("waiting"), 300)
        wait = wait_of(message, lock)
        if wait is None:
            return
        number = str(len(sequence(node.get("children")))) if is_retry else ""
        yield event(
            began,
            wait.kind,
            f"{step['step_name']} {wait.title}",
            *(key, wait.key, number),
            order=22,
            message=message,
            detail=wait.detail,
            **step,
        )

    def _restarts(
        self, key: str, node: Node, began: datetime, step: dict[str, Any]
    ) -> Iterator[RunEvent]:
        count = whole(node.get("failedPodRestarts"))
        if count:
            title = f"{step['step_name']}: its pod was started again ({count})"
            yield event(
                began, EventKind.RETRY, title, key, "restarts", str(count), order=24, **step
            )

    def _suspend(
        self, key: str, node: Node, began: datetime, step: dict[str, Any]
    ) -> Iterator[RunEvent]:
        name, message = step["step_name"], text(node.get("message"))
        yield event(
            began, EventKind.PAUSED, f"{name} waits to be resumed", key, "paused", order=20, **step
        )
        at = moment(node.get("finishedAt"))
        if at is None:
            return
        if phase_of_node(node) in BAD:
            yield from self._ended(key, node, step)
            return
        yield event(
            at,
            EventKind.RESUMED,
            f"{name} was resumed",
            *(key, "resumed"),
            order=50,
            message=message,
            actor=resumed_by(message),
            **step,
        )

    def _group(
        self, key: str, node: Node, began: datetime, step: dict[str, Any]
    ) -> Iterator[RunEvent]:
        """A group that failed for a reason of its own, not only because a child did."""
        message = text(node.get("message"))
        if not message or message.startswith("child '") or key == self._root:
            return
        at = moment(node.get("finishedAt")) or began
        title = f"{step['step_name']} failed"
        yield event(
            at,
            EventKind.NOTE,
            title,
            *(key, "failed"),
            order=55,
            message=message,
            detail=self._detail(key, node),
            **step,
        )

    def _skipped(self, key: str, node: Node, began: datetime, step: dict[str, Any]) -> RunEvent:
        words = "was left out" if node.get("phase") == "Omitted" else "was skipped"
        return event(
            began,
            EventKind.NOTE,
            f"{step['step_name']} {words}",
            *(key, "skipped"),
            order=20,
            message=text(node.get("message")),
            detail=self._detail(key, node),
            **step,
        )

    def _detail(self, key: str, node: Node) -> dict[str, Any]:
        reference = mapping(node.get("templateRef"))
        template = text(node.get("templateName"), 200) or text(reference.get("template"), 200)
        shown = {
            "type": text(node.get("type"), 20),
            "template": template,
            "inside": self._path(node),
            "node": text(node.get("hostNodeName"), 255),
            "hook": key in self._sorts.handlers or None,
            "daemon": key in self._sorts.daemons or None,
        }
        return {name: value for name, value in shown.items() if value}

    def _path(self, node: Node) -> str:
        """The names of the templates' invocations around a node, outermost first."""
        names: list[str] = []
        visited: set[str] = set()
        key = text(node.get("boundaryID"), 300)
        while key in self._nodes and key not in visited and len(names) < DEEPEST:
            visited.add(key)
            names.append(text(self._nodes[key].get("displayName"), 100))
            key = text(self._nodes[key].get("boundaryID"), 300)
        return " / ".join(reversed(names))


def _progress(key: str, node: Node, began: datetime, step: dict[str, Any]) -> Iterator[RunEvent]:
    """What a step reports of itself; the controller's own 0/1 and 1/1 say nothing."""
    counts = text(node.get("progress"), 40)
    if counts in _TRIVIAL:
        return
    progress = checkpoint_of(counts, moment(node.get("finishedAt")) or began)
    if progress.done:
        seq = micros(progress.at, 30) + min(progress.done, 999_999)
        yield checkpoint_event(progress, key, counts, seq=seq, **step)
