"""What actions write on Workflows: who acted, and a new Workflow like an old one. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from console.unstructured import mapping
from observability.engines.unstructured import (
    annotations_of,
    labels_of,
    metadata_of,
    name_of,
    namespace_of,
    notes_of,
    owners_of,
    text,
)
from observability.engines.verbs import ActionRequest

_ARGO: Final = "workflows.argoproj.io/"
_LONGEST: Final = 63
# What belongs to one run of a workflow and not to the next (Argo's own list).
_NOT_COPIED: Final = frozenset(
    f"{_ARGO}{name}"
    for name in (
        "phase", "completed", "workflow-archiving-status", "creator", "creator-email",
        "creator-preferred-username", "actor", "actor-email", "actor-preferred-username", "action",
    )
)  # fmt: skip
_STRANGE: Final = re.compile(r"[^A-Za-z0-9_.-]")
_SUFFIX: Final = 5
_LONGEST_NAME: Final = 253


def label_safe(text: str) -> str:
    """`text` as a label's value, the way Argo writes users: `@` is `.at.`, else `-`, the last 63
    characters, beginning and ending with a letter or digit."""
    value = _STRANGE.sub("-", text.replace("@", ".at."))[-_LONGEST:]
    return value.strip("-_.")


def actor_labels(request: ActionRequest, action: str) -> dict[str, str]:
    """Argo's labels of whoever acted last."""
    labels = {f"{_ARGO}actor": label_safe(request.operator), f"{_ARGO}action": action}
    if request.email:
        labels[f"{_ARGO}actor-email"] = label_safe(request.email)
    return labels


def actor_patch(request: ActionRequest, action: str) -> dict[str, str | None]:
    """The same as a merge patch: what was said of whoever acted before goes."""
    gone = dict.fromkeys((f"{_ARGO}actor-email", f"{_ARGO}actor-preferred-username"))
    return {**gone, **actor_labels(request, action)}


def resubmitted(workflow: Mapping[str, Any], request: ActionRequest) -> dict[str, Any]:
    """A new Workflow like this one, named after it and the request: a second try is seen. What of
    the old one cannot be read is not copied."""
    old, name_before = metadata_of(workflow), name_of(workflow)
    base = text(old.get("generateName"), _LONGEST_NAME) or f"{name_before}-"
    suffix = request.id.replace("-", "")[:_SUFFIX].lower()
    labels = {name: value for name, value in labels_of(workflow).items() if name not in _NOT_COPIED}
    spec = {
        name: value for name, value in mapping(workflow.get("spec")).items() if name != "shutdown"
    }
    metadata: dict[str, Any] = {
        "name": f"{base[: _LONGEST_NAME - _SUFFIX]}{suffix}",
        "namespace": namespace_of(workflow),
        "labels": {
            **labels,
            **actor_labels(request, "Resubmit"),
            f"{_ARGO}resubmitted-from-workflow": label_safe(name_before),
        },
        "annotations": {**annotations_of(workflow), **notes_of(request)},
    }
    if owners := owners_of(workflow):
        metadata["ownerReferences"] = owners
    return {
        "apiVersion": text(workflow.get("apiVersion"), 100),
        "kind": "Workflow",
        "metadata": metadata,
        "spec": spec,
    }
