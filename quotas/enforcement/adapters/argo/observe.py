"""Reading a cluster for Argo's limits: each kind once for a sweep, closer for one placement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from console.clients.kubernetes.client import KubernetesClient
from console.errors import ExternalError, NotFound, Refused
from quotas.enforcement.adapters.argo import names
from quotas.enforcement.adapters.argo.locks import bindings, has_slot
from quotas.enforcement.adapters.argo.parse import PlacementContents, Running, observed
from quotas.enforcement.adapters.kubernetes.names import SELECTOR, is_ours
from quotas.enforcement.adapters.kubernetes.observe import one_by_one
from quotas.enforcement.adapters.kubernetes.owners import is_manager
from quotas.enforcement.ports import ObjectRef, Observation, Observed
from tenants.contracts import PlacementRef

UNFINISHED: Final = f"{names.COMPLETED_LABEL}!=true"
NOT_SERVED: Final = "this cluster has no Workflows (argoproj.io)"
Items = list[dict[str, Any]]


def everything(client: KubernetesClient, placements: Sequence[PlacementRef]) -> Observation:
    """Namespaces and ConfigMaps with our label, our quotas, and the unfinished workflows: those
    that run by their labels only, those that wait with what they wait for."""
    before = client.counter.copy()
    listed = client.list_many(("Namespace", "ConfigMap"), label_selector=SELECTOR)
    spaces = {item["metadata"]["name"]: item for item in listed["Namespace"]}
    maps = {
        item["metadata"]["namespace"]: item
        for item in listed["ConfigMap"]
        if item["metadata"]["name"] == names.CONFIG_MAP
    }
    named = client.list("ResourceQuota", field_selector=f"metadata.name={names.QUOTA}")
    quotas = {item["metadata"]["namespace"]: item for item in named}
    stray = _orphans(spaces, {"ConfigMap": maps, "ResourceQuota": quotas}, placements)
    if any(placement.location not in spaces for placement in placements):
        for item in client.list("Namespace"):
            spaces.setdefault(item["metadata"]["name"], item)
    running = _counted(client)
    nobody = Running(why=running) if isinstance(running, str) else Running()
    counts = {} if isinstance(running, str) else running
    return Observation(
        placements={
            placement.id: observed(
                placement,
                PlacementContents(
                    spaces.get(placement.location),
                    maps.get(placement.location),
                    counts.get(placement.location, nobody),
                    quotas.get(placement.location),
                ),
            )
            for placement in placements
        },
        reads=client.counter.since(before).reads,
        orphans=stray,
    )


def _counted(client: KubernetesClient) -> dict[str, Running] | str:
    """Unfinished workflows by namespace; a text says why they cannot be counted."""
    live = f"{UNFINISHED},{names.PHASE_LABEL}"
    try:
        running = client.list("Workflow", label_selector=f"{live}=Running", metadata_only=True)
        pending = client.list("Workflow", label_selector=f"{live}=Pending")
    except (NotFound, Refused) as error:
        return _why(error)
    slots = Counter(item["metadata"]["namespace"] for item in running)
    queued: Counter[str] = Counter()
    for item in pending:
        (slots if has_slot(item) else queued)[item["metadata"]["namespace"]] += 1
    return {where: Running(slots[where], queued[where]) for where in {*slots, *queued}}


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
        if name not in known
        and is_manager(item["metadata"].get("managedFields") or (), us=names.FIELD_MANAGER)
    ]
    refs += [
        ObjectRef(kind, where, item["metadata"]["name"])
        for kind, items in inside.items()
        for where, item in items.items()
        if where not in known and is_ours(item["metadata"])
    ]
    return tuple(sorted(refs))


def each(
    client: KubernetesClient, placements: Sequence[PlacementRef], concurrency: int
) -> Observation:
    """Every placement by itself: four reads, with the bodies of its unfinished workflows."""
    return one_by_one(client, placements, concurrency, _one)


def _one(client: KubernetesClient, placement: PlacementRef) -> Observed:
    return observed(placement, _read(client, placement))


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
    queued = sum((item.get("status") or {}).get("phase") == "Pending" for item in items) - sum(
        has_slot(item) and item["status"]["phase"] == "Pending" for item in items
    )
    return Running(slots, queued, bindings(items, where))


def unfinished(client: KubernetesClient, where: str) -> Items:
    """The unfinished workflows of a namespace, with their bodies."""
    return client.list("Workflow", namespace=where, label_selector=UNFINISHED, page=200)
