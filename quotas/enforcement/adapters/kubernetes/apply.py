"""Writing to a cluster: server-side apply in chains, then what must be taken away."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import structlog

from console.clients.contracts import AppliedObject
from console.clients.kubernetes.client import KubernetesClient
from console.deadline import ContextPool
from console.errors import Conflict, ExternalError, Unexpected, Unreachable, own
from quotas.enforcement.adapters.kubernetes import names
from quotas.enforcement.adapters.kubernetes.conflicts import (
    Problem,
    foreign_entries,
    in_our_words,
    summary,
    takes_over,
    unforced_conflict,
)
from quotas.enforcement.adapters.kubernetes.fields import is_as_sent
from quotas.enforcement.adapters.kubernetes.mutators import Mutators
from quotas.enforcement.adapters.kubernetes.parse import observed_object
from quotas.enforcement.diff import stored_otherwise
from quotas.enforcement.ports import (
    Altered,
    ApplyResult,
    Change,
    ObjectRef,
    Operation,
    PlacementChanges,
)

log = structlog.get_logger(__name__)

Key = tuple[str, str, str]
_SECONDS_PER_MANIFEST: Final = 0.1


@dataclass(slots=True)
class PlacementApply:
    """The changes of one placement while they are made: `applies` by server-side apply, `after`
    when those are done; `waiting` are the applies that have no answer yet."""

    requested: PlacementChanges
    applies: dict[Key, Change] = field(default_factory=dict)
    after: list[Change] = field(default_factory=list)
    waiting: set[Key] = field(default_factory=set)
    done: list[Change] = field(default_factory=list)
    altered: dict[ObjectRef, Altered] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    calls: int = 0
    begun: float = field(default_factory=time.monotonic)

    def give_up(self) -> None:
        """Nothing (more) is written for this placement."""
        self.applies.clear()
        self.after.clear()
        self.waiting.clear()

    def result(self) -> ApplyResult:
        """How it ended, as the loop wants it."""
        return ApplyResult(
            placement=self.requested.placement,
            done=tuple(self.done),
            error=summary(self.problems),
            calls=self.calls,
            seconds=time.monotonic() - self.begun,
            altered=tuple(self.altered.values()),
        )

    def note(self, altered: Altered | None, ref: ObjectRef) -> None:
        """What the last answer about an object says: it is as it was sent, or it is not."""
        self.altered.pop(ref, None)
        if altered is not None:
            self.altered[ref] = altered


def sort_out(requested: PlacementChanges) -> PlacementApply:
    """The changes sorted into applies, what comes after them, and conflicts known beforehand."""
    apply = PlacementApply(requested)
    for change in requested.changes:
        conflict = None if requested.force else unforced_conflict(change)
        if conflict is not None:
            apply.problems.append((change.ref, conflict))
        elif change.desired is None:
            apply.after.append(change)
        else:
            apply.applies[change.ref.kind, change.ref.namespace, change.ref.name] = change
    if any(ref.kind == "Namespace" for ref, _ in apply.problems):
        # Somebody else's namespace: nothing is put into it either.
        apply.give_up()
    apply.waiting = set(apply.applies)
    return apply


def run(
    client: KubernetesClient,
    work: Sequence[PlacementChanges],
    *,
    concurrency: int,
    timeout: float,
    on_result: Callable[[ApplyResult], None],
) -> None:
    """Makes the changes of many placements side by side, reporting each as it ends, in this
    thread."""
    applies = _sorted_out(work, on_result)
    mutators = Mutators(client)

    def finish(apply: PlacementApply) -> None:
        if not _has_more(apply):
            on_result(apply.result())

    with ContextPool(max_workers=concurrency, thread_name_prefix="apply") as pool:
        list(pool.map(lambda apply: adopt(client, apply), filter(adopts, applies)))
        for force in (False, True):
            alike = [apply for apply in applies if apply.requested.force is force]
            round_ = _Round(alike, finish, mutators)
            round_.run(client, force=force, concurrency=concurrency, timeout=timeout)
        later = [apply for apply in applies if _has_more(apply)]
        taking = [pool.submit(_take_away, client, apply, mutators) for apply in later]
        for ended in as_completed(taking):
            on_result(ended.result().result())


def _sorted_out(
    work: Sequence[PlacementChanges], on_result: Callable[[ApplyResult], None]
) -> list[PlacementApply]:
    applies = []
    for requested in work:
        try:
            applies.append(sort_out(requested))
        except Exception as error:
            log.exception("apply.failed", placement=requested.placement.id)
            on_result(ApplyResult(requested.placement, (), Unexpected(error)))
    return applies


# -- applying ------------------------------------------------------------------------------------


def adopts(apply: PlacementApply) -> bool:
    """Whether a namespace is taken over that was there before us."""
    return apply.requested.force and any(
        change.ref.kind == "Namespace" and takes_over(change) for change in apply.applies.values()
    )


def adopt(client: KubernetesClient, apply: PlacementApply) -> None:
    """Mark the namespace as one that was there before us, so that it is never deleted."""
    ref = ObjectRef("Namespace", "", apply.requested.placement.location)
    mark = bare(ref)
    mark["metadata"]["annotations"] = {names.ADOPTED: "true"}
    apply.calls += 1
    try:
        client.apply(mark, names.ADOPTER, force=True)
    except Exception as error:
        if not isinstance(error, ExternalError):
            log.exception("apply.failed", object=str(ref))
        apply.problems.append((ref, own(error)))
        apply.give_up()


class _Round:
    """All applies of some placements, side by side; `finish` gets each that has no more to do."""

    def __init__(
        self,
        placements: Sequence[PlacementApply],
        finish: Callable[[PlacementApply], None],
        mutators: Mutators,
    ) -> None:
        self._placements = placements
        self._finish = finish
        self._mutators = mutators
        self._by_key = {key: apply for apply in placements for key in apply.applies}

    def run(
        self, client: KubernetesClient, *, force: bool, concurrency: int, timeout: float
    ) -> None:
        for apply in self._placements:
            if not apply.applies:
                self._finish(apply)
        manifests = [
            change.desired.manifest
            for apply in self._placements
            for change in apply.applies.values()
            if change.desired is not None
        ]
        if not manifests:
            return
        client.apply_many(
            manifests,
            names.FIELD_MANAGER,
            force=force,
            concurrency=concurrency,
            timeout=3 * timeout + _SECONDS_PER_MANIFEST * len(manifests),
            on_result=self._arrived,
        )
        self._call_off()

    def _arrived(self, applied: AppliedObject) -> None:
        key = (applied.kind, applied.namespace, applied.name)
        apply = self._by_key[key]
        apply.waiting.discard(key)
        apply.calls += 1
        change = apply.applies[key]
        if applied.error is None:
            apply.done.append(change)
            try:
                self._compare(apply, change, applied.object)
            except Exception as error:
                # What was stored cannot be compared: that is this placement's trouble only.
                log.exception("compare.failed", object=str(change.ref))
                apply.problems.append((change.ref, Unexpected(error)))
        else:
            apply.problems.append((change.ref, in_our_words(applied.error, change)))
        if not apply.waiting:
            self._finish(apply)

    def _compare(
        self, apply: PlacementApply, change: Change, answer: Mapping[str, Any] | None
    ) -> None:
        """The answer has the object as it was stored: it costs no read to see whether it is so."""
        if answer is not None and change.desired is not None:
            if is_as_sent(change.desired.manifest, answer):
                return  # nearly always, so that the rest costs a push of thousands nothing
            altered = stored_otherwise(change, observed_object(change.ref.kind, answer))
            apply.note(self._mutators.name(altered), change.ref)

    def _call_off(self) -> None:
        """What never came back before the time was over."""
        for apply in self._placements:
            late = [apply.applies[key].ref for key in sorted(apply.waiting)]
            if late:
                apply.waiting.clear()
                apply.problems += [(ref, Unreachable(f"{ref}: no answer in time")) for ref in late]
                self._finish(apply)


# -- taking away ---------------------------------------------------------------------------------


def _has_more(apply: PlacementApply) -> bool:
    return bool(apply.after) or bool(
        apply.requested.force and any(map(foreign_entries, apply.done))
    )


def _take_away(
    client: KubernetesClient, apply: PlacementApply, mutators: Mutators
) -> PlacementApply:
    if any(isinstance(error, Unreachable) for _, error in apply.problems):
        return apply  # the target does not answer: what is left will be found again
    for change in list(apply.done):
        if entries := foreign_entries(change):
            _attempt(apply, change, partial(_remove, client, apply, entries, mutators))
    for change in apply.after:
        take = _delete if change.operation is Operation.DELETE else _give_back
        apply.calls += take is _give_back  # which makes two
        if _attempt(apply, change, partial(take, client)):
            apply.done.append(change)
    return apply


def _attempt(apply: PlacementApply, change: Change, act: Callable[[Change], None]) -> bool:
    apply.calls += 1
    try:
        act(change)
    except ExternalError as error:
        apply.problems.append((change.ref, in_our_words(error, change)))
        return False
    except Exception as error:
        log.exception("apply.failed", object=str(change.ref))
        apply.problems.append((change.ref, Unexpected(error)))
        return False
    return True


def _remove(
    client: KubernetesClient,
    apply: PlacementApply,
    entries: Sequence[str],
    mutators: Mutators,
    change: Change,
) -> None:
    patch = {"spec": {"hard": dict.fromkeys(entries)}}
    ref = change.ref
    answer = client.patch_merge(ref.kind, ref.name, patch, namespace=ref.namespace)
    altered = stored_otherwise(change, observed_object(ref.kind, answer))
    apply.note(mutators.name(altered), ref)


def _delete(client: KubernetesClient, change: Change) -> None:
    ref = change.ref
    try:
        client.delete(ref.kind, ref.name, namespace=ref.namespace, uid=change.uid)
    except Conflict as conflict:
        # It is another object by now: look again before anything is deleted.
        raise Conflict(conflict.message, retryable=True) from conflict


def _give_back(client: KubernetesClient, change: Change) -> None:
    """Our fields leave an adopted object when we apply nothing; then its mark goes too."""
    client.apply(bare(change.ref), names.FIELD_MANAGER)
    client.apply(bare(change.ref), names.ADOPTER)


def bare(ref: ObjectRef) -> dict[str, Any]:
    """The manifest that says nothing about an object but which one it is."""
    metadata = {"name": ref.name}
    if ref.namespace:
        metadata["namespace"] = ref.namespace
    return {"apiVersion": names.API[ref.kind], "kind": ref.kind, "metadata": metadata}


def cost(work: Sequence[PlacementChanges]) -> int:
    """How many calls `run` makes when nothing fails."""
    return sum(
        _calls(change, force=requested.force) for requested in work for change in requested.changes
    )


def _calls(change: Change, *, force: bool) -> int:
    if change.desired is None:
        return 1 if change.operation is Operation.DELETE else 2
    adoption = change.ref.kind == "Namespace" and force and takes_over(change)
    return 1 + bool(adoption) + bool(force and foreign_entries(change))
