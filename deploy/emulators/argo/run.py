"""One Workflow on its way: its nodes, and what it may do now."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from deploy.emulators.argo import names
from deploy.emulators.argo.locks import Lock
from deploy.emulators.argo.names import Obj
from deploy.emulators.argo.values import Values, parameters


@dataclass(frozen=True, slots=True)
class PodCreation:
    """What came of creating a pod: `refused` is the server's text, `waits` that trying again may
    help."""

    refused: str = ""
    waits: bool = False


class Effects(Protocol):
    """What a run does to the cluster outside its own object."""

    def create_pod(self, pod: Obj) -> PodCreation:
        """Create a pod; one that is there already is as good."""
        ...

    def delete_pod(self, namespace: str, name: str) -> None:
        """Delete a pod; it need not be there."""
        ...

    def acquire(self, locks: list[Lock], holder: str) -> str:
        """Take all locks or none; a text says what is waited for. Raises CannotLockError."""
        ...


@dataclass(frozen=True, slots=True)
class Call:
    """One template to be run as a node. `values` are those of loops and retries."""

    name: str
    display: str
    template: str
    arguments: dict[str, str] = field(default_factory=dict)
    boundary: str = ""
    values: Values = field(default_factory=dict)
    attempt: int | None = None
    hooked: bool = False


HALTED: Obj = {"id": "", "name": "", "phase": "Failed", "message": ""}
"""Stands for a node that was never made because the run is being stopped."""


class Run:
    """A Workflow (a copy that is changed in place) and its pods by node id."""

    def __init__(
        self, workflow: Obj, pods: dict[str, Obj], effects: Effects, now: datetime
    ) -> None:
        self.workflow = workflow
        self.pods = pods
        self.effects = effects
        self.now = now
        self.name: str = workflow["metadata"]["name"]
        self.namespace: str = workflow["metadata"]["namespace"]
        self.spec: Obj = workflow["spec"]
        if workflow.get("status") is None:
            workflow["status"] = {}
        self.status: Obj = workflow["status"]
        self.nodes: dict[str, Obj] = self.status.get("nodes") or {}
        self.templates = {
            template["name"]: template for template in self.spec.get("templates") or ()
        }
        self.waiting: dict[str, list[Lock]] = {}
        """Locks that holders of this run wait for."""
        self.is_exiting = False
        started = names.moment(self.status.get("startedAt")) or now
        allowed = self.spec.get("activeDeadlineSeconds")
        self.is_late = allowed is not None and now > started + timedelta(seconds=int(allowed))

    # What it may do

    @property
    def shutdown(self) -> str:
        """Stop, Terminate or nothing."""
        return str(self.spec.get("shutdown") or "")

    @property
    def is_stopped(self) -> bool:
        """Whether nothing new starts any more. An exit handler runs after a stop too."""
        if self.is_exiting:
            return self.shutdown == "Terminate"
        return bool(self.shutdown) or self.is_late

    @property
    def halt_message(self) -> str:
        """Why a node that never had a pod is given up."""
        if self.shutdown:
            return f"workflow shutdown with strategy: {self.shutdown}"
        return names.DEADLINE

    @property
    def values(self) -> dict[str, str]:
        """The values that every template knows."""
        known = {
            "workflow.name": self.name,
            "workflow.namespace": self.namespace,
            "workflow.uid": str(self.workflow["metadata"].get("uid", "")),
            "workflow.status": str(self.status.get("phase") or "Running"),
        }
        arguments = parameters(self.spec.get("arguments"))
        return known | {f"workflow.parameters.{name}": value for name, value in arguments.items()}

    # Nodes

    def get(self, name: str) -> Obj | None:
        """The node of a name."""
        return self.nodes.get(names.node_id(self.name, name))

    def add(self, call: Call, sort: str, phase: str, message: str = "") -> Obj:
        """A new node; a finished one has its end at once."""
        ident = names.node_id(self.name, call.name)
        node: Obj = {
            "id": ident,
            "name": call.name,
            "displayName": call.display,
            "type": sort,
            "templateName": call.template,
            "templateScope": f"local/{self.name}",
            "phase": phase,
            "startedAt": names.stamp(self.now),
        }
        if call.boundary:
            node["boundaryID"] = call.boundary
        if call.attempt is not None:
            node["nodeFlag"] = {"retried": True}
        elif call.hooked:
            node["nodeFlag"] = {"hooked": True}
        if sort == "Pod":
            node["progress"] = "0/1"
        self.nodes[ident] = node
        if phase in names.FINISHED:
            self.finish(node, phase, message)
        elif message:
            node["message"] = message
        return node

    def finish(self, node: Obj, phase: str, message: str = "") -> Obj:
        """The end of a node."""
        node["phase"] = phase
        node["finishedAt"] = names.stamp(self.now)
        node.pop("message", None)
        node.pop("synchronizationStatus", None)
        if message:
            node["message"] = message
        if phase == "Succeeded" and node["type"] == "Pod":
            node["progress"] = "1/1"
        return node

    def link(self, parent: Obj, child: Obj) -> None:
        """Children form a graph: a node may have several parents."""
        children = parent.setdefault("children", [])
        if child["id"] and child["id"] not in children:
            children.append(child["id"])

    def children(self, name: str) -> list[Obj]:
        """The attempts of a Retry node, in order."""
        attempts: list[Obj] = []
        while (node := self.get(f"{name}({len(attempts)})")) is not None:
            attempts.append(node)
        return attempts

    def active_pods(self, boundary: str | None = None) -> int:
        """Pods that have not finished, of the run or of one template's direct children."""
        return sum(
            node["type"] == "Pod"
            and node["phase"] in ("Pending", "Running")
            and "synchronizationStatus" not in node
            and (boundary is None or node.get("boundaryID") == boundary)
            for node in self.nodes.values()
        )

    def has_room(self, call: Call) -> bool:
        """Whether `parallelism` lets another pod in; a wait for it leaves no trace."""
        most = self.spec.get("parallelism")
        if most and self.active_pods() >= int(most):
            return False
        parent = self.nodes.get(call.boundary)
        template = self.templates.get(parent["templateName"]) if parent else None
        most = template.get("parallelism") if template else None
        return not most or self.active_pods(call.boundary) < int(most)


def is_done(node: Obj | None) -> bool:
    """Whether a node has finished."""
    return node is not None and node["phase"] in names.FINISHED
