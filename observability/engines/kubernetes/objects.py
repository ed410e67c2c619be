"""What every reader of Jobs and pods needs of them: spec, status, phase, conditions. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from console.unstructured import mapping, mappings, moment
from observability.engines.unstructured import Object, text


def spec_of(item: Object) -> dict[str, Any]:
    """The spec of an object."""
    return mapping(item.get("spec"))


def status_of(item: Object) -> dict[str, Any]:
    """The status of an object."""
    return mapping(item.get("status"))


def phase_of(pod: Object) -> str:
    """Pending, Running, Succeeded, Failed, Unknown."""
    return text(status_of(pod).get("phase"), 20)


def has_ended(pod: Object) -> bool:
    """Whether all containers of a pod have ended for good."""
    return phase_of(pod) in ("Succeeded", "Failed")


def condition_of(item: Object, kind: str) -> dict[str, Any]:
    """A condition by its type; empty when there is none."""
    for condition in mappings(status_of(item).get("conditions")):
        if condition.get("type") == kind:
            return condition
    return {}


def true_since(item: Object, kind: str) -> datetime | None:
    """Since when a condition is true; None when it is not, or does not say since when."""
    condition = condition_of(item, kind)
    return (
        moment(condition.get("lastTransitionTime")) if condition.get("status") == "True" else None
    )


def is_true(item: Object, kind: str) -> bool:
    """Whether a condition is true."""
    return condition_of(item, kind).get("status") == "True"


def node_of(pod: Object) -> str:
    """The node that a pod was given; empty before that."""
    return text(spec_of(pod).get("nodeName"), 255)
