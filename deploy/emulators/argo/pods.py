"""Pods of nodes: how they are made, and what their end says about their node."""

from datetime import datetime, timedelta
from typing import Any, Final

from deploy.emulators.argo import names
from deploy.emulators.argo.names import Obj
from deploy.emulators.argo.run import (
    Call,
    PodCreation,
    Run,
    is_done,
)

RECENTLY: Final = timedelta(seconds=10)
"""So long a pod may be missing before its node is an error."""
_WAITING: Final = ("ImagePullBackOff", "ErrImagePull")


def execute(run: Run, call: Call, body: Obj) -> Obj | None:
    """The Pod node of a call; None while `parallelism` has no room for it."""
    node = run.get(call.name)
    if node is not None and (node["id"] in run.pods or not _has_no_pod(node)):
        return node
    if node is None and not run.has_room(call):
        return None
    made = run.effects.create_pod(_manifest(run, call, body))
    if node is None:
        node = run.add(call, "Pod", "Pending")
    if made.refused and not made.waits:
        return run.finish(node, "Error", made.refused)
    _note(node, made)
    return node


def _has_no_pod(node: Obj) -> bool:
    """A pending node with a message was refused its pod, or waited for a lock."""
    return node["phase"] == "Pending" and bool(node.get("message"))


def _note(node: Obj, made: PodCreation) -> None:
    node.pop("synchronizationStatus", None)
    node.pop("message", None)
    if made.refused:
        node["message"] = made.refused


def _manifest(run: Run, call: Call, body: Obj) -> Obj:
    own = run.workflow["metadata"]
    metadata = body.get("metadata") or {}
    shared = run.spec.get("podMetadata") or {}
    container = body.get("container") or body.get("script") or {}
    kept = {
        key: container[key] for key in ("image", "resources", "env", "command") if key in container
    }
    spec: Obj = {"restartPolicy": "Never", "containers": [{"name": "main", **kept}]}
    if "priorityClassName" in body:
        spec["priorityClassName"] = body["priorityClassName"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": names.pod_name(run.name, call.name, call.template),
            "namespace": run.namespace,
            "labels": {
                **(shared.get("labels") or {}),
                **(metadata.get("labels") or {}),
                names.WORKFLOW: run.name,
                names.COMPLETED: "false",
                names.EMULATED: "true",
            },
            "annotations": {
                **(shared.get("annotations") or {}),
                **_simulated(metadata.get("annotations") or {}, call.attempt or 0),
                names.NODE_NAME: call.name,
                names.NODE_ID: names.node_id(run.name, call.name),
            },
            "ownerReferences": [
                {
                    "apiVersion": "argoproj.io/v1alpha1",
                    "kind": "Workflow",
                    "name": run.name,
                    "uid": own["uid"],
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": spec,
    }


def _simulated(annotations: dict[str, str], attempt: int) -> dict[str, str]:
    """How a simulated node plays the pod; the first attempts may be told to fail."""
    if attempt < int(annotations.get(names.FAILS_FIRST, 0)):
        return {**annotations, "headroom.dev/ends": "error"}
    return annotations


# -- what a pod says of its node -------------------------------------------------------------------


def update_nodes(run: Run) -> None:
    """Brings every Pod node to what its pod says."""
    for node in run.nodes.values():
        if node["type"] != "Pod" or is_done(node):
            continue
        pod = run.pods.get(node["id"])
        if pod is not None:
            _follow(run, node, pod)
        elif not _has_no_pod(node):
            _miss(run, node)
        _watch_time(run, node)


def _miss(run: Run, node: Obj) -> None:
    started = names.moment(node["startedAt"])
    if started is not None and run.now - started > RECENTLY:
        run.finish(node, "Error", names.POD_DELETED)


def _follow(run: Run, node: Obj, pod: Obj) -> None:
    status = pod.get("status") or {}
    phase = status.get("phase")
    if host := pod["spec"].get("nodeName"):
        node["hostNodeName"] = host
    if phase in ("Succeeded", "Failed"):
        _end(run, node, pod)
    elif phase == "Running":
        node["phase"] = "Running"
        node.pop("message", None)
        if status.get("podIP"):
            node["podIP"] = status["podIP"]
    elif why := _why_pending(status):
        node["message"] = why


def _why_pending(status: Obj) -> str:
    for container in status.get("containerStatuses") or ():
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in _WAITING:
            return f"{waiting['reason']}: {waiting.get('message', '')}"
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "Unschedulable":
            return f"Unschedulable: {condition.get('message', '')}"
    return ""


def _end(run: Run, node: Obj, pod: Obj) -> None:
    status = pod["status"]
    main: Obj = next(iter(status.get("containerStatuses") or ()), {})
    ended = (main.get("state") or {}).get("terminated") or {}
    code = int(ended.get("exitCode", 0 if status["phase"] == "Succeeded" else 1))
    run.finish(node, status["phase"], _failure(status, ended, code))
    node["finishedAt"] = ended.get("finishedAt") or node["finishedAt"]
    node["outputs"] = {"exitCode": str(code)}
    node["resourcesDuration"] = _used(pod, ended)


def _failure(status: Obj, ended: Obj, code: int) -> str:
    if status["phase"] == "Succeeded":
        return ""
    if status.get("message"):
        return str(status["message"])  # the kubelet's own words, such as an eviction's
    text = f"main: {ended.get('reason') or 'Error'} (exit code {code})"
    return f"{text}: {ended['message']}" if ended.get("message") else text


def _used(pod: Obj, ended: Obj) -> dict[str, int]:
    """Whole seconds × amount ÷ base (1 core, 100 MiB), floored, as Argo estimates it."""
    began, over = names.moment(ended.get("startedAt")), names.moment(ended.get("finishedAt"))
    lasted = (over - began).total_seconds() if began and over else 0.0
    resources = pod["spec"]["containers"][0].get("resources") or {}
    amounts = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    cores = _amount(amounts.get("cpu", "100m"))
    memory = _amount(amounts.get("memory", "100Mi")) / (100 * 2**20)
    return {"cpu": int(lasted * cores), "memory": int(lasted * memory)}


def _amount(text: Any) -> float:
    units = {"m": 1e-3, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "K": 1e3, "M": 1e6, "G": 1e9}
    written = str(text)
    for unit, size in units.items():
        if written.endswith(unit):
            return float(written.removesuffix(unit)) * size
    return float(written)


def _watch_time(run: Run, node: Obj) -> None:
    """A template's `timeout` counts from the node's start, waiting included; its
    `activeDeadlineSeconds` is the pod's own deadline, which no simulated node keeps."""
    template = run.templates.get(node["templateName"]) or {}
    limits = (("timeout", names.TIMEOUT), ("activeDeadlineSeconds", names.POD_DEADLINE))
    for field, message in limits:
        if field in template and not is_done(node) and _is_over(run.now, node, template[field]):
            give_up(run, node, message)


def _is_over(now: datetime, node: Obj, allowed: Any) -> bool:
    started = names.moment(node["startedAt"])
    return started is not None and (now - started).total_seconds() > names.seconds(allowed)


def give_up(run: Run, node: Obj, message: str) -> None:
    """Fails a Pod node, and its pod goes."""
    pod = run.pods.get(node["id"])
    if pod is not None:
        run.effects.delete_pod(run.namespace, pod["metadata"]["name"])
    run.finish(node, "Failed", message)
