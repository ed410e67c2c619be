"""Reading a cluster: whole kinds at once for a sweep, one namespace at a time otherwise."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import structlog

from console.clients.kubernetes.client import KubernetesClient
from console.deadline import ContextPool
from console.errors import ExternalError, NotFound, Refused, Unreachable
from console.unstructured import mapping
from quotas.enforcement.adapters.isolation import each_by_itself
from quotas.enforcement.adapters.kubernetes import names
from quotas.enforcement.adapters.kubernetes.items import Item, all_unreadable, name_of, spec_of
from quotas.enforcement.adapters.kubernetes.parse import (
    NamespaceContents,
    by_namespace,
    observed,
    orphans,
)
from quotas.enforcement.adapters.kubernetes.recount import COUNTED
from quotas.enforcement.adapters.kubernetes.unchanged import LABELLED
from quotas.enforcement.ports import Observation, Observed
from tenants.contracts import PlacementRef, Unreadable

PAGE: Final = 500
_LISTED_ALWAYS: Final = frozenset({"Pod", "ResourceQuota"})

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reading:
    """What one placement is, and what of it could not be read."""

    observed: Observed
    unreadable: tuple[Unreadable, ...] = ()


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
        listed = client.list_many(LABELLED, label_selector=names.SELECTOR, page=PAGE)
        listed["ResourceQuota"] = quotas.result()
    contents = by_namespace(listed)
    stray = orphans(contents, placements)
    if any(
        contents.get(placement.location, _NOTHING).namespace is None for placement in placements
    ):
        for item in client.list("Namespace", page=PAGE):
            contents.setdefault(name_of(item), NamespaceContents()).namespace = item
    read, errors = each_by_itself(
        placements,
        lambda placement: observed(placement, contents.get(placement.location, _NOTHING)),
    )
    return Observation(
        placements=read,
        reads=client.counter.since(before).reads,
        orphans=stray,
        errors=errors,
        unreadable=unreadable_in(listed),
    )


def unreadable_in(listed: Mapping[str, Iterable[Item]]) -> tuple[Unreadable, ...]:
    """What cannot be read in lists of objects by kind."""
    return tuple(
        problem for kind, items in listed.items() for problem in all_unreadable(kind, items)
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
    observe_one: Callable[[KubernetesClient, PlacementRef], Reading],
) -> Observation:
    """What `observe_one` says of each placement, some at a time; one that fails delays no other.
    Raises Unreachable: that is the whole target's trouble."""
    before = client.counter.copy()
    observed: dict[int, Observed] = {}
    failures: dict[int, str] = {}
    errors: dict[int, Exception] = {}
    unreadable: list[Unreadable] = []

    def outcome_of(placement: PlacementRef) -> Reading | Exception:
        try:
            return observe_one(client, placement)
        except ExternalError as error:
            return error
        except Exception as error:
            log.exception("observe.failed", placement=placement.id, tenant=placement.tenant)
            return error

    workers = max(1, min(concurrency, len(placements)))
    with ContextPool(max_workers=workers, thread_name_prefix="observe") as pool:
        for placement, outcome in zip(placements, pool.map(outcome_of, placements), strict=True):
            if isinstance(outcome, Unreachable):
                raise outcome
            if isinstance(outcome, ExternalError):
                failures[placement.id] = outcome.message
            elif isinstance(outcome, Exception):
                errors[placement.id] = outcome
            else:
                observed[placement.id] = outcome.observed
                unreadable += outcome.unreadable
    reads = client.counter.since(before).reads
    return Observation(
        observed, reads, failures=failures, errors=errors, unreadable=tuple(unreadable)
    )


def _one(client: KubernetesClient, placement: PlacementRef) -> Reading:
    where = placement.location
    try:
        namespace = client.get("Namespace", where)
    except NotFound:
        return Reading(Observed())
    kinds = [*names.NAMESPACED, "Pod"]
    listed: dict[str, list[dict[str, Any]]] = client.list_many(kinds, namespace=where)
    # A leaving namespace is about to go: nothing in it is worth counting.
    counted = None if placement.leaving else _counted(client, where, listed)
    contents = by_namespace(listed).get(where, NamespaceContents())
    contents.namespace = namespace
    unreadable = unreadable_in({**listed, "Namespace": [namespace]})
    return Reading(observed(placement, contents, counted), unreadable)


def _counted(
    client: KubernetesClient, where: str, listed: Mapping[str, list[dict[str, Any]]]
) -> Mapping[str, list[dict[str, Any]]]:
    wanted = {
        COUNTED[resource]
        for quota in listed["ResourceQuota"]
        for resource in mapping(spec_of(quota).get("hard"))
        if resource in COUNTED
    }
    more = {}
    for kind in sorted(wanted - _LISTED_ALWAYS):
        try:
            # They are counted, no more: their bodies may be a megabyte each.
            more[kind] = client.list(kind, namespace=where, metadata_only=True)
        except Refused:
            continue  # a kind that is not served or not ours to see: its count stays unchecked
    return {**listed, **more}
