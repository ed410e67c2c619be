"""What the Argo server does to a workflow: retry, resubmit, resume and the rest. Pure."""

import copy
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from deploy.emulators.argo import names
from deploy.emulators.argo.names import Obj

ARCHIVING: Final = f"{names.PREFIX}workflow-archiving-status"
FROM: Final = f"{names.PREFIX}resubmitted-from-workflow"
ACTOR: Final = "headroom-emulated-argo-server"
"""In Argo's `server` mode its labels name the server's own account: nobody else is known here."""
_DOES: Final = frozenset({"Pod", "Container", "HTTP", "Plugin", "Suspend", "Skipped"})
"""Types of nodes that are done again; the others only hold these together."""
_REDONE: Final = frozenset({"Failed", "Error", "Omitted"})
_SELECTORS: Final = ("id", "name", "displayName", "templateName", "phase")
_OF_ONE_RUN: Final = frozenset({
    names.PHASE, names.COMPLETED, ARCHIVING,
    *(f"{names.PREFIX}{label}"
      for label in ("creator", "creator-email", "creator-preferred-username")),
})  # fmt: skip
_SUFFIX: Final = "bcdfghjklmnpqrstvwxz2456789"


class NotPossibleError(Exception):
    """Argo would not do it; the text says why."""


def is_over(workflow: Obj) -> bool:
    """Whether the controller is done with it."""
    return (workflow["metadata"].get("labels") or {}).get(names.COMPLETED) == "true"


# -- retry -----------------------------------------------------------------------------------------


def retried(workflow: Obj, now: datetime) -> tuple[Obj, list[str]]:
    """The same object ready to run again, and the pods that go. What failed, what followed it and
    the exit handler are forgotten; the `phase` label stays as it was."""
    _require_failed(workflow, "retry")
    made = copy.deepcopy(workflow)
    labels = made["metadata"].setdefault("labels", {})
    for name in (names.COMPLETED, ARCHIVING):
        labels.pop(name, None)
    _signed(made, "Retry")
    made["spec"].pop("shutdown", None)
    status = made["status"]
    nodes, gone = _without_failed(made["metadata"]["name"], status.get("nodes") or {}, now)
    for name in ("finishedAt", "message", "resourcesDuration", "synchronization"):
        status.pop(name, None)
    status |= {
        "phase": "",
        "startedAt": names.stamp(now),
        "nodes": nodes,
        "conditions": [{"type": "Completed", "status": "False"}],
    }
    own = made["metadata"]["name"]
    pods = [node for node in gone if node["type"] == "Pod"]
    return made, [names.pod_name(own, node["name"], node["templateName"]) for node in pods]


def _without_failed(
    workflow: str, nodes: Mapping[str, Obj], now: datetime
) -> tuple[dict[str, Obj], list[Obj]]:
    """The nodes that stay, their parents running again, and those that go."""
    gone = _below(nodes, [ident for ident, node in nodes.items() if _is_redone(nodes, node)])
    gone |= {
        ident for ident, node in nodes.items() if node["name"].startswith(f"{workflow}.onExit")
    }
    kept = {ident: node for ident, node in nodes.items() if ident not in gone}
    again = _above(kept, gone, nodes)
    for ident, node in kept.items():
        if "children" in node:
            node["children"] = [child for child in node["children"] if child not in gone]
        if ident in again or node["phase"] in names.BAD:
            node |= {"phase": "Running", "startedAt": names.stamp(now)}
            node.pop("finishedAt", None)
            node.pop("message", None)
    return kept, [nodes[ident] for ident in gone]


def _is_redone(nodes: Mapping[str, Obj], node: Obj) -> bool:
    """Whether a node failed; not an attempt before one that came good."""
    if node["type"] not in _DOES or node["phase"] not in _REDONE:
        return False
    return not any(
        parent["type"] == "Retry"
        and parent["phase"] == "Succeeded"
        and node["id"] in (parent.get("children") or ())
        for parent in nodes.values()
    )


def _below(nodes: Mapping[str, Obj], start: list[str]) -> set[str]:
    """These nodes and all that came after them."""
    descendants: set[str] = set()
    rest = list(start)
    while rest:
        ident = rest.pop()
        if ident in descendants or ident not in nodes:
            continue
        descendants.add(ident)
        rest += nodes[ident].get("children") or ()
    return descendants


def _above(kept: Mapping[str, Obj], gone: set[str], nodes: Mapping[str, Obj]) -> set[str]:
    """The nodes that hold together what goes, and those that hold these."""
    ancestors: set[str] = set()
    rest = list(gone)
    while rest:
        ident = rest.pop()
        parents = {nodes[ident].get("boundaryID", "")}
        parents |= {
            parent["id"]
            for parent in kept.values()
            if ident in (parent.get("children") or ()) and parent["type"] not in _DOES
        }
        fresh = (parents & kept.keys()) - ancestors
        ancestors |= fresh
        rest += fresh
    return ancestors


# -- resubmit --------------------------------------------------------------------------------------


def resubmitted(workflow: Obj, now: datetime, *, memoized: bool = False) -> Obj:
    """A new object like this one; memoized, it takes over what was good."""
    if not is_over(workflow):
        raise NotPossibleError("workflow must be completed to resubmit")
    if memoized:
        _require_failed(workflow, "resubmit in memoized mode")
    old = workflow["metadata"]
    suffix = "".join(secrets.choice(_SUFFIX) for _ in range(5))
    labels = {k: v for k, v in (old.get("labels") or {}).items() if k not in _OF_ONE_RUN}
    metadata: Obj = {
        "name": f"{str(old.get('generateName') or old['name'] + '-')[:58]}{suffix}",
        "namespace": old["namespace"],
        "labels": {**labels, FROM: str(old["name"])[-63:]},
        "annotations": dict(old.get("annotations") or {}),
    }
    if old.get("generateName"):
        metadata["generateName"] = old["generateName"]
    if old.get("ownerReferences"):
        metadata["ownerReferences"] = old["ownerReferences"]
    made: Obj = {
        "apiVersion": workflow["apiVersion"],
        "kind": "Workflow",
        "metadata": metadata,
        "spec": {k: v for k, v in workflow["spec"].items() if k != "shutdown"},
    }
    if memoized:
        kept, _ = retried(workflow, now)
        nodes = kept["status"]["nodes"]
        made["status"] = {"nodes": _renamed(nodes, old["name"], metadata["name"], now)}
    return made


def _renamed(nodes: Mapping[str, Obj], old: str, new: str, now: datetime) -> dict[str, Obj]:
    """The nodes of one workflow as another's; good pods are not run again."""

    def name_of(node: Obj) -> str:
        return new + str(node["name"]).removeprefix(old)

    ids = {ident: names.node_id(new, name_of(node)) for ident, node in nodes.items()}
    renamed = {}
    for ident, node in nodes.items():
        made = {**node, "id": ids[ident], "name": name_of(node), "startedAt": names.stamp(now)}
        if "boundaryID" in node:
            made["boundaryID"] = ids.get(node["boundaryID"], "")
        if "children" in node:
            made["children"] = [ids[child] for child in node["children"] if child in ids]
        if node["type"] == "Pod":
            made |= {"type": "Skipped", "phase": "Skipped", "message": f"original pod: {ident}"}
        renamed[ids[ident]] = made
    return renamed


# -- the rest --------------------------------------------------------------------------------------


def resumed(workflow: Obj, now: datetime, selector: str = "") -> Obj:
    """Goes on: as a whole and at every step that waits, or at the steps selected."""
    _require_open(workflow, "resume")
    made = copy.deepcopy(workflow)
    wanted = _selected(selector)
    waiting = [
        node
        for node in ((made.get("status") or {}).get("nodes") or {}).values()
        if node["type"] == "Suspend" and node["phase"] == "Running" and wanted(node)
    ]
    if selector and not waiting:
        raise NotPossibleError(
            "currently, set only targets suspend nodes: no suspend nodes matching"
            f" nodeFieldSelector: {selector}"
        )
    for node in waiting:
        node |= {
            "phase": "Succeeded",
            "finishedAt": names.stamp(now),
            "message": f"Resumed by: {ACTOR}",
        }
    if not selector:
        made["spec"].pop("suspend", None)
    return _signed(made, "Resume")


def suspended(workflow: Obj) -> Obj:
    """No new step starts."""
    _require_open(workflow, "suspend")
    made = copy.deepcopy(workflow)
    made["spec"]["suspend"] = True
    return _signed(made, "Suspend")


def shut_down(workflow: Obj, strategy: str) -> Obj:
    """`Stop` or `Terminate`."""
    _require_open(workflow, "shut down")
    made = copy.deepcopy(workflow)
    made["spec"]["shutdown"] = strategy
    return _signed(made, strategy)


def _selected(selector: str) -> Callable[[Obj], bool]:
    wanted = {}
    for part in filter(None, selector.split(",")):
        field, sign, value = part.partition("=")
        if not sign or field.strip() not in _SELECTORS:
            raise NotPossibleError(f"unable to parse node field selector '{selector}'")
        wanted[field.strip()] = value.strip().removeprefix("=")

    def fits(node: Mapping[str, Any]) -> bool:
        return all(str(node.get(field, "")) == value for field, value in wanted.items())

    return fits


def _require_failed(workflow: Obj, what: str) -> None:
    phase = (workflow.get("status") or {}).get("phase")
    if not is_over(workflow) or phase not in names.BAD:
        raise NotPossibleError(f"workflow must be Failed/Error to {what}")


def _require_open(workflow: Obj, what: str) -> None:
    if is_over(workflow):
        raise NotPossibleError(f"cannot {what} a completed workflow")


def _signed(made: Obj, action: str) -> Obj:
    labels = made["metadata"].setdefault("labels", {})
    labels |= {f"{names.PREFIX}actor": ACTOR, f"{names.PREFIX}action": action}
    return made
