"""An independent count of what a quota counts: its own number can freeze or ratchet. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from console.unstructured import mapping, mappings
from quotas.enforcement.adapters.kubernetes.fields import base, resource_unit
from quotas.enforcement.adapters.kubernetes.items import Item, plain, spec_of, status_of
from quotas.plans.contracts import Scope, Unit

_OPERATORS: Final = frozenset({"In", "NotIn", "Exists", "DoesNotExist"})
_SIDES: Final = ("requests", "limits")
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
    if "Pod" not in counted or not all(map(_is_known, scopes)):
        return None
    pods = [pod for pod in counted["Pod"] if all(_matches(pod, scope) for scope in scopes)]
    if kind == "Pod":
        return len(pods)
    live = [pod for pod in pods if status_of(pod).get("phase") not in ("Succeeded", "Failed")]
    if resource == "pods":
        return len(live)
    return _sum(live, resource)


def _sum(pods: Iterable[Item], resource: str) -> int | None:
    side, _, name = resource.partition(".")
    unit = resource_unit(resource)
    if side not in _SIDES or name == "storage" or unit is None:
        return None
    return sum(_pod(spec_of(pod), side, name, unit) for pod in pods)


def _pod(spec: Item, side: str, name: str, unit: Unit) -> int:
    """What the quota charges for one pod: containers and sidecars together, or the largest moment
    of its start if that is more, and what its runtime costs."""

    def amount(holder: Item) -> int:
        return _amount(_resources(holder, side).get(name), unit)

    sidecars = peak = 0
    for container in mappings(spec.get("initContainers")):
        if container.get("restartPolicy") == "Always":
            sidecars += amount(container)
            peak = max(peak, sidecars)
        else:
            peak = max(peak, sidecars + amount(container))
    total = max(
        peak, sidecars + sum(amount(container) for container in mappings(spec.get("containers")))
    )
    if name in _resources(spec, side):
        total = amount(spec)  # pod-level resources count instead of the containers' own
    return total + _amount(mapping(spec.get("overhead")).get(name), unit)


def _resources(holder: Item, side: str) -> dict[str, Any]:
    return mapping(mapping(holder.get("resources")).get(side))


def _amount(value: object, unit: Unit) -> int:
    return 0 if value is None else base(plain(value), unit) or 0


def _best_effort(pod: Item) -> bool:
    spec = spec_of(pod)
    holders = (spec, *mappings(spec.get("containers")), *mappings(spec.get("initContainers")))
    return not any(_resources(holder, side) for holder in holders for side in _SIDES)


def _has_deadline(pod: Item) -> bool:
    return spec_of(pod).get("activeDeadlineSeconds") is not None


_MATCHES: Final[Mapping[str, Callable[[Item], bool]]] = {
    "Terminating": _has_deadline,
    "NotTerminating": lambda pod: not _has_deadline(pod),
    "BestEffort": _best_effort,
    "NotBestEffort": lambda pod: not _best_effort(pod),
    "PriorityClass": lambda pod: bool(spec_of(pod).get("priorityClassName")),
}


def _is_known(scope: Scope) -> bool:
    return scope.name in _MATCHES and scope.operator in _OPERATORS


def _matches(pod: Item, scope: Scope) -> bool:
    name = plain(spec_of(pod).get("priorityClassName"))
    match scope.operator:
        case "In":
            return name in scope.values
        case "NotIn":
            return name not in scope.values
        case "DoesNotExist":
            return not _MATCHES[scope.name](pod)
        case _:
            return _MATCHES[scope.name](pod)
