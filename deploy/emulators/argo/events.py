"""Events about Workflows, as the real controller emits them."""

from datetime import datetime
from uuid import uuid4

from deploy.emulators.argo import names
from deploy.emulators.argo.names import Obj

COMPONENT = "workflow-controller"


def event(workflow: Obj, reason: str, message: str, now: datetime) -> Obj:
    """An Event about a workflow; our label says that no real controller wrote it."""
    own = workflow["metadata"]
    moment = names.stamp(now)
    bad = reason.endswith(("Failed", "Error"))
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{own['name']}.{uuid4().hex[:16]}",
            "namespace": own["namespace"],
            "labels": {names.EMULATED: "true"},
        },
        "involvedObject": {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Workflow",
            "name": own["name"],
            "namespace": own["namespace"],
            "uid": own["uid"],
        },
        "type": "Warning" if bad else "Normal",
        "reason": reason,
        "message": message[:1024],
        "source": {"component": COMPONENT},
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "count": 1,
    }
