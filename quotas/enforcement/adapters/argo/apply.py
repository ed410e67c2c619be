"""Writing Argo's limits: server-side apply, one object after the other, in the order that lets
nobody slip through; and nothing is taken away from under somebody who holds it.

A limit that rises goes to the lock first and to the label last, one that falls the other way round.
The quota that lets nobody in is set before anything else, and goes when all else is as it should.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import as_completed
from typing import Any, Final

import structlog

from console.clients.kubernetes.client import KubernetesClient
from console.deadline import ContextPool
from console.errors import Conflict, ExternalError, NotFound, Unexpected
from quotas.enforcement.adapters.argo import names
from quotas.enforcement.adapters.argo.compile import manifest
from quotas.enforcement.adapters.argo.locks import holders
from quotas.enforcement.adapters.argo.observe import unfinished
from quotas.enforcement.adapters.argo.parse import observed_object
from quotas.enforcement.adapters.kubernetes import names as kubernetes
from quotas.enforcement.adapters.kubernetes.apply import (
    PlacementApply,
    adopt,
    adopts,
    bare,
    sort_out,
)
from quotas.enforcement.adapters.kubernetes.conflicts import (
    foreign_entries,
    in_our_words,
    takes_over,
)
from quotas.enforcement.adapters.kubernetes.fields import count_in
from quotas.enforcement.adapters.kubernetes.items import entries_of
from quotas.enforcement.adapters.kubernetes.mutators import Mutators
from quotas.enforcement.adapters.kubernetes.owners import is_manager
from quotas.enforcement.diff import stored_otherwise
from quotas.enforcement.ports import ApplyResult, Change, Operation, PlacementChanges

log = structlog.get_logger(__name__)

HOLD_SECONDS: Final = 30.0
"""How long to wait before looking again whether a lock is still held."""
HELD: Final = "lock_held"
_DATA: Final = "data["
_LABEL: Final = "metadata.labels["


def run(
    client: KubernetesClient,
    work: Sequence[PlacementChanges],
    *,
    concurrency: int,
    on_result: Callable[[ApplyResult], None],
) -> None:
    """Makes the changes of many placements side by side, reporting each as it ends, in this
    thread."""
    workers, mutators = max(1, min(concurrency, len(work))), Mutators(client)
    with ContextPool(max_workers=workers, thread_name_prefix="apply") as pool:
        applying = [pool.submit(_apply, client, requested, mutators) for requested in work]
        for ended in as_completed(applying):
            on_result(ended.result())


def _apply(
    client: KubernetesClient, requested: PlacementChanges, mutators: Mutators
) -> ApplyResult:
    try:
        return _applied(client, requested, mutators)
    except Exception as error:
        log.exception("apply.failed", placement=requested.placement.id)
        return ApplyResult(requested.placement, (), Unexpected(error))


def _applied(
    client: KubernetesClient, requested: PlacementChanges, mutators: Mutators
) -> ApplyResult:
    apply = sort_out(requested)
    if adopts(apply):
        adopt(client, apply)
    removals = _removals(apply.after, leaving=requested.placement.leaving)
    for change in (*in_order(apply.applies.values()), *removals):
        try:
            _make(client, apply, change, mutators)
        except ExternalError as error:
            apply.problems.append((change.ref, in_our_words(error, change)))
            if error.code == HELD and change.desired is not None:
                continue  # all was written but the going of a key
            break  # what comes after relies on it
        apply.done.append(change)
    return apply.result()


# -- in which order ------------------------------------------------------------------------------


def in_order(changes: Iterable[Change]) -> tuple[Change, ...]:
    """The applies of one placement: the quota first of all (but into a new namespace), then as the
    label rises or falls."""
    sorted_out: dict[str, list[Change]] = {"Namespace": [], "ResourceQuota": [], "ConfigMap": []}
    for change in changes:
        sorted_out[change.ref.kind].append(change)
    spaces, quotas, rest = sorted_out.values()
    if any(change.operation is Operation.CREATE for change in spaces):
        return (*spaces, *quotas, *rest)
    if all(_rises(change) for change in spaces):
        return (*quotas, *rest, *spaces)
    return (*quotas, *spaces, *rest)


def _removals(changes: Iterable[Change], *, leaving: bool) -> tuple[Change, ...]:
    """What goes: of a leaving tenant the label first, the ConfigMap once nobody holds a lock, and
    then the quota, so that what is half gone stays closed. Nobody else waits for a lock."""
    last = "ResourceQuota" if leaving else "ConfigMap"
    ranks = {"Namespace": 0, last: 2}
    return tuple(sorted(changes, key=lambda change: ranks.get(change.ref.kind, 1)))


def _rises(change: Change) -> bool:
    if change.operation is Operation.CREATE or change.desired is None:
        return False
    item = next((item for item in change.fields if item.path == names.LIMIT_PATH), None)
    if item is None:
        return False
    return _room(item.after) >= _room(item.before)


def _room(text: str) -> float:
    """How many a label's text lets in; nobody knows the controller's default."""
    number = count_in(text)
    return float("inf") if number is None else number


# -- one change ----------------------------------------------------------------------------------


def _make(
    client: KubernetesClient, apply: PlacementApply, change: Change, mutators: Mutators
) -> None:
    if change.desired is None:
        take = _give_back if change.operation is Operation.UPDATE else _delete
        take(client, apply, change)
        return
    written, held = change.desired.manifest, ""
    if gone := _removed(change):
        kept, held = _kept(client, apply, change, gone)
        if kept:
            written = _with(written, kept)
    apply.calls += 1
    answer = client.apply(written, names.FIELD_MANAGER, force=apply.requested.force)
    if patch := _foreign(change, apply):
        apply.calls += 1
        ref = change.ref
        answer = client.patch_merge(ref.kind, ref.name, patch, namespace=ref.namespace)
    if held:
        raise _still_held(held)
    altered = stored_otherwise(change, observed_object(change.ref.kind, answer))
    apply.note(mutators.name(altered), change.ref)


def _removed(change: Change) -> dict[str, str]:
    """Keys of the ConfigMap that go, with the number that each has."""
    if change.desired is None or change.ref.kind != "ConfigMap":
        return {}
    return {
        item.path.removeprefix(_DATA)[:-1]: item.before
        for item in change.fields
        if item.path.startswith(_DATA) and item.path not in change.desired.fields
    }


def _kept(
    client: KubernetesClient, apply: PlacementApply, change: Change, gone: Mapping[str, str]
) -> tuple[dict[str, int], str]:
    """Those of the keys that are held, and by whom in words."""
    held = _held(client, apply, change.ref.namespace)
    kept = {
        key: number
        for key, text in gone.items()
        if key in held and (number := count_in(text)) is not None
    }
    return kept, _in_words({key: held[key] for key in kept})


def _with(written: Mapping[str, Any], kept: Mapping[str, int]) -> dict[str, Any]:
    metadata = written["metadata"]
    values = {key: int(text) for key, text in written["data"].items()} | dict(kept)
    return manifest(metadata["namespace"], metadata["labels"], values)


def _foreign(change: Change, apply: PlacementApply) -> dict[str, Any]:
    """What somebody else wrote and a person said to take away: an apply does not remove it."""
    if change.desired is None or not apply.requested.force:
        return {}
    if change.ref.kind == "ResourceQuota":
        entries = foreign_entries(change)
        return {"spec": {"hard": dict.fromkeys(entries)}} if entries else {}
    patch: dict[str, Any] = {}
    for item in change.fields:
        if item.owner is None or item.path in change.desired.fields:
            continue
        if item.path.startswith(_DATA):
            patch.setdefault("data", {})[item.path.removeprefix(_DATA)[:-1]] = None
        elif item.path.startswith(_LABEL):
            labels = patch.setdefault("metadata", {}).setdefault("labels", {})
            labels[item.path.removeprefix(_LABEL)[:-1]] = None
    return patch


def _held(client: KubernetesClient, apply: PlacementApply, where: str) -> dict[str, set[str]]:
    """Who holds our locks, by key. A lock whose key is gone would be poisoned until the controller
    starts anew."""
    apply.calls += 1
    try:
        return holders(unfinished(client, where), where)
    except NotFound:
        return {}  # no Workflows are served, so nobody holds anything


def _in_words(held: Mapping[str, Iterable[str]]) -> str:
    return "; ".join(f"{key} by {', '.join(sorted(who))}" for key, who in sorted(held.items()))


def _still_held(held: str) -> ExternalError:
    return ExternalError(
        f"ConfigMap {names.CONFIG_MAP}: a semaphore that is to go is still held ({held}). It stays"
        " until nobody holds it, because without it the lock would be stuck.",
        retryable=True,
        code=HELD,
        retry_after=HOLD_SECONDS,
    )


def _delete(client: KubernetesClient, apply: PlacementApply, change: Change) -> None:
    ref = change.ref
    locks = _held(client, apply, ref.namespace) if ref.kind == "ConfigMap" else {}
    if held := _in_words(locks):
        raise _still_held(held)
    apply.calls += 1
    try:
        client.delete(ref.kind, ref.name, namespace=ref.namespace, uid=change.uid)
    except Conflict as conflict:
        # It is another object by now: look again before anything is deleted.
        raise Conflict(conflict.message, retryable=True) from conflict


def _give_back(client: KubernetesClient, apply: PlacementApply, change: Change) -> None:
    """Our labels leave the namespace; the mark of adoption goes too, unless the Kubernetes adapter
    still has the namespace and needs it."""
    apply.calls += 1
    left = client.apply(bare(change.ref), names.FIELD_MANAGER)
    if not is_manager(entries_of(left)):
        apply.calls += 1
        client.apply(bare(change.ref), kubernetes.ADOPTER)


def cost(work: Sequence[PlacementChanges]) -> int:
    """How many calls `run` makes when nothing fails and nothing is held."""
    return sum(
        _calls(change, force=requested.force) for requested in work for change in requested.changes
    )


def _calls(change: Change, *, force: bool) -> int:
    if change.desired is None:
        return 2
    adoption = change.ref.kind == "Namespace" and force and takes_over(change)
    return 1 + bool(adoption) + bool(_removed(change))
