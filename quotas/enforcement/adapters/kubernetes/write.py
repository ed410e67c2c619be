"""Writing to a cluster: server-side apply in chains, then what must be taken away.

Fields of other owners are never taken silently: without `force` the owner is named in a Conflict.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from typing import Any, Final

from console.clients.contracts import Applied
from console.clients.kubernetes.client import KubernetesClient
from console.errors import Conflict, ExternalError, Unreachable
from quotas.enforcement.adapters.kubernetes import names
from quotas.enforcement.adapters.kubernetes.jobs import (
    Job,
    leftovers,
    sorted_job,
    takes_over,
    understood,
)
from quotas.enforcement.ports import Change, ObjectRef, Operation, Result, Work

_SECONDS_PER_MANIFEST: Final = 0.1


def run(
    client: KubernetesClient,
    work: Sequence[Work],
    *,
    concurrency: int,
    timeout: float,
    on_result: Callable[[Result], None],
) -> None:
    """Do the work of many placements side by side, reporting each as it ends, in this thread."""
    jobs = [sorted_job(one) for one in work]

    def finish(job: Job) -> None:
        if not _has_more(job):
            on_result(job.result())

    with ThreadPoolExecutor(max_workers=concurrency, thread_name_prefix="apply") as pool:
        list(pool.map(lambda job: adopt(client, job), filter(adopts, jobs)))
        for force in (False, True):
            alike = [job for job in jobs if job.work.force is force]
            _Round(alike, finish).run(client, force=force, concurrency=concurrency, timeout=timeout)
        later = [job for job in jobs if _has_more(job)]
        for ended in as_completed([pool.submit(_finish, client, job) for job in later]):
            on_result(ended.result().result())


# -- applying ------------------------------------------------------------------------------------


def adopts(job: Job) -> bool:
    """Whether the job takes over a namespace that was there before us."""
    return job.work.force and any(
        change.ref.kind == "Namespace" and takes_over(change) for change in job.applies.values()
    )


def adopt(client: KubernetesClient, job: Job) -> None:
    """Mark the namespace as one that was there before us, so that it is never deleted."""
    ref = ObjectRef("Namespace", "", job.work.placement.location)
    mark = bare(ref)
    mark["metadata"]["annotations"] = {names.ADOPTED: "true"}
    job.calls += 1
    try:
        client.apply(mark, names.ADOPTER, force=True)
    except ExternalError as error:
        job.problems.append((ref, error))
        job.give_up()


class _Round:
    """All applies of some jobs, side by side; `finish` is called for each job that has no more."""

    def __init__(self, jobs: Sequence[Job], finish: Callable[[Job], None]) -> None:
        self._jobs = jobs
        self._finish = finish
        self._by_key = {key: job for job in jobs for key in job.applies}

    def run(
        self, client: KubernetesClient, *, force: bool, concurrency: int, timeout: float
    ) -> None:
        for job in self._jobs:
            if not job.applies:
                self._finish(job)
        manifests = [
            change.desired.manifest
            for job in self._jobs
            for change in job.applies.values()
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

    def _arrived(self, applied: Applied) -> None:
        key = (applied.kind, applied.namespace, applied.name)
        job = self._by_key[key]
        job.waiting.discard(key)
        job.calls += 1
        change = job.applies[key]
        if applied.error is None:
            job.done.append(change)
        else:
            job.problems.append((change.ref, understood(applied.error, change)))
        if not job.waiting:
            self._finish(job)

    def _call_off(self) -> None:
        """What never came back before the time was over."""
        for job in self._jobs:
            late = [job.applies[key].ref for key in sorted(job.waiting)]
            if late:
                job.waiting.clear()
                job.problems += [(ref, Unreachable(f"{ref}: no answer in time")) for ref in late]
                self._finish(job)


# -- taking away ---------------------------------------------------------------------------------


def _has_more(job: Job) -> bool:
    return bool(job.after) or bool(job.work.force and any(map(leftovers, job.done)))


def _finish(client: KubernetesClient, job: Job) -> Job:
    if any(isinstance(error, Unreachable) for _, error in job.problems):
        return job  # the target does not answer: what is left will be found again
    for change in list(job.done):
        if entries := leftovers(change):
            _attempt(job, change, partial(_remove, client, entries))
    for change in job.after:
        take = _delete if change.operation is Operation.DELETE else _give_back
        job.calls += take is _give_back  # which makes two
        if _attempt(job, change, partial(take, client)):
            job.done.append(change)
    return job


def _attempt(job: Job, change: Change, act: Callable[[Change], None]) -> bool:
    job.calls += 1
    try:
        act(change)
    except ExternalError as error:
        job.problems.append((change.ref, understood(error, change)))
        return False
    return True


def _remove(client: KubernetesClient, entries: Sequence[str], change: Change) -> None:
    patch = {"spec": {"hard": dict.fromkeys(entries)}}
    client.patch_merge(change.ref.kind, change.ref.name, patch, namespace=change.ref.namespace)


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


def cost(work: Sequence[Work]) -> int:
    """How many calls `run` makes when nothing fails."""
    return sum(_calls(change, force=one.force) for one in work for change in one.changes)


def _calls(change: Change, *, force: bool) -> int:
    if change.desired is None:
        return 1 if change.operation is Operation.DELETE else 2
    adoption = change.ref.kind == "Namespace" and force and takes_over(change)
    return 1 + bool(adoption) + bool(force and leftovers(change))
