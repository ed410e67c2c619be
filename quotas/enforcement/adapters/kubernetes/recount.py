"""An independent count of what a quota counts: its own number can freeze or ratchet. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from quotas.enforcement.adapters.kubernetes.fields import base, resource_unit
from quotas.plans.contracts import Scope, Unit

Item = Mapping[str, Any]
COUNTED: Final = {
    "count/pods": "Pod",
    "count/jobs.batch": "Job",
    "count/configmaps": "ConfigMap",
    "configmaps": "ConfigMap",
    "resourcequotas": "ResourceQuota",
    "count/resourcequotas": "ResourceQuota",
    "count/workflows.argoproj.io": "Workflow",
}
"""What is counted by the object: name in a quota to kind."""


def recount(
    counted: Mapping[str, Iterable[Item]], resource: str, scopes: tuple[Scope, ...]
) -> int | None:
    """The use of one resource, in base units, of the objects in `counted` (by kind).

    None when those objects were not listed, or the scope is not one that pods show by themselves.
    """
    kind = COUNTED.get(resource)
    if kind is not None and kind != "Pod":
        return None if scopes or kind not in counted else len(tuple(counted[kind]))
    if "Pod" not in counted or any(scope.name not in _MATCHES for scope in scopes):
        return None
    pods = [pod for pod in counted["Pod"] if all(_matches(pod, scope) for scope in scopes)]
    if kind == "Pod":
        return len(pods)
    live = [
        pod for pod in pods if pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")
    ]
    if resource == "pods":
        return len(live)
    return _sum(live, resource)


def _sum(pods: Iterable[Item], resource: str) -> int | None:
    side, _, name = resource.partition(".")
    unit = resource_unit(resource)
    if side not in ("requests", "limits") or name == "storage" or unit is None:
        return None
    return sum(_pod(pod["spec"], side, name, unit) for pod in pods)


def _pod(spec: Item, side: str, name: str, unit: Unit) -> int:
    """What the quota charges for one pod: containers and sidecars together, or the largest moment
    of its start if that is more, and what its runtime costs."""

    def amount(holder: Item) -> int:
        text = ((holder.get("resources") or {}).get(side) or {}).get(name)
        return 0 if text is None else base(str(text), unit) or 0

    sidecars = peak = 0
    for container in spec.get("initContainers") or ():
        if container.get("restartPolicy") == "Always":
            sidecars += amount(container)
            peak = max(peak, sidecars)
        else:
            peak = max(peak, sidecars + amount(container))
    total = max(
        peak, sidecars + sum(amount(container) for container in spec.get("containers") or ())
    )
    if name in ((spec.get("resources") or {}).get(side) or {}):
        total = amount(spec)  # pod-level resources count instead of the containers' own
    overhead = (spec.get("overhead") or {}).get(name)
    return total + (base(str(overhead), unit) or 0 if overhead is not None else 0)


def _best_effort(pod: Item) -> bool:
    holders = (*(pod["spec"].get("containers") or ()), *(pod["spec"].get("initContainers") or ()))
    return not any((holder.get("resources") or {}).get(side) for holder in (pod["spec"], *holders)
                   for side in ("requests", "limits"))  # fmt: skip


def _has_deadline(pod: Item) -> bool:
    return pod["spec"].get("activeDeadlineSeconds") is not None


_MATCHES: Final[Mapping[str, Callable[[Item], bool]]] = {
    "Terminating": _has_deadline,
    "NotTerminating": lambda pod: not _has_deadline(pod),
    "BestEffort": _best_effort,
    "NotBestEffort": lambda pod: not _best_effort(pod),
    "PriorityClass": lambda pod: bool(pod["spec"].get("priorityClassName")),
}


def _matches(pod: Item, scope: Scope) -> bool:
    name = pod["spec"].get("priorityClassName", "")
    match scope.operator:
        case "In":
            return name in scope.values
        case "NotIn":
            return name not in scope.values
        case "DoesNotExist":
            return not _MATCHES[scope.name](pod)
        case _:
            return _MATCHES[scope.name](pod)
