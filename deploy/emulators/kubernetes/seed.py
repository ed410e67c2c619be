"""What a cluster has before anyone uses it."""

from deploy.emulators.kubernetes.access import built_in_roles
from deploy.emulators.kubernetes.bodies import Target
from deploy.emulators.kubernetes.kinds import (
    CLUSTER_ROLE,
    NAMESPACE,
    NODE,
    PRIORITY_CLASS,
    Obj,
)
from deploy.emulators.kubernetes.resources import Resources

_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
_PRIORITIES = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}


def plant(resources: Resources, nodes: dict[str, dict[str, str]]) -> None:
    """Create the namespaces, roles, priority classes and the given nodes (name: allocatable)."""
    for name in _NAMESPACES:
        resources.create(Target(NAMESPACE, ""), {"metadata": {"name": name}})
    for role in built_in_roles():
        resources.create(Target(CLUSTER_ROLE, ""), role)
    for name, value in _PRIORITIES.items():
        resources.create(Target(PRIORITY_CLASS, ""), {"metadata": {"name": name}, "value": value})
    for name, allocatable in nodes.items():
        ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
        status: Obj = {"allocatable": allocatable, "capacity": dict(allocatable)}
        status["conditions"] = [ready]
        made = resources.create(Target(NODE, ""), {"metadata": {"name": name}})
        body = {**made, "status": status}
        resources.replace(Target(NODE, "", name, "status"), body)
