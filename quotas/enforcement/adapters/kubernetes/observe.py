"""Reading a cluster: whole kinds at once for a sweep, one namespace at a time otherwise."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from console.clients.kubernetes.client import KubernetesClient
from console.deadline import ContextPool
from console.errors import ExternalError, NotFound, Refused, Unreachable
from quotas.enforcement.adapters.kubernetes import names
from quotas.enforcement.adapters.kubernetes.parse import (
    NamespaceContents,
    by_namespace,
    observed,
    orphans,
)
from quotas.enforcement.adapters.kubernetes.recount import COUNTED
from quotas.enforcement.ports import Observation, Observed
from tenants.contracts import PlacementRef

Item = Mapping[str, Any]
PAGE: Final = 500
_LABELLED: Final = ("Namespace", "LimitRange", "NetworkPolicy", "RoleBinding")
_LISTED_ALWAYS: Final = frozenset({"Pod", "ResourceQuota"})


def everything(client: KubernetesClient, placements: Sequence[PlacementRef]) -> Observation:
    """Each kind listed once, in parallel; no writes.

    ResourceQuotas are listed without a selector: foreign ones count too, and one list is never more
    pages than two. A placement whose namespace is not among ours may sit on a foreign one, so in
    that case (not in the steady state) all namespaces are listed.
    """
    with _no_collections():
        return _everything(client, placements)


def _everything(client: KubernetesClient, placements: Sequence[PlacementRef]) -> Observation:
    before = client.counter.copy()
    with ContextPool(max_workers=1, thread_name_prefix="sweep") as pool:
        quotas = pool.submit(client.list, "ResourceQuota", page=PAGE)
        listed = client.list_many(_LABELLED, label_selector=names.SELECTOR, page=PAGE)
        listed["ResourceQuota"] = quotas.result()
    contents = by_namespace(listed)
    stray = orphans(contents, placements)
    if any(
        contents.get(placement.location, _NOTHING).namespace is None for placement in placements
    ):
        for item in client.list("Namespace", page=PAGE):
            contents.setdefault(item["metadata"]["name"], NamespaceContents()).namespace = item
    return Observation(
        placements={
            placement.id: observed(placement, contents.get(placement.location, _NOTHING))
            for placement in placements
        },
        reads=client.counter.since(before).reads,
        orphans=stray,
    )


@contextmanager
def _no_collections() -> Iterator[None]:
    """Half a million small dicts come in at once and all of them live: the collector would walk
    them over and over and find nothing (measured: three quarters of the time of a sweep)."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


_NOTHING: Final = NamespaceContents()


def each(
    client: KubernetesClient, placements: Sequence[PlacementRef], concurrency: int
) -> Observation:
    """Every placement by itself: six reads, and one for each further kind that its quota counts."""
    return one_by_one(client, placements, concurrency, _one)


def one_by_one(
    client: KubernetesClient,
    placements: Sequence[PlacementRef],
    concurrency: int,
    observe_one: Callable[[KubernetesClient, PlacementRef], Observed],
) -> Observation:
    """What `observe_one` says of each placement, some at a time; one that fails delays no other.
    Raises Unreachable: that is the whole target's trouble."""
    before = client.counter.copy()
    observed: dict[int, Observed] = {}
    failures: dict[int, str] = {}

    def outcome_of(placement: PlacementRef) -> Observed | ExternalError:
        try:
            return observe_one(client, placement)
        except ExternalError as error:
            return error

    workers = max(1, min(concurrency, len(placements)))
    with ContextPool(max_workers=workers, thread_name_prefix="observe") as pool:
        for placement, outcome in zip(placements, pool.map(outcome_of, placements), strict=True):
            if isinstance(outcome, Unreachable):
                raise outcome
            if isinstance(outcome, ExternalError):
                failures[placement.id] = outcome.message
            else:
                observed[placement.id] = outcome
    return Observation(observed, client.counter.since(before).reads, failures=failures)


def _one(client: KubernetesClient, placement: PlacementRef) -> Observed:
    where = placement.location
    try:
        namespace = client.get("Namespace", where)
    except NotFound:
        return Observed()
    kinds = [*names.NAMESPACED, "Pod"]
    listed: dict[str, list[dict[str, Any]]] = client.list_many(kinds, namespace=where)
    # A leaving namespace is about to go: nothing in it is worth counting.
    counted = None if placement.leaving else _counted(client, where, listed)
    return observed(placement, by_namespace({**listed, "Namespace": [namespace]})[where], counted)


def _counted(
    client: KubernetesClient, where: str, listed: Mapping[str, list[dict[str, Any]]]
) -> Mapping[str, list[dict[str, Any]]]:
    wanted = {
        COUNTED[resource]
        for quota in listed["ResourceQuota"]
        for resource in quota["spec"].get("hard") or ()
        if resource in COUNTED
    }
    more = {}
    for kind in sorted(wanted - _LISTED_ALWAYS):
        try:
            more[kind] = client.list(kind, namespace=where)
        except Refused:
            continue  # a kind that is not served or not ours to see: its count stays unchecked
    return {**listed, **more}
