"""Objects as the API server answered them, taken apart by readers that raise on nothing. Pure.

What stands in a tenant's namespace was written by the tenant: a list may be a text, a name a
number. What is not what it should be counts as absent, and `unreadable` says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from console.shapes import MOMENT, TEXT, WHOLE, Each, Fields, Shape, Values, misfits
from console.unstructured import mapping, mappings, moment, sequence, text
from tenants.contracts import Unreadable

Item = Mapping[str, Any]

LONGEST_NAME: Final = 253
LONGEST_TEXT: Final = 1000
_SHORT: Final = 100
_MOST_FINALIZERS: Final = 5
_HOLDING: Final = frozenset(
    {"NamespaceContentRemaining", "NamespaceFinalizersRemaining", "NamespaceDeletionContentFailure",
     "NamespaceDeletionDiscoveryFailure", "NamespaceDeletionGroupVersionParsingFailure"}
)  # fmt: skip
"""Conditions that say why a namespace is still there."""
NAMELESS: Final = "it has no name"

_METADATA: Final = Fields(
    name=TEXT,
    namespace=TEXT,
    uid=TEXT,
    labels=Values(TEXT),
    annotations=Values(TEXT),
    managedFields=Each(Fields(manager=TEXT, operation=TEXT, time=MOMENT, subresource=TEXT)),
)
_HARD: Final = Values(TEXT)
_RULE: Final = Each(Fields({"from": Each(Fields()), "to": Each(Fields()), "ports": Each(Fields())}))
_SHAPES: Final[Mapping[str, Shape]] = {
    "Namespace": Fields(metadata=_METADATA),
    "ConfigMap": Fields(metadata=_METADATA, data=Values(TEXT)),
    "ResourceQuota": Fields(
        metadata=_METADATA,
        spec=Fields(
            hard=_HARD,
            scopes=Each(TEXT),
            scopeSelector=Fields(
                matchExpressions=Each(Fields(scopeName=TEXT, operator=TEXT, values=Each(TEXT)))
            ),
        ),
        status=Fields(hard=_HARD, used=_HARD),
    ),
    "LimitRange": Fields(
        metadata=_METADATA,
        spec=Fields(
            limits=Each(
                Fields(
                    {"default": _HARD, "max": _HARD, "min": _HARD},
                    type=TEXT,
                    defaultRequest=_HARD,
                    maxLimitRequestRatio=_HARD,
                )
            )
        ),
    ),
    "NetworkPolicy": Fields(
        metadata=_METADATA,
        spec=Fields(podSelector=Fields(), policyTypes=Each(TEXT), ingress=_RULE, egress=_RULE),
    ),
    "RoleBinding": Fields(
        metadata=_METADATA,
        roleRef=Fields(kind=TEXT, name=TEXT),
        subjects=Each(Fields(kind=TEXT, name=TEXT, namespace=TEXT)),
    ),
}
_RESOURCES: Final = Fields(requests=_HARD, limits=_HARD)
_CONTAINERS: Final = Each(Fields(resources=_RESOURCES, restartPolicy=TEXT))
_POD: Final = Fields(
    metadata=Fields(name=TEXT, namespace=TEXT),
    spec=Fields(
        containers=_CONTAINERS,
        initContainers=_CONTAINERS,
        resources=_RESOURCES,
        overhead=_HARD,
        activeDeadlineSeconds=WHOLE,
        priorityClassName=TEXT,
    ),
    status=Fields(phase=TEXT),
)


def unreadable(kind: str, item: object, shape: Shape | None = None) -> Unreadable | None:
    """What of an object cannot be read; None when all that is looked at can."""
    wanted = shape or _SHAPES.get(kind, _POD if kind == "Pod" else Fields())
    problem = misfits(item, wanted)
    name = name_of(mapping(item))
    if not problem and name:
        return None
    place = namespace_of(mapping(item)) or (name if kind == "Namespace" else "")
    return Unreadable(kind, place, name, problem or NAMELESS)


def all_unreadable(kind: str, items: Iterable[object]) -> list[Unreadable]:
    """What cannot be read among objects of a kind."""
    return [problem for item in items if (problem := unreadable(kind, item)) is not None]


def metadata_of(item: Item) -> dict[str, Any]:
    """The metadata of an object."""
    return mapping(item.get("metadata"))


def name_of(item: Item) -> str:
    """The name of an object."""
    return text(metadata_of(item).get("name"), LONGEST_NAME)


def namespace_of(item: Item) -> str:
    """The namespace of an object; empty for what lies in none."""
    return text(metadata_of(item).get("namespace"), LONGEST_NAME)


def uid_of(item: Item) -> str:
    """The uid of an object."""
    return text(metadata_of(item).get("uid"), LONGEST_NAME)


def entries_of(item: Item) -> list[dict[str, Any]]:
    """The entries of an object's managedFields."""
    return mappings(metadata_of(item).get("managedFields"))


def spec_of(item: Item) -> dict[str, Any]:
    """The spec of an object."""
    return mapping(item.get("spec"))


def status_of(item: Item) -> dict[str, Any]:
    """The status of an object."""
    return mapping(item.get("status"))


def is_going(item: Item) -> bool:
    """Whether an object is being deleted: it counts as gone."""
    return metadata_of(item).get("deletionTimestamp") is not None


def going(item: Item) -> str:
    """Since when and why an object that is being deleted is still there: `is being deleted since
    2026-11-22 10:02:00 UTC: some content has finalizers remaining`."""
    asked_at = moment(metadata_of(item).get("deletionTimestamp"))
    since = f" since {asked_at:%Y-%m-%d %H:%M:%S} UTC" if asked_at else ""
    reasons = [
        text(condition.get("message"), LONGEST_TEXT)
        for condition in mappings(status_of(item).get("conditions"))
        if condition.get("status") == "True" and plain(condition.get("type")) in _HOLDING
    ]
    names = sequence(metadata_of(item).get("finalizers"))
    finalizers = [text(name, LONGEST_NAME) for name in names[:_MOST_FINALIZERS]]
    held = [f"held by {', '.join(finalizers)}"] if any(finalizers) else []
    why = "; ".join(filter(None, (*held, *reasons)))
    return f"is being deleted{since}{f': {why}' if why else ''}"


def manager_of(entry: Item) -> str:
    """Who wrote an entry of managedFields."""
    return text(entry.get("manager"), LONGEST_NAME) or "unknown"


def written_at(entry: Item) -> datetime | None:
    """When an entry of managedFields was written."""
    return moment(entry.get("time"))


# A sweep reads the same few names and amounts a hundred thousand times.
@lru_cache(maxsize=8192)
def _short(value: str) -> str:
    return text(value, _SHORT)


def plain(value: object) -> str:
    """A value of a field as text, whatever it is: what is no text is named by its type."""
    if isinstance(value, str):
        return _short(value) if len(value) <= _SHORT else text(value, LONGEST_TEXT)
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, int) and abs(value) < 2**63:
        return str(value)
    return f"({type(value).__name__})"
