"""Workflows as a real controller leaves them, one for every ending and every wait that it knows.

Two flavours: `minimal` is what a cluster with the small CRD stores (nulls and unknown fields stay),
`full` what the typed CRD leaves of it (nulls and unknown fields are pruned).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Object = dict[str, Any]
FLAVOURS = ("minimal", "full")
P = "workflows.argoproj.io/"
UID = "5b9a4b5e-7d5f-4c1c-9d53-0a1f2e3d4c5b"
CREATED, STARTED = "2026-11-22T10:00:00Z", "2026-11-22T10:00:05Z"
FINISHED = "2026-11-22T10:05:00Z"


def node(key: str, kind: str = "Pod", phase: str = "Succeeded", **more: Any) -> Object:
    """A node; finished unless its phase says otherwise."""
    over = phase not in ("Pending", "Running")
    name = "wf" if key == "wf" else f"wf.{key}"
    return {
        "id": key,
        "name": name,
        "displayName": key,
        "type": kind,
        "templateName": key.partition("(")[0],
        "templateScope": "local/wf",
        "phase": phase,
        "boundaryID": "" if key == "wf" else "wf",
        "startedAt": STARTED,
        "finishedAt": FINISHED if over else None,
        "progress": "1/1" if over else "0/1",
        **more,
    }


def nodes(*items: Object) -> dict[str, Object]:
    """Nodes by id; the first one's children are the others that have no parent."""
    known = {item["id"]: item for item in items}
    named = {child for item in items for child in item.get("children", ())}
    first = items[0]
    first.setdefault("children", [item["id"] for item in items[1:] if item["id"] not in named])
    return known


def workflow(
    phase: str,
    message: str = "",
    steps: Mapping[str, Object] | None = None,
    *,
    labels: Mapping[str, str] | None = None,
    spec: Mapping[str, Any] | None = None,
    flavour: str = "minimal",
    **status: Any,
) -> Object:
    """A Workflow with a status of this phase."""
    over = phase in ("Succeeded", "Failed", "Error")
    begun = phase not in ("", "Pending")
    manifest: Object = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {
            "name": "wf",
            "namespace": "acme",
            "uid": UID,
            "resourceVersion": "1000",
            "generation": 7,
            "creationTimestamp": CREATED,
            "labels": {
                **({f"{P}phase": phase} if phase else {}),
                f"{P}completed": "true" if over else "false",
                f"{P}creator": "system-serviceaccount-argo-deployer",
                **(labels or {}),
            },
            "annotations": {f"{P}pod-name-format": "v2"},
            "managedFields": [
                {
                    "manager": "argo",
                    "operation": "Update",
                    "time": CREATED,
                    "fieldsType": "FieldsV1",
                    "fieldsV1": {"f:spec": {}},
                },
                {
                    "manager": "workflow-controller",
                    "operation": "Update",
                    "time": FINISHED,
                    "fieldsType": "FieldsV1",
                    "fieldsV1": {"f:status": {}},
                },
            ],
        },
        "spec": {"entrypoint": "main", "templates": [{"name": "main"}], **(spec or {})},
        "status": {
            "phase": phase,
            "startedAt": STARTED if begun else None,
            "finishedAt": FINISHED if over else None,
            "message": message,
            "nodes": dict(steps or {}),
            "conditions": [{"type": "Completed", "status": "True"}] if over else [],
            "unheardOf": {"nested": [1]},
            **status,
        },
    }
    return pruned(manifest) if flavour == "full" else manifest


def pruned(content: Any) -> Any:
    """What the typed CRD stores: no nulls, nothing that it does not know."""
    if isinstance(content, dict):
        kept = {key: pruned(value) for key, value in content.items() if value is not None}
        kept.pop("unheardOf", None)
        return kept
    return [pruned(item) for item in content] if isinstance(content, list) else content


EXIT = "main: Error (exit code 1)"
OOM = "main: OOMKilled (exit code 137)"
QUOTA = (
    'pods "wf-main-1" is forbidden: exceeded quota: headroom, requested: requests.cpu=2,'
    "requests.memory=4Gi, used: requests.cpu=3,requests.memory=1Gi,"
    " limited: requests.cpu=4,requests.memory=4Gi"
)
LOCK = "acme/ConfigMap/headroom-limits/gpu"
LOCKED = f"Waiting for {LOCK} lock. Lock status: 0/2"
POSTPONED = "Workflow processing has been postponed because too many workflows are already running"


def one(phase: str, message: str, **more: Any) -> dict[str, Object]:
    """A run of one pod that ended, or waits, with a message."""
    root = node("wf", "Steps", "Running" if phase == "Pending" else phase)
    return nodes(root, node("work", "Pod", phase, message=message, **more))


def retried() -> dict[str, Object]:
    """Two attempts that failed and a third that did not."""
    children = ["work(0)", "work(1)", "work(2)"]
    flag = {"nodeFlag": {"retried": True}}
    return nodes(
        node("wf", "Retry", "Succeeded", children=children),
        node("work(0)", "Pod", "Failed", message=EXIT, outputs={"exitCode": "1"}, **flag),
        node("work(1)", "Pod", "Failed", message=OOM, outputs={"exitCode": "137"}, **flag),
        node("work(2)", "Pod", "Succeeded", outputs={"exitCode": "0"}, **flag),
    )
