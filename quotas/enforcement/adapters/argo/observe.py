"""Reading a cluster for Argo's limits: each kind once for a sweep, closer for one placement."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any, Final

from console.clients.kubernetes.client import KubernetesClient
from console.errors import ExternalError, NotFound, Refused
from quotas.enforcement.adapters.argo import names
from quotas.enforcement.adapters.argo.locks import (
    bindings,
    has_slot,
    locks_of,
    phase_of,
    unreadable_workflow,
)
from quotas.enforcement.adapters.argo.parse import PlacementContents, Running, observed
from quotas.enforcement.adapters.isolation import each_by_itself
from quotas.enforcement.adapters.kubernetes.items import (
    entries_of,
    metadata_of,
    name_of,
    namespace_of,
)
from quotas.enforcement.adapters.kubernetes.names import SELECTOR, is_ours
from quotas.enforcement.adapters.kubernetes.observe import Reading, one_by_one, unreadable_in
from quotas.enforcement.adapters.kubernetes.owners import is_manager
from quotas.enforcement.ports import ObjectRef, Observation
from tenants.contracts import PlacementRef, Unreadable

UNFINISHED: Final = f"{names.COMPLETED_LABEL}!=true"
PAGE: Final = 50
"""Workflows with their bodies in one request: each may be a megabyte."""
NOT_SERVED: Final = "this cluster has no Workflows (argoproj.io)"
Items = list[dict[str, Any]]


def everything(client: KubernetesClient, placements: Sequence[PlacementRef]) -> Observation:
    """Namespaces and ConfigMaps with our label, our quotas, and the unfinished workflows: those
    that run by their labels only, those that wait with what they wait for."""
    before = client.counter.copy()
    listed = {"Namespace": client.list("Namespace", label_selector=SELECTOR)}
    # By name, not by label: a tenant may label as many of its own as it likes.
    listed["ConfigMap"] = client.list(
        "ConfigMap", label_selector=SELECTOR, field_selector=f"metadata.name={names.CONFIG_MAP}"
    )
    spaces = {name_of(item): item for item in listed["Namespace"]}
    maps = {namespace_of(item): item for item in listed["ConfigMap"]}
    listed["ResourceQuota"] = client.list(
        "ResourceQuota", field_selector=f"metadata.name={names.QUOTA}"
    )
    quotas = {namespace_of(item): item for item in listed["ResourceQuota"]}
    stray = _orphans(spaces, {"ConfigMap": maps, "ResourceQuota": quotas}, placements)
    if any(placement.location not in spaces for placement in placements):
        for item in client.list("Namespace"):
            spaces.setdefault(name_of(item), item)
    running = _counted(client)
    nobody = Running(why=running) if isinstance(running, str) else Running()
    counts = {} if isinstance(running, str) else running
    read, errors = each_by_itself(
        placements,
        lambda placement: observed(
            placement,
            PlacementContents(
                spaces.get(placement.location),
                maps.get(placement.location),
                counts.get(placement.location, nobody),
                quotas.get(placement.location),
            ),
        ),
    )
    workflows = [problem for count in counts.values() for problem in count.unreadable]
    return Observation(
        placements=read,
        reads=client.counter.since(before).reads,
        orphans=stray,
        errors=errors,
        unreadable=(*unreadable_in(listed), *workflows),
    )


def _counted(client: KubernetesClient) -> dict[str, Running] | str:
    """Unfinished workflows by namespace; a text says why they cannot be counted."""
    live = f"{UNFINISHED},{names.PHASE_LABEL}"
    try:
        running = client.list("Workflow", label_selector=f"{live}=Running", metadata_only=True)
        pending = client.list(
            "Workflow", label_selector=f"{live}=Pending", page=PAGE, keep=locks_of
        )
    except (NotFound, Refused) as error:
        return _why(error)
    slots = Counter(map(namespace_of, running))
    queued: Counter[str] = Counter()
    unreadable: dict[str, list[Unreadable]] = defaultdict(list)
    for item in pending:
        (slots if has_slot(item) else queued)[namespace_of(item)] += 1
        if problem := unreadable_workflow(item):
            unreadable[namespace_of(item)].append(problem)
    return {
        where: Running(slots[where], queued[where], unreadable=tuple(unreadable[where]))
        for where in {*slots, *queued}
    }


def _why(error: ExternalError) -> str:
    return NOT_SERVED if isinstance(error, NotFound) else error.message


def _orphans(
    spaces: dict[str, dict[str, Any]],
    inside: dict[str, dict[str, dict[str, Any]]],
    placements: Sequence[PlacementRef],
) -> tuple[ObjectRef, ...]:
    known = {placement.location for placement in placements}
    refs = [
        ObjectRef("Namespace", "", name)
        for name, item in spaces.items()
        if name not in known and is_manager(entries_of(item), us=names.FIELD_MANAGER)
    ]
    refs += [
        ObjectRef(kind, where, name_of(item))
        for kind, items in inside.items()
        for where, item in items.items()
        if where not in known and is_ours(metadata_of(item))
    ]
    return tuple(sorted(refs))


def each(
    client: KubernetesClient, placements: Sequence[PlacementRef], concurrency: int
) -> Observation:
    """Every placement by itself: four reads, with the bodies of its unfinished workflows."""
    return one_by_one(client, placements, concurrency, _one)


def _one(client: KubernetesClient, placement: PlacementRef) -> Reading:
    contents = _read(client, placement)
    listed = {
        "Namespace": contents.namespace,
        "ConfigMap": contents.config_map,
        "ResourceQuota": contents.quota,
    }
    unreadable = unreadable_in({kind: [item] for kind, item in listed.items() if item is not None})
    return Reading(observed(placement, contents), (*unreadable, *contents.running.unreadable))


def _read(client: KubernetesClient, placement: PlacementRef) -> PlacementContents:
    where = placement.location
    try:
        namespace = client.get("Namespace", where)
    except NotFound:
        return PlacementContents(None, None, Running())
    config_map = _get(client, "ConfigMap", names.CONFIG_MAP, where)
    quota = _get(client, "ResourceQuota", names.QUOTA, where)
    return PlacementContents(namespace, config_map, _running(client, where), quota)


def _get(client: KubernetesClient, kind: str, name: str, where: str) -> dict[str, Any] | None:
    try:
        return client.get(kind, name, namespace=where)
    except NotFound:
        return None


def _running(client: KubernetesClient, where: str) -> Running:
    try:
        items = unfinished(client, where)
    except (NotFound, Refused) as error:
        return Running(why=_why(error))
    slots = sum(map(has_slot, items))
    queued = sum(phase_of(item) == "Pending" and not has_slot(item) for item in items)
    unreadable = tuple(filter(None, map(unreadable_workflow, items)))
    return Running(slots, queued, bindings(items, where), unreadable=unreadable)


def unfinished(client: KubernetesClient, where: str) -> Items:
    """The unfinished workflows of a namespace, with what has to do with locks."""
    return client.list(
        "Workflow", namespace=where, label_selector=UNFINISHED, page=PAGE, keep=locks_of
    )
